"""Real layers of SmolLM2-135M, outlier channels included: every runner and every mapping gives the same bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.frontends.families import read_graph
from neurodeploy.frontends.packaged import resolve
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
from neurodeploy.hybrid import Hybrid
from neurodeploy.ops.host.kvcache import State
from neurodeploy.pipeline.checkpoint import DEFAULT_CALIBRATION
from partitioner.mapper import map_model
from partitioner.verify.violations import verify
from simulators import get_runner
from simulators.partitioned import PartitionedRunner
from targets.systems import get_system
from tests.islands import exponents, islands_of

pytestmark = pytest.mark.real
#: The first layers up to here, whose input has the largest outliers of the model: some axons are wide.
LAST = "layers.11.mlp.down_proj"


def test_bits_of_real_layers() -> None:
    path = resolve("smollm2-135m")
    graph = read_graph(path)
    last = next(i for i, op in enumerate(graph.ops) if op.path == LAST)
    graph = replace(graph, ops=graph.ops[: last + 1], output=graph.ops[last].outputs[0])
    tokenizer = read_tokenizer(path, graph.info.vocab_size)
    tokens = np.array(tokenizer.encode(DEFAULT_CALIBRATION.read_text(), bos=False)[:2048])
    program = quantize(graph, tokens, get_preset("default"))
    assert any(exponents(island).any() for island in islands_of(program).values())
    text = tokens[700:724]
    expected = Hybrid(program, graph.weights, get_runner("reference")).forward(text)
    fast = Hybrid(program, graph.weights, get_runner("fast"))
    assert torch.equal(expected, fast.forward(text))
    state = State()
    single = torch.cat([fast.forward(text[i : i + 1], state) for i in range(text.size)])
    assert torch.equal(expected, single)
    for name in ("oheo-gulch", "kapoho-point", "alia-point"):
        system = get_system(name)
        chips = system.chips
        # Few cores a chip spread the layers over the chips of the board.
        spread = replace(system, chip=replace(system.chip, cores=max(4, -(-512 // chips))))
        mapping = map_model(program, spread)
        assert verify(mapping, program, spread) == []
        assert mapping.chips_used > chips // 2
        runner = PartitionedRunner(mapping, spread.chip)
        assert torch.equal(expected, Hybrid(program, graph.weights, runner).forward(text))
