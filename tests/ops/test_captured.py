"""Operations on the chip against torch in float64, on what a real model feeds them: 64 tokens of the calibration text, the
first with its massive activations, in a first, a middle and a last layer."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from neurodeploy.frontends.families import read_graph
from neurodeploy.frontends.packaged import resolve
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
from neurodeploy.ir.graph import Graph, HostOp
from neurodeploy.ops.host.executor import Executor
from neurodeploy.pipeline.checkpoint import DEFAULT_CALIBRATION
from tests.ops.lowered import off, run_lowered

pytestmark = pytest.mark.real
LAYERS = {"smollm2-135m": (0, 11, 29), "gemma3-270m": (0, 9, 17)}
TOKENS = 64
#: By operation: whether each channel has a power of two of its own, as the residual stream has, and the error that is
#: allowed: of a gate that of its pieces, where most values are small.
KINDS = {"rmsnorm": (True, 8e-5), "add": (True, 1e-6), "glu": (False, 4e-3)}


@cache
def captured(model: str) -> tuple[Graph, dict[str, tuple[HostOp, list[torch.Tensor], list[torch.Tensor]]]]:
    path = resolve(model)
    graph = read_graph(path)
    tokenizer = read_tokenizer(path, graph.info.vocab_size)
    tokens = np.array(tokenizer.encode(DEFAULT_CALIBRATION.read_text(), bos=tokenizer.adds_bos)[:TOKENS])
    found: dict[str, Any] = {}

    def keep(op: Any, values: Any) -> None:
        if isinstance(op, HostOp) and op.op in KINDS and op.layer in LAYERS[model]:
            found[op.path] = op, *([values[name].double() for name in names] for names in (op.inputs, op.outputs))

    sizes = {name: population.size for name, population in graph.populations.items()}
    Executor(graph.ops, graph.weights, sizes).forward_hidden(tokens, capture=keep)
    return graph, found


def exactly(op: HostOp, x: list[torch.Tensor], weight: torch.Tensor | None) -> torch.Tensor:
    """The operation in float64."""
    if op.op == "rmsnorm":
        group = int(str(op.attrs["group"]))
        rows = functional.rms_norm(x[0].reshape(-1, group), (group,), weight, float(str(op.attrs["eps"])))
        return rows.reshape(x[0].shape)
    if op.op == "add":
        return x[0] + x[1]
    gate = functional.silu(x[0]) if op.attrs["act"] == "silu" else functional.gelu(x[0], approximate="tanh")
    return gate * x[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", LAYERS)
def test_on_captured_activations(model: str, kind: str) -> None:
    graph, found = captured(model)
    binary, most = KINDS[kind]
    seen = 0
    for path, (op, x, y) in found.items():
        if op.op != kind:
            continue
        tensors = {role: graph.weights.get(name).astype(np.float64) for role, name in op.weights.items()}
        expected = exactly(op, x, torch.from_numpy(tensors["weight"]) if tensors else None)
        torch.testing.assert_close(expected, y[0], rtol=1e-3, atol=1e-4)  # it is the operation that the model has
        inputs = [value.numpy() for value in x]
        result = run_lowered(kind, inputs, [expected.numpy()], binary=binary, weights=tensors, **op.attrs)
        error = off(result.values[0], expected.numpy())
        print(f"{model} {path} {kind}: {error:.2e}")
        assert error <= most and result.clipped == 0, path
        seen += 1
    assert seen >= 3
