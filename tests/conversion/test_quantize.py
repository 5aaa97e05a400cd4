"""Rounding to the chip's integers: each rule of each parameter, scales within registers, and what the report says."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from neurodeploy.conversion.spiking.options import QuantizeOptions
from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.errors import UserError
from neurodeploy.flow.ranges import beyond_chip
from neurodeploy.ir.float_network import FloatNetwork
from neurodeploy.ir.run import Probe
from simulators.float_network import run
from tests.conversion.nets import (
    DT,
    affine,
    between,
    both,
    compared,
    flatten,
    layer,
    neuron,
    row,
    scale_of,
    spikes,
    window,
)
from tests.refusals import refused

rng = np.random.default_rng(21)


@pytest.mark.parametrize(
    ("kind", "params", "du", "dv", "scheme"),
    [
        ("lif", {"tau": 25 * DT}, 4095, 164, "euler"),  # the published bridge has int(4095 / 25) = 163
        ("lif", {"tau": DT}, 4095, 4096, "euler"),
        ("lif", {"tau": 4 * DT}, 4095, round(4096 * (1 - np.exp(-0.25))), "exponential"),
        ("li", {"tau": 3 * DT}, 4095, 1365, "euler"),
        ("if", {}, 4095, 0, "euler"),
        ("i", {}, 4095, 0, "euler"),
        ("cubalif", {"tau_syn": 5 * DT, "tau_mem": 20 * DT}, 818, 205, "euler"),
        ("cubali", {"tau_syn": DT, "tau_mem": 20 * DT}, 4095, 205, "euler"),
    ],
)
def test_decays(kind: str, params: dict[str, float], du: int, dv: int, scheme: str) -> None:
    chip, report = quantize(layer(kind, rng.normal(size=(3, 4)), **params), QuantizeOptions(scheme=scheme))
    found = chip.populations["n"].params
    assert (found["du"], found["dv"]) == (du, dv)
    assert report.populations[0].errors["decay of v"].relative <= 0.5 / max(dv, 1)


def test_decays_beyond_the_register_are_clipped_and_told() -> None:
    chip, report = quantize(layer("lif", rng.normal(size=(3, 4)), tau=[0.4 * DT, 20 * DT, 20 * DT]))
    assert chip.populations["n"].params["dv"].tolist() == [4096, 205, 205]
    assert report.populations[0].saturated == {"decay of v": 1}
    assert any(note.where == "n" and "decay of v" in note.found for note in report.notes)


@pytest.mark.parametrize(
    ("weight", "mode", "step"),
    [
        (rng.normal(size=(5, 7)), "mixed", 2),
        (rng.random((5, 7)) + 0.01, "excitatory", 1),
        (-rng.random((5, 7)) - 0.01, "inhibitory", 1),
        (np.zeros((5, 7)), "excitatory", 1),
    ],
)
@pytest.mark.parametrize("bits", [8, 5])
def test_weights_fill_their_bits(weight: np.ndarray, mode: str, step: int, bits: int) -> None:
    chip, report = quantize(layer("lif", weight), QuantizeOptions(weight_bits=bits))
    (p,) = chip.projections
    step <<= 8 - bits
    stored = p.synapse.weight
    assert p.sign_mode == mode and p.weight_bits == bits
    if not weight.any():
        assert not stored.size
        return
    assert (stored % step == 0).all()
    low, high = {"mixed": (-256, 256 - step), "excitatory": (0, 256 - step), "inhibitory": (step - 256, 0)}[mode]
    assert low <= stored.min() and stored.max() <= high and (stored.max() == high or stored.min() == low)
    exact = scale_of(chip) * (DT / 0.02) * weight / 2.0**p.weight_exp
    np.testing.assert_array_equal(np.asarray(stored), np.clip(np.rint(exact / step) * step, low, high))
    assert report.projections[0].worst.relative <= 0.5001 * step / 254 * 2


def test_thresholds_use_their_register_and_stay_in_it() -> None:
    for weight, threshold in ((np.full((1, 1), 1e-4), 1.0), (np.full((1, 1), 3.0), 1e-3), (np.full((1, 1), 1.0), 1e5)):
        chip, report = quantize(layer("lif", weight, v_threshold=threshold, r=20.0))
        vth = chip.populations["n"].params["vth"]
        assert 0 <= vth <= 131_071 and not report.populations[0].saturated
        assert abs(vth - threshold * scale_of(chip)) <= 0.5 and not beyond_chip(chip.populations["n"])


def test_biases_have_13_bits_and_an_exponent() -> None:
    for v_leak in (0.3, -40.0, 3e4):
        made = layer("lif", rng.normal(size=(3, 4)), v_leak=v_leak, v_threshold=abs(v_leak) + 1, r=20.0)
        chip, report = quantize(made)
        found = chip.populations["n"].params
        wanted = 64 * scale_of(chip) * (DT / 0.02) * v_leak
        assert -4096 <= found["bias_mant"] <= 4095 and 0 <= found["bias_exp"] <= 7
        assert abs(found["bias_mant"] * 2.0 ** found["bias_exp"] - wanted) <= 2.0 ** found["bias_exp"] / 2
        assert found["bias_exp"] == 0 or abs(wanted) > 4095 * 2.0 ** (found["bias_exp"] - 1)
        assert "bias" not in report.populations[0].saturated


def test_a_reset_value_is_a_shift() -> None:
    """v_reset = -0.5: threshold 1.5 above it, a leak towards +0.5, and a start there."""
    chip, report = quantize(layer("lif", rng.normal(size=(3, 4)), v_reset=-0.5, r=20.0))
    found, unit = chip.populations["n"].params, scale_of(chip)
    assert found["vth"] == round(1.5 * unit) and report.populations[0].shift == (-0.5, -0.5)
    step = 2 ** found["bias_exp"]
    assert found["bias_mant"] * step == pytest.approx(64 * unit * 0.05 * 0.5, abs=0.5 * step)
    assert chip.populations["n"].initial["v"] == pytest.approx(64 * unit * 0.5, abs=1)


def test_one_exponent_a_projection_and_one_scale_a_population() -> None:
    layers = affine("a", rng.normal(size=(3, 4))), affine("b", 0.01 * rng.normal(size=(3, 4)))
    nodes = [neuron("x", "input", 4), neuron("y", "input", 4), *layers, neuron("n", "lif", 3, r=20.0)]
    chip, report = quantize(between(nodes, "x a n output, y b n"))
    large, small = chip.projections
    assert large.weight_exp - small.weight_exp in (6, 7, 8) and large.weight_exp > 0
    assert all(line.bits >= 7 and line.worst.relative < 0.01 for line in report.projections)


@pytest.mark.parametrize("kind", ["lif", "cubalif"])
@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_rates_survive_rounding(kind: str, reset: str) -> None:
    """Even weights of 8 bits shift single spikes (2 to 8 % of bins here), hardly their number."""
    own = np.random.default_rng(3)
    params = {"r": 20.0, "v_threshold": 3.0} | ({"w_in": 5.0} if kind == "cubalif" else {})
    made = row(
        affine("a", own.normal(0.1, 1, (30, 20)), own.normal(size=30) * 0.1), neuron("n", kind, 30, reset, **params),
        affine("b", own.normal(0.1, 1, (10, 30))), neuron("m", kind, 10, reset, v_leak=-0.1, **params),
    )  # fmt: skip
    line, *_, got = compared(made, samples=2, steps=200)
    assert line.float_count > 300 and abs(line.integer_count / line.float_count - 1) < 0.03
    assert line.differing < 0.1 * line.bins and line.rate_error < 0.05
    assert not got.activity.wrapped and not got.activity.saturated


def test_a_bias_behind_a_synaptic_filter_rises_as_in_the_float_network() -> None:
    made = layer("cubali", rng.normal(size=(3, 4)), bias=2.0, tau_syn=10 * DT, r=20.0)
    line, _, _, wanted, _ = compared(made, inputs={"input": np.zeros((1, 40, 4), np.int64)})
    assert line.graded and line.worst < 0.005
    np.testing.assert_allclose(wanted.outputs["output"][0, :2, 0], [0.2, 0.2 * 0.95 + 0.2 * 0.9 + 0.2], rtol=1e-9)


def test_peaks_make_room_for_voltages() -> None:
    """A strongly inhibited integrator drifts far below zero: without peaks it is clipped there, with them it is not."""
    made = row(affine("w", np.full((2, 40), -1.0)), neuron("n", "if", 2, v_threshold=0.1))
    x = spikes(made, samples=1, steps=400, rate=0.5)
    scale = {"n": 131_071 / 5000}
    *_, got = compared(made, QuantizeOptions(scales=scale), samples=1, steps=400, rate=0.5)
    assert got.activity.saturated["n"] > 0
    peaks = run(made, x).peaks
    _, _, report, _, got = compared(made, QuantizeOptions(peaks=peaks), samples=1, steps=400, rate=0.5)
    assert not got.activity.saturated and not got.activity.wrapped
    assert report.populations[0].u_bound is not None and report.populations[0].u_bound < 1


def test_a_current_that_could_wrap_is_told() -> None:
    made = row(affine("w", np.ones((2, 500))), neuron("n", "lif", 2, v_threshold=4.0, r=20.0))
    _, report = quantize(made, QuantizeOptions(scales={"n": 2000.0}))
    assert report.populations[0].u_bound > 1 and any("wraps" in note.done for note in report.notes)
    _, report = quantize(made)
    assert report.populations[0].u_bound < 1 and not report.notes


def test_graded_sources_are_scaled_to_their_payloads() -> None:
    """li -> affine -> lif: payloads of the first are voltages."""
    made = row(affine("a", rng.normal(size=(6, 5))), neuron("v", "li", 6, r=20.0, tau=5 * DT),
               affine("b", rng.normal(0.4, 1, (4, 6))), neuron("n", "lif", 4, r=20.0, v_threshold=6.0))  # fmt: skip
    line, *_, got = compared(made, samples=1, steps=200)
    assert line.float_count > 20 and line.differing <= 0.03 * line.bins and not got.activity.wrapped


def test_states_follow_the_float_network() -> None:
    made = layer("li", rng.normal(0.2, 1, (5, 8)), r=20.0)
    chip, report = quantize(made, QuantizeOptions(peaks=run(made, spikes(made, steps=100)).peaks))
    wanted, got = both(made, chip, report, spikes(made, steps=100), [Probe("n", "v")], ["n"])
    on_chip = got.probes["n.v"][:, 1:] / (64 * scale_of(chip))
    largest = np.abs(wanted.recorded["n"]["v"]).max()
    assert np.abs(on_chip - wanted.recorded["n"]["v"]).max() < 0.02 * largest


def test_the_report_is_plain_json() -> None:
    conv = window("c", "conv2d", (2, 6, 6), rng.normal(size=(3, 2, 3, 3)), 0.1)
    last = affine("w", rng.normal(size=(2, 48))), neuron("m", "lif", 2)
    made = row(conv, neuron("n", "if", conv.shape), flatten("f", conv.shape), *last)
    chip, report = quantize(made)
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert found["latency"] == 2 and [p["name"] for p in found["populations"]] == ["n", "m"]
    assert set(found["projections"][0]) >= {"worst", "zeroed", "clipped", "delay", "late"}
    assert chip.dt is not None and chip.dt.value == DT


LOOP = [affine("w", 0.1 * np.eye(2)), neuron("d", "delay", 2), neuron("n", "lif", 2)]


@pytest.mark.parametrize(
    ("code", "where", "made", "options"),
    [
        ("ND1240", "ghost", layer("lif", np.eye(2)), QuantizeOptions(scales={"ghost": 1.0})),
        ("ND1240", "conversion", layer("lif", np.eye(2)), QuantizeOptions(scheme="rk4")),
        ("ND1240", "conversion", layer("lif", np.eye(2)), QuantizeOptions(weight_bits=9)),
        ("ND1240", "conversion", layer("lif", np.eye(2)), QuantizeOptions(scales={"n": float("nan")})),
        ("ND1242", "n", layer("lif", np.eye(2), v_reset=2.0), None),
        ("ND1241", "", between(LOOP, "input w d ~w n output"), None),  # through a delay alone
        ("ND1246", "output", between([neuron("n", "lif", 2)], "input n, output"), None),
        ("ND1243", "input->n", row(neuron("d", "delay", 2, delay=63 * DT), neuron("n", "lif", 2)), None),
    ],
)
def test_refusals(code: str, where: str, made: FloatNetwork, options: QuantizeOptions | None) -> None:
    error = refused(UserError, code, quantize, made, options)
    assert where in error.subject


def test_ways_without_number_are_refused() -> None:
    layers = [["input"], *([f"s{k}a", f"s{k}b"] for k in range(12)), ["n"], ["output"]]
    ways = ",".join(f"{a} {b}" for first, second in pairwise(layers) for a in first for b in second)
    nodes = [neuron(name, "scale", 1) for pair in layers[1:-2] for name in pair]
    refused(UserError, "ND1244 n: ", quantize, between([*nodes, neuron("n", "lif", 1)], ways))
