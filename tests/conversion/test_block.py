"""`on_chip="block"`: whole decoder blocks of tiny models as populations, against the float model."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.frontends.families import read_graph
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.graph import Graph
from neurodeploy.ir.program import Program
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.kvcache import State
from simulators import get_runner
from tests import models

TEXT = np.random.default_rng(0).integers(3, 256, 400)
OTHER = np.random.default_rng(1).integers(3, 256, 80)
#: What stays of each family: what comes before the first projection, and what attention comes with.
STAYS = {
    "llama": {"embedding", "rope", "attention"},
    "gemma3": {"embedding", "rope", "attention"},
    "qwen3": {"embedding", "rope", "attention"},
    "llama4": {"embedding", "rope", "attention", "temperature", "rmsnorm"},
    "gpt2": {"embedding", "position_embedding", "attention"},
}
MIXTURE = "layers.1.feed_forward"


@cache
def graph_of(family: str) -> Graph:
    folder = TemporaryDirectory()
    graph = read_graph(models.save(family, Path(folder.name) / family))
    graph.weights.folder = folder  # type: ignore[attr-defined]  # as long as the weights are read
    return graph


@cache
def program_of(family: str, on_chip: str) -> Program:
    return quantize(graph_of(family), TEXT, get_preset("default", window=100, on_chip=on_chip))


def noise(family: str, on_chip: str, wanted: torch.Tensor) -> float:
    """Signal to noise of the logits in dB."""
    hybrid = Hybrid(program_of(family, on_chip), graph_of(family).weights, get_runner("fast"))
    found = hybrid.forward(OTHER)
    assert hybrid.take_counts().saturations < 20
    assert float((found.argmax(1) == wanted.argmax(1)).double().mean()) > 0.94
    return float(10 * torch.log10(wanted.square().sum() / (wanted - found).square().sum()))


def executor(family: str) -> Executor:
    graph = graph_of(family)
    return Executor(graph.ops, graph.weights, {name: found.size for name, found in graph.populations.items()})


@pytest.mark.parametrize("family", STAYS)
def test_blocks_are_populations_and_cost_no_accuracy(family: str) -> None:
    """Two crossings a layer, one in, one out; not 3 dB more noise than float between the projections."""
    program = program_of(family, "block")
    assert {op.op for op in program.operations} == STAYS[family]
    assert len(program.segments) == 2 + program.info.layers
    wanted = executor(family).forward(OTHER)
    assert noise(family, "block", wanted) > max(30, noise(family, "projections", wanted) - 3)


def test_the_chip_chooses_the_same_experts_and_the_others_get_no_event() -> None:
    """Token by token: the one expert whose input has events is that of the float model's largest logit, if by a margin."""
    logits: list[torch.Tensor] = []
    executor("llama4").forward(
        OTHER, capture=lambda op, values: logits.append(values[op.output]) if op.path == f"{MIXTURE}.router" else None
    )
    hybrid = Hybrid(program_of("llama4", "block"), graph_of("llama4").weights, get_runner("fast"))
    state, chosen = State(), list[list[int]]()
    for token in OTHER:
        hybrid.forward([token], state)
        fired = {
            name: int(ports["s"].sum())
            for s in hybrid.take_counts().segments.values()
            for name, ports in s.fired.items()
        }
        events = [fired[f"{MIXTURE}.experts.{expert}.gate_up.input"] for expert in range(4)]
        outside = [fired[f"{MIXTURE}.experts.{e}.down_proj"] for e in range(4) if not events[e]]
        assert len(outside) == 3 and not any(outside)
        chosen.append([expert for expert, count in enumerate(events) if count])
    best = logits[0].sort(dim=1, descending=True)
    clear = best.values[:, 0] - best.values[:, 1] > 0.05 * logits[0].std()  # where integers may not decide otherwise
    assert float(clear.double().mean()) > 0.9
    assert torch.equal(torch.tensor(chosen)[clear], best.indices[clear, :1])


def test_two_experts_a_token(tmp_path: Path) -> None:
    """A router that takes two of four is on the chip as well: two winners, two experts with events, the sum of both."""
    graph = read_graph(models.save("llama4", tmp_path / "two", num_experts_per_tok=2))
    program = quantize(graph, TEXT, get_preset("quick", window=100, on_chip="block"))
    assert {op.op for op in program.operations} == STAYS["llama4"]
    (route,) = [p for p in program.network.populations.values() if p.model == "graded_winner"]
    assert route.params["winners"] == 2
    hybrid, state, counts = Hybrid(program, graph.weights, get_runner("fast")), State(), list[int]()
    rows = []
    for token in OTHER[:24]:
        rows.append(hybrid.forward([token], state))
        fired = {n: int(p["s"].sum()) for s in hybrid.take_counts().segments.values() for n, p in s.fired.items()}
        counts.append(sum(fired[f"{MIXTURE}.experts.{expert}.gate_up.input"] > 0 for expert in range(4)))
    assert counts == [2] * 24
    found = torch.cat(rows)
    assert torch.equal(found, Hybrid(program, graph.weights, get_runner("reference")).forward(OTHER[:24]))
    sizes = {name: population.size for name, population in graph.populations.items()}
    wanted = Executor(graph.ops, graph.weights, sizes).forward(OTHER[:24])
    assert float((wanted - found).norm() / wanted.norm()) < 0.05


def test_experts_are_on_the_chip_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the sum of experts cannot be there, the host deals the tokens too."""
    from neurodeploy.ops import moe_combine

    monkeypatch.setattr(moe_combine, "EXPONENT_MAX", -1)
    program = quantize(graph_of("llama4"), TEXT[:200], get_preset("quick", window=100, on_chip="block"))
    left = {op.op for op in program.operations}
    assert left == STAYS["llama4"] | {"moe_dispatch", "moe_combine"}
    found = Hybrid(program, graph_of("llama4").weights, get_runner("fast")).forward(OTHER)
    wanted = executor("llama4").forward(OTHER)
    assert float((wanted - found).norm() / wanted.norm()) < 0.05
