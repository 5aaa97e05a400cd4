"""Programs that do not send every payload: reference = fast = token by token = partitioned. No tolerance."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.errors import InternalError
from neurodeploy.frontends.families import read_graph
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.devices import POPULATION
from neurodeploy.ir.graph import Graph
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts
from neurodeploy.neurons.graded_choice import choose
from neurodeploy.ops.host.border import Code, encode
from neurodeploy.ops.host.kvcache import State
from partitioner.classify import assign
from partitioner.mapper import map_model
from partitioner.verify.violations import verify
from simulators import get_runner
from simulators.partitioned import PartitionedRunner
from targets.systems import get_system
from tests import models
from tests.hybrid.test_identity import small_system
from tests.networks.equality import same_result

TEXT = np.random.default_rng(1).integers(3, 256, 300)
CASES = [
    ("llama", "projections", "events", 0.8),
    ("llama", "all", "events", 0.7),
    ("llama4", "block", "events", 0.8),
    ("gpt2", "block", "events", 0.8),
    ("gemma3", "block", "keep_of", "2:4"),
    ("llama4", "block", "keep_of", "3:5"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@lru_cache(maxsize=32)
def converted(folder: Path, family: str, on_chip: str, field: str, value: float | str) -> tuple[Graph, Program]:
    graph = read_graph(models.save(family, folder / f"{family}-{on_chip}-{value}".replace(":", "-")))
    return graph, quantize(graph, TEXT, get_preset("default", on_chip=on_chip, window=100, **{field: value}))


def run(
    graph: Graph, program: Program, runner: object, tokens: np.ndarray, parts: int = 1
) -> tuple[torch.Tensor, ActivityCounts]:
    hybrid, state = Hybrid(program, graph.weights, runner), State()
    found = torch.cat([hybrid.forward(part, state) for part in np.array_split(tokens, parts)])
    return found, hybrid.take_counts()


def synaptic_events(program: Program, counts: ActivityCounts) -> int:
    """Of the projections of linear layers."""
    fired = {name: ports["s"] for activity in counts.segments.values() for name, ports in activity.fired.items()}
    layers = [p for p in program.network.projections if p.name.endswith(".synapses")]
    return sum(int(fired[p.source] @ p.synapse.fan_out((0, p.synapse.rows))) for p in layers)


@pytest.mark.parametrize("case", CASES)
def test_every_runner_gives_the_same_bits(folder: Path, case: tuple[str, str, str, float | str]) -> None:
    graph, program = converted(folder, *case)
    tokens = TEXT[:30]
    wanted, counts = run(graph, program, get_runner("reference"), tokens)
    one = small_system(get_system("oheo-gulch"), 1, 48)
    cores = map_model(program, one).cores_used
    few = replace(one, chips=8, grid=(8, 1), chip=replace(one.chip, cores=cores // 8 + 2))
    mapping = map_model(program, few)
    assert verify(mapping, program, few) == []
    for runner, parts in ((get_runner("fast"), 1), (get_runner("fast"), 30), (PartitionedRunner(mapping, few.chip), 1)):
        found, others = run(graph, program, runner, tokens, parts)
        assert torch.equal(wanted, found)
        for name, activity in counts.segments.items():
            same_result(activity, others.segments[name])


@pytest.mark.parametrize("case", [case for case in CASES if case[2] == "events"])
def test_synaptic_events_fall_by_the_share_on_the_calibration_text(
    folder: Path, case: tuple[str, str, str, float]
) -> None:
    family, on_chip, _, share = case
    found = []
    for graph, program in (converted(folder, *case), converted(folder, family, on_chip, "events", 1.0)):
        counts = [run(graph, program, get_runner("fast"), TEXT[start : start + 100])[1] for start in (0, 100, 200)]
        found.append(sum(synaptic_events(program, one) for one in counts))
    assert found[0] / found[1] == pytest.approx(share, abs=0.03)


def test_all_events_are_the_bits_of_before(folder: Path) -> None:
    """A share of 1, or a choice of all, leaves no trace in the program."""
    for field, value in (("events", 1.0), ("keep_of", "4:4")):
        _, program = converted(folder, "llama", "block", field, value)
        for population in program.network.populations.values():
            assert not {"vth", "keep", "of"} & population.params.keys() and population.model != "graded_choice"


@pytest.mark.parametrize("on_chip", ["projections", "block"])
def test_two_of_four_payloads_reach_every_layer(folder: Path, on_chip: str) -> None:
    """Token by token, in each group of four axons of every layer; somewhere two are sent."""
    graph, program = converted(folder, "gemma3", on_chip, "keep_of", "2:4")
    hybrid, state = Hybrid(program, graph.weights, get_runner("fast")), State()
    sources = {p.source for p in program.network.projections if p.name.endswith(".synapses")}
    most = 0
    for token in TEXT[:5]:
        hybrid.forward(np.array([token]), state)
        fired = {n: x["s"] for a in hybrid.take_counts().segments.values() for n, x in a.fired.items()}
        groups = [np.add.reduceat(fired[name], np.arange(0, fired[name].size, 4)) for name in sources]
        most = max(most, *(int(group.max()) for group in groups))
    assert most == 2


def test_the_border_chooses_by_threshold_and_rank() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 10, (5, 22)).astype(np.float32)
    vth = rng.integers(0, 6, 22).astype(np.float32)
    ones = np.ones(22, np.float32)
    payload, clipped = encode(torch.from_numpy(x), Code(ones, 7, vth), "x")
    wanted = np.clip(x, -7, 7)
    assert np.array_equal(payload, np.where(np.abs(wanted) > vth, wanted, 0)) and clipped == int((np.abs(x) > 7).sum())
    payload, _ = encode(torch.from_numpy(x), Code(ones, 7, 0 * vth, 3, 8), "x")
    assert np.array_equal(payload, choose(wanted.astype(np.int64), 3, 8))


def test_only_what_the_host_encodes_has_thresholds(folder: Path) -> None:
    _, program = converted(folder, "llama", "projections", "events", 1.0)
    name, population = next((n, p) for n, p in program.network.populations.items() if p.model == INPUT)
    silent = replace(population, params={**population.params, "vth": 3})
    network = replace(program.network, populations={**program.network.populations, name: silent})
    replace(program, network=network).check()
    with pytest.raises(InternalError, match="no host encodes it"):
        Program.of(network).check()


@pytest.mark.parametrize("case, said", [(CASES[2], "thresholds"), (CASES[0], "thresholds"), (CASES[5], "largest")])
def test_the_mapping_says_where_not_all_is_sent(
    folder: Path, case: tuple[str, str, str, float | str], said: str
) -> None:
    """Of every layer, and of nothing else."""
    _, program = converted(folder, *case)
    layers = {p.target for p in program.network.projections if p.name.endswith(".synapses")}
    told = {
        row.path.removeprefix(POPULATION)
        for row in assign(program, get_system("oheo-gulch").chip)
        if said in row.reason.text
    }
    assert told == layers
    share = program.conversion["synaptic_events_sent"]  # over weights: experts count whole, however few tokens they get
    assert share == pytest.approx(case[3] if case[2] == "events" else 0.6, abs=0.15)
