"""A language model with its blocks on the chip: what crosses the border, in how many steps, and who says what it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import neurodeploy as nd
from neurodeploy.accounting.neurobench import metrics
from neurodeploy.bundle import open_bundle
from neurodeploy.conversion.hollow import lower_hollow, raised
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.counts import counts_of
from neurodeploy.pipeline.pricing import count_text
from neurodeploy.synapses.written_out import written_out
from partitioner.classify import crossings
from partitioner.mapper import map_model
from targets.loihi2 import LOIHI2
from targets.systems import get_system
from tests import models

LAYERS = 2
#: Steps of a chip: squares, root and product of a norm.
NORM = 3
#: Of what comes back from attention: o, sum, norm, gate and up, gate, down, sum; two norms more in a sandwich.
REST = {"llama": 1 + 1 + NORM + 1 + 1 + 1 + 1, "gemma3": 1 + NORM + 1 + NORM + 1 + 1 + 1 + NORM + 1}
#: From the stream to q, k, v; where these are normalised, that too.
BEFORE = {"llama": NORM + 1, "gemma3": NORM + 1 + NORM}


@pytest.fixture(scope="module", params=["llama", "gemma3"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, dict[str, Any]]:
    """Family, bundle, what `map` said."""
    family, folder = str(request.param), tmp_path_factory.mktemp("block")
    models.save(family, folder / "model")
    nd.convert(folder / "model", folder / "m.nd", on_chip="block", preset="quick")
    return family, folder / "m.nd", nd.map(folder / "m.nd", "oheo-gulch")


def test_crossings(made: tuple[str, Path, dict[str, Any]]) -> None:
    """In and out once for the attention of each layer, and once for the whole model; a token pays the latency of as many."""
    _, bundle, mapped = made
    wanted = 2 * LAYERS + 2
    assert mapped["fits"] and mapped["violations"] == []
    assert mapped["crossings_per_token"] == wanted
    found = nd.energy(bundle, prompt_tokens=8, tokens=2)["generate"]["seconds_split"]["host link latency"]
    assert found == pytest.approx(wanted / 2 * LOIHI2.costs["t_host_link_s"].nominal)


def test_steps(made: tuple[str, Path, dict[str, Any]]) -> None:
    """One for each population on the longest way; the head is a step of its own."""
    family, _, mapped = made
    whole = BEFORE[family] + LAYERS * REST[family] + (LAYERS - 1) * BEFORE[family] + NORM + 1
    assert mapped["steps_per_token"] == whole


def test_every_population_says_what_it_does(made: tuple[str, Path, dict[str, Any]]) -> None:
    """Each is named once, by its operation or as a linear layer; crossings and steps of all add up."""
    _, bundle, mapped = made
    rows, program = nd.explain(bundle), open_bundle(bundle).program
    for key in ("crossings_per_token", "steps_per_token"):
        assert sum(row[key] for row in rows) == mapped[key]
    said = {row["path"].removeprefix("populations."): row for row in rows}
    neurons = {name for name, p in program.network.populations.items() if p.model != INPUT}
    assert {name for name, row in said.items() if row["device"] == "chip"} == neurons
    norms = [name for name in neurons if name.endswith((".squares", ".root"))]
    assert len(norms) >= 2 * (2 * LAYERS + 1)
    for name in norms:
        op = name.rpartition(".")[0]
        assert said[name]["rule"] == "lowered-rmsnorm" and op in said[name]["reason"]
        assert said.get(op, said[name])["device"] == "chip", "no host operation is left of it"
    sums = [row for row in rows if row["rule"] == "lowered-add"]
    assert len(sums) == 2 * LAYERS
    left = {row["op"] for row in rows if row["device"] == "host"} - {INPUT}
    assert {"embedding", "attention"} <= left <= {"embedding", "attention", "rope"}


def shape(program: Program) -> tuple[set[object], set[object]]:
    """Its populations, and who sends to whom over what."""
    network = program.network
    return (
        {(p.name, p.model, p.size, p.layer) for p in network.populations.values()},
        {(p.source, p.target, p.target_port, p.synapse.kind, p.synapse.count()) for p in network.projections},
    )


def test_a_plan_has_the_populations_of_the_conversion(made: tuple[str, Path, dict[str, Any]]) -> None:
    """From a configuration: the same populations, connections, crossings and cores."""
    _, bundle, mapped = made
    real, hollow = open_bundle(bundle).program, lower_hollow(written_out(read_hollow(bundle.parent / "model")))
    hollow.check()
    assert shape(hollow) == shape(real)
    planned = map_model(hollow, get_system("oheo-gulch"))
    assert crossings(hollow, planned.assignments) == mapped["crossings_per_token"]
    assert planned.cores_used == mapped["cores_used"]


def test_what_the_host_would_do_without(made: tuple[str, Path, dict[str, Any]]) -> None:
    """The linear layers alone, as a configuration has them; with blocks on the chip again, what it was."""
    _, bundle, _ = made
    real, wanted = open_bundle(bundle).program, written_out(read_hollow(bundle.parent / "model"))
    back = raised(real)
    back.check()
    assert [(op.path, op.op, op.inputs) for op in back.operations] == [
        (op.path, op.op, op.inputs) for op in wanted.operations
    ]
    assert shape(back) == shape(wanted)
    assert shape(lower_hollow(back)) == shape(real)
    assert raised(back) is back


def test_the_head_counts_the_token_that_it_reads(made: tuple[str, Path, dict[str, Any]], tmp_path: Path) -> None:
    """What it reads is computed for every token and waits on the chip; the head runs for the last alone. Shares are of 1."""
    _, bundle, _ = made
    text = tmp_path / "prose.txt"
    text.write_text("It was a bright cold day in April, and the clocks were striking thirteen.")
    found = nd.run(bundle, text)
    populations, projections = found["populations"], found["projections"]
    assert all(row["rate"] <= 1 for row in populations.values()) and found["steps"] > 1
    assert all(row["density"] <= 1 for row in projections.values())
    head, read = populations["lm_head"], populations["lm_head.input"]
    assert (head["steps"], read["steps"]) == (1, found["steps"])
    assert read["updates"] == read["neurons"] * found["steps"] >= read["messages"]
    row = projections["lm_head.synapses"]
    assert row["events"] <= read["neurons"] and row["synops"] == row["events"] * head["neurons"]
    opened = open_bundle(bundle)
    prefill = count_text(opened, text, "fast", None, 6, 1).first
    updates = [row["updates"] for row in counts_of(opened, prefill)["populations"].values()]
    assert metrics(opened.program, prefill, exact=False)["MembraneUpdates"] == sum(updates) / 6
