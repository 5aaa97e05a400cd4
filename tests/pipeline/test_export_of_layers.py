"""A language model as NIR: what `nir.read` makes of the file computes the layers as the chip does, up to their rounding."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.nir_graph import write_program
from neurodeploy.errors import UserError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Dense
from tests.refusals import refused


def test_layers_by_nir(llama_bundle: Path, tmp_path: Path) -> None:
    found = pipeline.export(llama_bundle, tmp_path / "x.nir")
    graph, program = nir.read(tmp_path / "x.nir"), open_bundle(llama_bundle).program
    assert found["bytes"] == (tmp_path / "x.nir").stat().st_size and len(found["notes"]) == 1
    host = json.loads(graph.metadata["host"])
    assert [row["path"] for row in host] == [op.path for op in program.operations]
    layers = [name for name, p in program.network.populations.items() if p.model != "input"]
    assert len(layers) == len(graph.inputs) == len(graph.outputs) == 9
    for name in layers:
        alone = nir.read(llama_bundle / "islands" / f"{name}.nir")
        (p,) = program.network.into(name)
        assert {(p.source, p.name), (p.name, name), (name, f"{name}.output")} <= set(graph.edges)
        assert graph.nodes[p.name].weight.dtype == np.int8
        np.testing.assert_array_equal(graph.nodes[p.name].weight, alone.nodes["synapses"].weight)
        np.testing.assert_array_equal(graph.nodes[name].scale, alone.nodes["scale"].scale)


def _joined(program: Program) -> Program:
    """The second layer of MLP reads what the first one sends, on the chip."""
    network = program.network
    up = next(name for name in network.populations if name.startswith("layers.0.mlp") and not name.endswith("input"))
    rows = network.populations[up].size
    extra: dict[str, Any] = {"multiplier": 3, "shift": 2, "acc_shift": 1, "bias": np.arange(5)}
    extra |= {"state_bits": 24, "out_bits": 24}
    populations = {**network.populations, "more": Population("more", (5,), "graded_affine", extra)}
    weights = np.random.default_rng(0).integers(-9, 9, (5, rows)).astype(np.int8)
    p = Projection("more.synapses", up, "more", Dense(weights), graded=True, instant=True)
    joined = Network(network.name, populations, (*network.projections, p), (*network.outputs, "more"))
    return replace(program, network=joined)


def test_what_stays_on_the_chip_is_an_edge(llama_bundle: Path, tmp_path: Path) -> None:
    program = _joined(open_bundle(llama_bundle).program)
    write_program(tmp_path / "x.nir", program)
    graph = nir.read(tmp_path / "x.nir")
    (p,) = program.network.into("more")
    assert {(p.source, p.name), (p.name, "more"), ("more", "more.output")} <= set(graph.edges)
    unit = next(step.scale.value for step in program.host if step.path == p.source)
    x = np.random.default_rng(1).integers(-50, 50, p.synapse.columns)
    sums = p.synapse.weight @ x + np.arange(5)
    node = graph.nodes[p.name]
    real = graph.nodes["more"].scale * (node.weight @ (x * unit) + node.bias)
    np.testing.assert_allclose(real, sums * 3 / 4 / 2, rtol=1e-5)


@pytest.mark.parametrize("change", [{"graded": False}, {"instant": False}])
def test_other_populations_are_named(change: dict[str, bool], llama_bundle: Path, tmp_path: Path) -> None:
    program = _joined(open_bundle(llama_bundle).program)
    network = program.network
    last = replace(network.projections[-1], **change)
    wrong = replace(program, network=replace(network, projections=(*network.projections[:-1], last)))
    refused(UserError, "ND3291 more", write_program, tmp_path / "x.nir", wrong)


def test_refusals(llama_bundle: Path, tmp_path: Path) -> None:
    refused(UserError, "ND3261", pipeline.export, llama_bundle, tmp_path / "x.nir", dt=1e-3)
    refused(UserError, "ND3250", pipeline.export, llama_bundle, tmp_path / "x", format="sanafe")
    assert not list(tmp_path.iterdir())
