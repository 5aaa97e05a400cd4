"""Integers back to real numbers: the same network on the chip after a second conversion, and files that nir reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from neurodeploy.conversion.spiking.compare import compare_spikes
from neurodeploy.conversion.spiking.options import QuantizeOptions
from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.conversion.spiking.to_nir import to_float
from neurodeploy.errors import UserError
from neurodeploy.frontends import hdf5_guard
from neurodeploy.frontends.nir.reader import read
from neurodeploy.frontends.nir.writer import write
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.float_network import FloatNetwork
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.synapses import Direct, build
from simulators.float_network import run
from simulators.reference import ReferenceRunner
from tests.conversion.nets import DT, affine, between, both, flatten, layer, neuron, row, scales_of, spikes, window
from tests.refusals import refused

rng = np.random.default_rng(31)


def synapses(whole: Network, name: str) -> dict[tuple[str, int, int, int], float]:
    """Weights that are not 0 by source, row, column and delay."""
    return {
        (p.source, int(row_), int(column), int(lag)): float(weight) * 2.0**p.weight_exp
        for p in whole.into(name)
        for coo in [p.synapse.coo()]
        for row_, column, weight, lag in zip(coo.row, coo.column, coo.weight, p.delays_of(coo), strict=True)
        if weight
    }


def same_integers(a: Network, b: Network) -> None:
    """Populations and synapses one by one, however they are stored."""
    assert a.populations.keys() == b.populations.keys()
    for name, population in a.populations.items():
        other = b.populations[name]
        assert population.model == other.model and population.size == other.size
        keys = set(population.params) | set(other.params)
        for key in keys - {"bias_mant", "bias_exp"}:
            np.testing.assert_array_equal(population.params[key], other.params[key], f"{name} {key}")
        assert synapses(a, name) == synapses(b, name)


def models() -> dict[str, FloatNetwork]:
    delayed = neuron("d", "delay", 6, delay=rng.integers(0, 4, 6) * DT)
    conv = window("c", "conv2d", (2, 6, 5), rng.normal(size=(3, 2, 3, 3)), padding=1)
    pool = window("p", "sum_pool2d", conv.shape, kernel_size=2, stride=2)
    image = neuron("n", "lif", conv.shape, tau=16 * DT)
    filtered = neuron("n", "cubalif", 5, tau_syn=8 * DT, tau_mem=16 * DT)
    rec = affine("a", rng.normal(size=(5, 4))), affine("r", rng.normal(size=(5, 5))), filtered
    return {
        "lif": row(affine("a", rng.normal(size=(6, 4))), neuron("n", "lif", 6, tau=16 * DT)),
        "if": row(affine("a", rng.normal(size=(6, 4))), neuron("n", "if", 6, v_threshold=rng.random(6) + 1)),
        "subtract": row(affine("a", rng.normal(size=(6, 4))), neuron("n", "lif", 6, "subtract", tau=16 * DT)),
        "recurrent": between(rec, "input a n r ~n output"),
        "delays": row(delayed, affine("a", rng.normal(size=(3, 6))), neuron("n", "lif", 3, tau=16 * DT)),
        "image": row(conv, image, pool, flatten("f", pool.shape), affine("w", rng.normal(size=(4, 18))),
                     neuron("m", "lif", 4, tau=16 * DT)),
        "readout": row(affine("a", rng.normal(size=(6, 4))), neuron("n", "if", 6), affine("b", rng.normal(size=(2, 6))),
                       neuron("v", "li", 2, tau=16 * DT)),
        "threshold": row(affine("a", rng.normal(size=(6, 4))), neuron("n", "threshold", 6)),
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_guard, "ISOLATE", False)


@pytest.mark.parametrize("name", models())
def test_a_second_conversion_gives_the_same_integers(name: str, tmp_path: Path) -> None:
    """Of the network, and of the file, which nir reads."""
    chip, _ = quantize(models()[name])
    back = to_float(chip)
    write(back, tmp_path / "net.nir")
    assert set(nir.read(tmp_path / "net.nir").nodes) == set(back.nodes)
    for made in (back, read(tmp_path / "net.nir", DT)):
        same_integers(chip, quantize(made, QuantizeOptions(scales=scales_of(chip)))[0])


@pytest.mark.parametrize("kind", ["lif", "cubalif"])
def test_only_rounding_of_states_is_left(kind: str) -> None:
    """The exported network in real numbers against the chip: all parameters are equal, so spikes are nearly all equal."""
    own = np.random.default_rng(3)
    extra = {"w_in": 5.0} if kind == "cubalif" else {}
    made = row(affine("a", own.normal(0.1, 1, (30, 20))), neuron("n", kind, 30, r=20.0, v_threshold=3.0, **extra))
    chip, report = quantize(made)
    back = to_float(chip)
    wanted, got = both(back, chip, report, spikes(made, steps=300))
    (line,) = compare_spikes(wanted.outputs, got, {"output": report.outputs["output"]})
    assert line.float_count > 300 and line.differing <= 0.002 * line.bins


def test_a_bias_becomes_one_of_an_affine() -> None:
    made = row(affine("a", rng.normal(size=(6, 4)), 0.5), neuron("n", "lif", 6, tau=16 * DT))
    chip, report = quantize(made)
    back = to_float(chip)
    assert back.nodes["input->n.affine"].params["bias"] == pytest.approx(np.full(6, 0.5 * 1 / 16), rel=0.01)
    assert any("states" in note.found for note in back.notes)
    assert report.populations[0].errors["bias"].relative < 0.01


def lone(model: str = "lif", projection: Mapping[str, Any] | None = None, **params: int) -> Network:
    chip, _ = quantize(layer("lif", rng.normal(size=(2, 2))))
    populations = {**chip.populations, "n": Population("n", (2,), model, {"du": 4095, "dv": 100, "vth": 10, **params})}
    projections = tuple(replace(p, **(projection or {})) for p in chip.projections)
    return replace(chip, populations=populations, projections=projections)


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (lone("lif_refractory", refractory_period=3), "model lif_refractory"),
        (lone(du=100, dv=0), "without a leak beside a synaptic filter"),
        (lone(projection={"instant": True, "delay": None}), "delivers within the step"),
        (lone(projection={"axon_exp": np.ones(2, np.uint8)}), "raises the payloads"),
        (replace(lone(), dt=None), "time step"),
    ],
)
def test_what_nir_cannot_say(made: Network, what: str) -> None:
    refused(UserError, f"ND1250 .*{what}", to_float, made)


def test_a_missing_time_step_can_be_given() -> None:
    assert to_float(replace(lone(), dt=None), DT).dt == DT


def behind_direct(first: str = "lif", loop: bool = False, **extra: int) -> Network:
    """An input whose payloads reach a layer as they are, as lava-dl's input layers have it; whole numbers throughout."""
    own = np.random.default_rng(5)
    populations = {
        "input": Population("input", (5,), INPUT),
        "n": Population("n", (5,), first, {"du": 4095, "dv": 0, "vth": 64, **extra}),
        "m": Population("m", (4,), "lif", {"du": 4095, "dv": 0, "vth": 128}),
    }
    projections = [
        Projection("d", "input", "n", Direct(5), graded=True),
        Projection("w", "n", "m", build.dense(2 * own.integers(-40, 100, (4, 5)))),
    ]
    if loop:
        projections.append(Projection("r", "n", "n", build.dense(2 * own.integers(-20, 5, (5, 5)))))
    return Network("net", populations, tuple(projections), ("n", "m"), Dyadic.nearest(DT, 53))


