"""Parameters that rounding loses entirely; the published bridge to Lava; two runs beside each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.conversion.spiking.compare import compare_spikes
from neurodeploy.conversion.spiking.compat import quantize_as_published
from neurodeploy.conversion.spiking.options import QuantizeOptions
from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.conversion.spiking.report import OutputReport, QuantizationReport
from neurodeploy.errors import UserError
from neurodeploy.frontends.nir.writer import write
from neurodeploy.ir.float_network import FloatNetwork, Loss
from neurodeploy.ir.run import Probe, RunActivity, RunResult, RunState
from simulators.reference import ReferenceRunner
from tests.conversion.nets import DT, affine, between, both, layer, neuron, row, spikes, window
from tests.refusals import refused
from tests.tiny import Cli

rng = np.random.default_rng(5)


def losses(report: QuantizationReport) -> list[str]:
    return [f"{note.where}: {note.found}" for note in report.notes if isinstance(note, Loss)]


def random(**params: Any) -> FloatNetwork:
    return layer("lif", rng.normal(size=(3, 4)), **{"r": 20.0, **params})


def test_what_loses_nothing() -> None:
    made = layer("lif", rng.normal(size=(8, 6)), v_leak=0.1, r=20.0)
    report = quantize(made)[1]
    assert losses(report) == [] and report.projections[0].worst.by_row < 0.05
    assert losses(quantize(layer("lif", np.zeros((3, 4))))[1]) == []
    # A bias that would lift the voltage by 1e-6 of the threshold decides nothing.
    report = quantize(random(v_leak=[0.4, 1e-6, 0.4]))[1]
    assert losses(report) == [] and report.populations[0].errors["bias"].by_row == 1.0
    # Without a leak all voltages are whole weights: v > 1e-9 is v > 0, exactly.
    chip, report = quantize(layer("if", [[1.0, 2.0]], v_threshold=1e-9))
    assert losses(report) == [] and chip.populations["n"].params["vth"] == 0


@pytest.mark.parametrize(("row", "what"), [([1e-6, -1e-6, 0], "all"), ([1e-2, 6e-3, 7e-3], "more than half")])
def test_a_row_that_is_lost_is_named_and_is_an_error_of_all_of_it(row: list[float], what: str) -> None:
    """Beside 2.0 in mixed signs a step of the weights is 2 / 127: half of it is 7.9e-3."""
    report = quantize(layer("lif", [[2.0, -1.0, 0.5], row, [1.0, 1.0, -2.0]], r=20.0))[1]
    (line,) = losses(report)
    assert f"{what} of the weights of 1 of 3 rows (1)" in line and line.startswith("input->n:")
    worst = report.projections[0].worst
    assert worst.by_row > 0.5 and (what != "all" or worst.by_row == 1.0)
    assert worst.relative < 0.01  # of the largest weight of all


WEIGHTS = "all of the weights of"
OUTLIER, FAINT_CHANNEL = rng.normal(size=(4, 3)), rng.normal(size=(3, 1, 2, 2))
OUTLIER[0, 0], FAINT_CHANNEL[2] = 3e38, 1e-7


@pytest.mark.parametrize(
    ("made", "lines", "parts"),
    [
        (layer("lif", OUTLIER), 2, [f"{WEIGHTS} 3 of 4 rows (1, 2, 3)", "the threshold of 4 of 4 neurons"]),
        (random(tau=[0.02, 20.0, 0.02]), 2, ["the decay of v of 1 of 3 neurons (1)"]),  # 5e-5; half of 1/4096 is 1.2e-4
        (random(v_threshold=[1.0, 1e-9, 1.0]), 1, ["the threshold of 1 of 3 neurons (1)"]),
        (random(v_leak=[0, 1e-5, 0], v_threshold=[1, 2e-5, 1]), 2, ["the bias of 1 of 3 neurons (1)"]),
        (row(neuron("d", "delay", 2, delay=[0.3 * DT, 2 * DT]), neuron("n", "lif", 2, r=20.0)), 1,
         ["the delay of 1 of 2 values (0)"]),
        (row(window("c", "conv2d", (1, 4, 4), FAINT_CHANNEL, bias=0.5), neuron("n", "lif", (3, 3, 3), r=20.0)), 1,
         [f"{WEIGHTS} 1 of 3 rows (2)"]),
    ],
)  # fmt: skip
def test_what_is_lost_is_named(made: FloatNetwork, lines: int, parts: list[str]) -> None:
    found = losses(quantize(made)[1])
    assert len(found) == lines and all(any(part in line for line in found) for part in parts), found


def test_few_bits_lose_more() -> None:
    made = layer("lif", [[1.0, -1.0], [0.1, -0.1]], r=20.0)
    assert losses(quantize(made)[1]) == []
    assert any("1 of 2 rows (1)" in line for line in losses(quantize(made, QuantizeOptions(weight_bits=2))[1]))


@pytest.mark.parametrize("params", [{"v_leak": 1e38, "v_threshold": 2e38}, {"tau": 1e30}])
def test_a_layer_that_keeps_no_weight_is_refused(params: dict[str, Any]) -> None:
    assert refused(UserError, "ND1274", quantize, random(r=1.0, **params)).subject == "n"


def test_what_is_lost_stands_right_after_the_answer(tmp_path: Path, cli: Cli) -> None:
    """Where a time step leaves nothing, it is a refusal."""
    write(layer("lif", [[1.0, -1, 1], [1e-9, 1e-9, 1e-9]], r=20.0), tmp_path / "x.nir")
    arguments = ["convert", str(tmp_path / "x.nir"), "--out", str(tmp_path / "x.nd"), "--dt"]
    shown = cli(*arguments, DT, "-v")
    second = shown.out.splitlines()[1]
    assert shown.status == 0 and second.startswith("lost: input->n: loses all of the weights of 1 of 2 rows (1)")
    assert "100 %" in shown.out.replace("\u202f", " ").replace("\u00a0", " ")
    np.save(tmp_path / "x.npy", np.ones((5, 3), bool))
    assert "lost: input->n" in cli("eval", tmp_path / "x.nd", "--input", tmp_path / "x.npy").out
    write(layer("lif", rng.normal(size=(2, 3)), r=20.0), tmp_path / "x.nir")
    found = cli(*arguments, "1e-320", "--gain", "physical")
    assert found.status == 2 and found.err.startswith("error ND1274 n: ")


def test_the_published_bridge_tells_what_it_cuts_off() -> None:
    """``int(dt / tau * 256)`` is 0 from a tau of 256 steps on, and no input gets through it."""
    found = losses(quantize_as_published(layer("lif", [[1.0]], 0.0, tau=300 * DT))[1])
    assert any("loses every weight" in line for line in found)
    weak = layer("cubalif", [[1.0, 2.0], [1e-7, 1e-7]], tau_mem=10_000 * DT, r=10_000.0)
    found = losses(quantize_as_published(weak)[1])
    assert any("n: loses its decay of v" in line for line in found)
    assert any("all of the weights of 1 of 2 rows (1)" in line for line in found)


STEP = 1e-4
#: The first network of the NIR paper: tau / dt = 25, R = tau / dt, one neuron.
PAPER = {"tau": 0.0025, "r": 25.0, "v_threshold": 0.1}


def paper(weight: float = 1.0, threshold: float = 0.1, size: int = 1) -> FloatNetwork:
    first = affine("w", np.full((size, 1), weight), 0.0)
    return row(first, neuron("lif", "lif", size, **{**PAPER, "v_threshold": threshold}), dt=STEP)


def bridge_in_lava(x: np.ndarray, weight: float, threshold: float) -> np.ndarray:
    """What `nir_to_lava.py` builds, step by step: Dense(int(256 W)) -> Dense(int(256 dt / tau)) -> LIF in fixed point."""
    first, second = min(max(int(weight * 256), -255), 255), int(STEP / 0.0025 * 256)
    dv, vth = int(STEP / 0.0025 * 4095), int(threshold * 131_071) >> 9
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
    params = {"tau_syn": 5 * STEP, "w_in": 5.0, "tau_mem": 20 * STEP, "r": 20.0, **changes}
    rng = np.random.default_rng(1)
    first = affine("w", rng.normal(0.3, 0.5, (6, 4)), 0.05)
    rec = affine("rec", 0.1 * rng.normal(size=(6, 6)), 0.0)
    return between([first, rec, neuron("n", "cubalif", 6, **params)], "input w n output, n rec ~n", STEP)


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


def pair(wanted, got, order=(0, 1), **output):
    payload = np.array([got], np.int32)
    chip = RunResult({"n": payload}, {}, RunActivity.zero(), RunState(len(got), {}, {}))
    report = OutputReport("out", "n", 1, np.array(order), **output)
    return {"out": np.array([wanted], float)}, chip, {"out": report}


FOUR, GRADED = [[0, 1], [1, 0], [0, 0], [1, 1]], {"unit": 0.25, "graded": True}
COMPARED = {
    "aligned by the latency": (pair(FOUR, [[0, 0], *FOUR]), {
        "differing": 0, "bins": 8, "steps": 4, "early": 0, "first": None, "float_count": 4, "integer_count": 4,
        "rate_error": 0,
    }),
    "differences are located": (pair(FOUR, [[1, 0], [0, 1], [1, 0], [1, 0], [1, 0]]), {
        "differing": 2, "early": 1, "first": (0, 3, 0), "rate_error": 0.25, "worst": 1.0,
    }),
    "the order of neurons": (pair([[1, 0], [0, 1]], [[0, 0], [0, 1], [1, 0]], (1, 0)), {"differing": 0}),
    "named in the order of the float network": (
        pair([[1, 0], [0, 1]], [[0, 0], [1, 1], [1, 0]], (1, 0)), {"first": (0, 1, 1)},
    ),
    "a short run": (pair([[1, 2], [3, 4]], [[0, 0], [4, 8]], **GRADED), {"steps": 1, "differing": 0, "graded": True}),
    "graded payloads": (
        pair([[1, 2], [3, 4]], [[0, 0], [4, 8], [12, 14]], **GRADED), {"differing": 1, "worst": pytest.approx(0.125)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMPARED)
def test_two_runs_beside_each_other(name: str) -> None:
    runs, expected = COMPARED[name]
    (line,) = compare_spikes(*runs)
    assert {key: getattr(line, key) for key in expected} == expected
    json.dumps(line.to_json("float"))


def test_runs_of_different_networks() -> None:
    real, chip, outputs = pair([[0, 1]], [[0, 0], [0, 1]])
    chip.outputs = {"n": np.zeros((2, 2, 2), np.int32)}
    refused(UserError, "ND1240 out: ", compare_spikes, real, chip, outputs)
