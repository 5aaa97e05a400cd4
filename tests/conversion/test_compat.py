"""The published bridge from NIR to Lava: its truncations by hand, its bits from its own equations."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.conversion.spiking.compat import quantize_as_published
from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import FloatNetwork
from neurodeploy.ir.run import Probe
from simulators.reference import ReferenceRunner
from tests.conversion.nets import affine, both, network, neuron, row, spikes, window
from tests.refusals import refused

DT = 1e-4
#: The first network of the NIR paper: tau / dt = 25, R = tau / dt, one neuron.
PAPER = {"tau": 0.0025, "r": 25.0, "v_threshold": 0.1}


def paper(weight: float = 1.0, threshold: float = 0.1, size: int = 1) -> FloatNetwork:
    nodes = [
        neuron("input", "input", 1), affine("w", np.full((size, 1), weight), 0.0),
        neuron("lif", "lif", size, **{**PAPER, "v_threshold": threshold}), neuron("output", "output", size),
    ]  # fmt: skip
    return network(nodes, dt=DT)


def bridge_in_lava(x: np.ndarray, weight: float, threshold: float) -> np.ndarray:
    """What `nir_to_lava.py` builds, step by step: Dense(int(256 W)) -> Dense(int(256 dt / tau)) -> LIF in fixed point."""
    first, second = min(max(int(weight * 256), -255), 255), int(DT / 0.0025 * 256)
    dv, vth = int(DT / 0.0025 * 4095), int(threshold * 131_071) >> 9
    out, held, waiting, v = [], 0, 0, 0
    for spike in x:
        a, waiting = waiting, (second if held else 0)
        held = first if spike else 0
        u = a << 6
        v = int(np.sign(v)) * ((abs(v) * (4096 - dv)) >> 12) + u
        out.append(int(v > vth << 6))
        v = 0 if out[-1] else v
    return np.array(out)


def test_the_numbers_of_the_paper() -> None:
    chip, report = quantize_as_published(paper())
    assert chip.populations["lif"].params == {"dv": 163, "du": 4095, "vth": 25}
    weights = {p.target: p.synapse.weight.tolist() for p in chip.projections}
    assert weights == {"lif.sum": [[255]], "lif": [[10]]}
    assert report.latency == 2 and any("r = 25" in note.found and "ignored" in note.done for note in report.notes)
    errors = report.populations[0].errors
    assert (errors["decay of v"].got, errors["threshold"].got) == (163, 25)


@pytest.mark.parametrize("weight", [1.0, 0.3, -0.5, 0.001])
def test_the_same_bits_as_the_bridge(weight: float) -> None:
    """Even a negative weight excites: the second Dense takes what is not 0 as a spike."""
    made = paper(weight)
    chip, report = quantize_as_published(made)
    x = spikes(made, samples=1, steps=300, rate=0.4)
    got = ReferenceRunner().run(chip, x, 300, probes=[Probe("lif", "v")])
    want = bridge_in_lava(x["input"][0, :, 0], weight, 0.1)
    np.testing.assert_array_equal(got.outputs["lif"][0, :, 0], want)
    assert want.sum() > 10 if abs(weight) > 0.004 else not want.any()
    assert report.outputs["output"].latency == 2


def cuba(**changes) -> FloatNetwork:
    params = {"tau_syn": 5 * DT, "w_in": 5.0, "tau_mem": 20 * DT, "r": 20.0, **changes}
    rng = np.random.default_rng(1)
    nodes = [
        neuron("input", "input", 4), affine("w", rng.normal(0.3, 0.5, (6, 4)), 0.05), neuron("n", "cubalif", 6, **params),
        affine("rec", 0.1 * rng.normal(size=(6, 6)), 0.0), neuron("output", "output", 6),
    ]  # fmt: skip
    return network(nodes, [("input", "w"), ("w", "n"), ("n", "rec"), ("rec", "n", True), ("n", "output")], DT)


def slayer(x: np.ndarray, made: FloatNetwork) -> np.ndarray:
    """slayer's CUBA with scale 64: sums of real weights cut to 1 / 4096, states in integers (lava-dl 0.6.0)."""
    weight, bias, rec = (made.nodes[n].params[k] for n, k in (("w", "weight"), ("w", "bias"), ("rec", "weight")))
    u, v, out = np.zeros(6, np.int64), np.zeros(6, np.int64), []
    before = np.zeros(6)

    def keep(state: np.ndarray, decay: int) -> np.ndarray:
        return np.sign(state) * ((np.abs(state) * (4096 - decay)) >> 12)

    for spike in x:
        u = keep(u, 819) + np.trunc(4096 * (weight @ spike + bias + rec @ before)).astype(np.int64)
        v = keep(v, 205) + u
        before = (v >= 64 * 64 + 1).astype(float)
        out.append(before)
        v = np.where(before > 0, 0, v)
    return np.array(out)


def test_slayers_way_is_close_to_slayer() -> None:
    """Weights on a grid of 1 / 4096 instead of sums cut there: all but single spikes are the same."""
    made = cuba()
    chip, report = quantize_as_published(made)
    assert chip.populations["n"].model == "cuba"
    assert {k: chip.populations["n"].params[k] for k in ("du", "dv", "vth")} == {"du": 819, "dv": 205, "vth": 4096}
    x = spikes(made, samples=1, steps=400)
    _, got = both(made, chip, report, x)
    want = slayer(x["input"][0], made)
    differing = np.count_nonzero(got.outputs["n"][0, 1:401] != want)
    assert want.sum() > 200 and differing <= 0.01 * want.size


def test_integrate_and_fire_on_an_image() -> None:
    conv = window("c", "conv2d", (2, 6, 6), np.random.default_rng(2).normal(size=(3, 2, 3, 3)))
    made = row(conv, neuron("n", "if", conv.shape, r=1.0, v_threshold=1.5))
    chip, report = quantize_as_published(made)
    found = chip.populations["n"].params
    assert (found["du"], found["dv"], found["vth"]) == (4096, 0, int(1.5 * 4096))
    assert report.projections[0].synapse == "conv" and report.projections[0].worst.relative < 1e-3


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (paper(size=2), "shape"),
        (row(affine("w", np.ones((1, 1)), 0.5), neuron("n", "lif", 1)), "bias"),
        (row(affine("w", np.ones((1, 1))), neuron("n", "lif", 1)), "affine"),
        (row(affine("w", np.ones((1, 1)), 0.0), neuron("n", "li", 1)), "kinds li"),
        (cuba(v_leak=0.1), "v_leak"),
        (cuba(r=1.0), "R"),
        (cuba(v_threshold=np.arange(1.0, 7.0)), "v_threshold"),
        (row(neuron("d", "delay", 1, delay=2e-3), neuron("n", "if", 1, r=1.0)), "delay"),
    ],
)
def test_what_the_bridge_refuses(made: FloatNetwork, what: str) -> None:
    refused(UserError, f"ND1245.*{what}", quantize_as_published, made)