@pytest.mark.parametrize("loop", [False, True])
def test_direct_connections_from_an_input_are_a_scale(loop: bool, tmp_path: Path) -> None:
    """No rounding on either side: spikes are the same in every step, a step later for the synapse behind it."""
    chip = behind_direct(loop=loop)
    back = to_float(chip)
    assert [node.kind for node in back.nodes.values()].count("scale") == 1
    write(back, tmp_path / "net.nir")
    assert set(nir.read(tmp_path / "net.nir").nodes) == set(back.nodes)
    x = np.random.default_rng(6).integers(0, 60, (2, 81, 5))
    got = ReferenceRunner().run(chip, {"input": x}, 81)
    for made in (back, read(tmp_path / "net.nir", DT)):
        wanted = run(made, {"input": x[:, :80].astype(np.float64)})
        for name, late in (("n", 0), ("m", 1)):
            spiked = got.outputs[name][:, late : 80 + late]
            assert spiked.sum() > 20 and not spiked.all()
            np.testing.assert_array_equal(wanted.outputs[f"{name}.output"], spiked)


def test_direct_connections_that_nir_cannot_say() -> None:
    made = behind_direct()
    beside = Projection("b", "input", "n", build.dense(np.eye(5, dtype=np.int64) * 2))
    mixed = replace(made, projections=(*made.projections, beside))
    refused(UserError, r"ND1250 d: comes without a step to n, and b with one", to_float, mixed)
    third = Population("k", (4,), "lif", {"du": 4095, "dv": 0, "vth": 1})
    beyond = (*made.projections, Projection("e", "m", "k", Direct(4), graded=True))
    inner = replace(made, populations={**made.populations, "k": third}, projections=beyond)
    refused(UserError, r"ND1250 e: leads from m without a step", to_float, inner)
    refused(UserError, r"ND1250 n: has currents that never decay", to_float, behind_direct(du=-1, dv=100))
