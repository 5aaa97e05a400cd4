"""On the processes of a real Lava: random programs, samples, states that continue, and how what goes wrong ends."""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import Probe, RunResult
from neurodeploy.synapses import Conv, Dense, Direct
from simulators.lava import LavaResult, LavaRunner, Program, find_lava
from simulators.reference import ReferenceRunner
from tests.hybrid.random_programs import NoWeights, random_program
from tests.networks.equality import differences, in_two, same_result
from tests.networks.random_networks import all_probes, lava_models, random_network
from tests.refusals import refused

#: Seeds of `random_network(seed, lava=True)`. The first of them are run whenever Lava is there.
SEEDS = range(240)
QUICK = range(12)
#: Of those seeds, at least so many have nothing but Lava's own processes.
ALL_LAVA = 200
#: Seeds of `random_network(seed)`: models, weights and convolutions that Lava does not have, too.
OWN_SEEDS = range(60)
OWN_QUICK = (1, 2, 6, 21, 24)

pytestmark = pytest.mark.skipif(
    find_lava() is None, reason="no Lava: `make lava` installs it, NEURODEPLOY_LAVA_PYTHON names another interpreter"
)


def program(seed: int, lava: bool = True) -> Program:
    """The random program of a seed, with everything probed."""
    network, inputs, steps = random_network(seed, lava=lava)
    return Program(network, inputs, steps, None, tuple(all_probes(network)))


def compare_all(programs: Sequence[Program], timeout: float = 600.0) -> list[LavaResult]:
    """Run all on Lava, side by side, and each on the reference; fails with the names of what differs."""
    results = LavaRunner(timeout=timeout).run_many(programs)
    wrong = {}
    for one, found in zip(programs, results, strict=True):
        expected = ReferenceRunner().run(one.network, one.inputs, one.steps, state=one.state, probes=one.probes)
        different = differences(found, expected)
        if different and not found.doubts:
            wrong[one.network.name] = different
    assert wrong == {}
    return results


def _placements(results: list[LavaResult]) -> Counter[str]:
    return Counter(text for result in results for text in result.placement.values())


def _all_lava(results: list[LavaResult]) -> int:
    """How many have nothing but Lava's own processes."""
    return sum(all(text.startswith("lava") for text in result.placement.values()) for result in results)


def test_some_programs() -> None:
    results = compare_all([program(seed) for seed in QUICK])
    models = _placements(results)
    assert _all_lava(results) >= 9
    for name in ("PyLifModelBitAcc", "PySigmaDeltaModelFixed", "PyDenseModelBitAcc", "PyDelayDenseModelBitAcc"):
        assert models[f"lava: {name}"], f"no program of the subset uses {name}"


def test_some_programs_with_our_own_processes() -> None:
    results = compare_all([program(seed, lava=False) for seed in OWN_QUICK])
    assert any(text.startswith("ours") for text in _placements(results))


@pytest.mark.lava
def test_all_programs() -> None:
    results = compare_all([program(seed) for seed in SEEDS], timeout=3000.0)
    assert not any(result.doubts for result in results)
    assert _all_lava(results) >= ALL_LAVA
    used = {text.removeprefix("lava: ") for text in _placements(results)}
    wanted = {
        "PyDenseModelBitAcc", "PyDelayDenseModelBitAcc", "PySparseModelBitAcc", "PyDelaySparseModelBitAcc",
        "PyConvModelFixed", "PySendModelFixed",
    }  # fmt: skip
    assert wanted <= used
    names = {population.model for seed in SEEDS for population in program(seed).network.populations.values()}
    assert set(lava_models()) <= names, "the seeds do not cover every model that Lava has"


@pytest.mark.lava
def test_all_programs_with_our_own_processes() -> None:
    results = compare_all([program(seed, lava=False) for seed in OWN_SEEDS], timeout=3000.0)
    # Programs with sums so large that Lava itself has no defined result are not compared: they must stay few.
    assert sum(bool(result.doubts) for result in results) <= len(OWN_SEEDS) // 8


def small(model: str = "lif", **params: int) -> Network:
    """Three inputs, a recurrent population with delays, fed by mixed 8-bit weights."""
    given = params or {"du": 400, "dv": 300, "vth": 30, "bias_mant": 3, "bias_exp": 2}
    rng = np.random.default_rng(1)
    forward = (rng.integers(-100, 100, (4, 3)) * 2).astype(np.int16)
    back = (rng.integers(-40, 40, (4, 4)) * 2).astype(np.int16)
    delay = rng.integers(0, 5, (4, 4)).astype(np.uint8)
    return Network(
        "small",
        {"in": Population("in", (3,), INPUT), "hidden": Population("hidden", (4,), model, given)},
        (
            Projection("forward", "in", "hidden", Dense(forward)),
            Projection("back", "hidden", "hidden", Dense(back), delay=delay),
        ),
        ("hidden",),
    )


def spikes(samples: int, steps: int, size: int = 3) -> dict[str, np.ndarray]:
    return {"in": (np.random.default_rng(2).random((samples, steps, size)) < 0.4).astype(np.int64)}


def test_samples_and_a_state_that_continues() -> None:
    network, inputs, probes = small(), spikes(2, 20), [Probe("hidden", "v", (3, 0))]
    whole = ReferenceRunner().run(network, inputs, 20, probes=probes)
    assert whole.outputs["hidden"].any() and whole.state.step == 20
    same_result(in_two(LavaRunner(), network, inputs, 20, 7, probes), whole)


def test_the_phase_of_a_model_continues() -> None:
    """A reset has its phase, an adapted threshold its value, and our own processes their time, in the second stretch too."""
    decays = {"du": 400, "dv": 300}
    adapting = {"delta_i": 1000, "delta_v": 700, "delta_theta": 500, "delta_r": 90, "theta_0": 10, "theta_step": 7}
    spiker = Population("hidden", (2,), "spiker", {"rate": 3, "payload": 5})
    networks = [
        small("lif_reset", **decays, vth=30, reset_interval=5, reset_offset=3),
        small("atrlif", **adapting),
        small("li", **decays),
        Network("regular", {"hidden": spiker}, (), ("hidden",)),
    ]
    rest = []
    for network in networks:
        inputs = spikes(1, 17) if network.inputs else {}
        begun = ReferenceRunner().run(network, {name: array[:, :8] for name, array in inputs.items()}, 8)
        rest.append(Program(network, {name: array[:, 8:] for name, array in inputs.items()}, 9, begun.state))
    results = compare_all(rest)
    assert all(result.outputs["hidden"].any() for result in results)
    assert [result.placement["hidden"] for result in results] == [
        "lava: PyLifResetModelBitAcc",
        "ours: Lava's ATRLIF sets every threshold back to theta_0 in its first step",
        "ours: Lava has no fixed-point model of it",
        "lava: SpikerModel",
    ]


def test_without_counts_the_rest_is_the_same() -> None:
    network, probes = small(), [Probe("hidden", "v"), Probe("hidden", "a", (1,))]
    found = LavaRunner(counts=False).run(network, spikes(1, 9), 9, probes=probes)
    expected = ReferenceRunner().run(network, spikes(1, 9), 9, probes=probes)
    assert not any(ports["s"].any() for ports in found.activity.fired.values())
    assert expected.activity.fired["hidden"]["s"].any()
    found.activity = expected.activity
    same_result(found, expected)


def test_no_steps() -> None:
    network = small()
    same_result(LavaRunner().run(network, spikes(2, 0), 0), ReferenceRunner().run(network, spikes(2, 0), 0))


def test_it_says_what_ran_where() -> None:
    network = small()
    li = Population("read", (4,), "li", {"du": 4095, "dv": 100})
    projections = (
        *network.projections,
        Projection("to_read", "hidden", "read", Direct(4)),
        Projection("again", "hidden", "read", Direct(4)),
        Projection("odd", "in", "read", Dense(np.full((4, 3), 3, np.int8)), weight_bits=9),
    )
    network = Network("placed", {**network.populations, "read": li}, projections, ("hidden", "read"))
    # Programs of other lengths and samples in the same call.
    found, *_ = compare_all([Program(network, spikes(1, 6), 6), Program(small(), spikes(3, 4), 4)])
    assert found.placement == {
        "in": "lava: PySendModelFixed",
        "hidden": "lava: PyLifModelBitAcc",
        "read": "ours: Lava has no fixed-point model of it",
        "forward": "lava: PyDenseModelBitAcc",
        "back": "lava: PyDelayDenseModelBitAcc",
        "to_read": "lava: port to port",
        "again": "ours: Lava joins two ports only once",
        "odd": "ours: Lava stores weights in 8 bits, these have 9",
    }
    assert found.seconds["steps"] > 0


def test_a_format_that_lava_would_change() -> None:
    network = small()
    odd = Projection("odd", "in", "hidden", Dense(np.array([[2, 4, 7]] * 4, np.int8)), sign_mode="mixed")
    network = Network("odd", network.populations, (odd,), ("hidden",))
    says = "ND4104 projection odd: 4 weights .* Lava makes 6 of 7"
    refused(UserError, says, LavaRunner().run, network, spikes(1, 2), 2)


@pytest.mark.parametrize("seed", range(4))
def test_what_lava_has_not_is_refused(seed: int) -> None:
    network, inputs, steps = random_network(seed, instant=True)
    refused(UserError, "ND4105 projection", LavaRunner().run, network, inputs, steps)


def test_a_convolution_of_an_image_with_a_side_beyond_127() -> None:
    """Lava's geometry is int8, to which numpy 2 adds no larger side."""
    kernel = Conv(np.array([2, -4, 6], np.int8).reshape(1, 3, 1, 1), (200, 2, 1), stride=(2, 1), padding=(1, 0))
    image = Population("image", (200, 2, 1), INPUT)
    seen = Population("seen", kernel.output_shape, "lif", {"du": 4095, "dv": 300, "vth": 3})
    network = Network("wide", {"image": image, "seen": seen}, (Projection("look", "image", "seen", kernel),), ("seen",))
    spikes = (np.random.default_rng(6).random((1, 6, 400)) < 0.4).astype(np.int64)
    found = LavaRunner().run(network, {"image": spikes}, 6)
    expected = ReferenceRunner().run(network, {"image": spikes}, 6)
    same_result(found, expected)
    assert expected.outputs["seen"].any()


def test_sums_beyond_the_bits_of_lavas_convolution_are_a_doubt() -> None:
    kernel = Conv(np.full((1, 1, 1, 1), 2000, np.int16), (1, 1, 1))
    network = Network(
        "wide",
        {"in": Population("in", (1, 1, 1), INPUT), "sum": Population("sum", (1,), "graded_vec", {"vth": 0})},
        (Projection("conv", "in", "sum", kernel, graded=True),),
        ("sum",),
    )
    inputs = {"in": np.array([[[2**31 - 1], [3], [0]]])}
    found = LavaRunner().run(network, inputs, 3)
    assert found.outputs["sum"][0, 2, 0] == 6000
    assert found.doubts == ("conv: 1 sums left 32 bits, and Lava casts them from float64 to int32, which is undefined",)


def _left_over(folder: Path) -> list[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "-m worker" in line and str(folder) in line]


def test_a_time_out_ends_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own: other tests run Lava at the same time."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    network = small()
    error = refused(TargetUnavailable, "ND4102", LavaRunner(timeout=4.0).run, network, spikes(1, 200_000), 200_000)
    assert "4 s" in error.problem
    assert _left_over(tmp_path) == []


def test_an_exception_in_lava_names_the_population() -> None:
    """Lava's inverse square root cannot take a negative sum; the process dies and the others would wait for ever."""
    weights = Dense(np.array([[-4]], np.int8))
    network = Network(
        "roots",
        {"in": Population("in", (1,), INPUT), "root": Population("root", (1,), "inv_sqrt")},
        (Projection("p", "in", "root", weights, sign_mode="inhibitory"),),
        ("root",),
    )
    says = r"ND4103 .*roots\[0\]/root: raised ValueError"
    refused(TargetUnavailable, says, LavaRunner().run, network, {"in": np.ones((1, 4, 1), np.int64)}, 4)


class Listening:
    """The reference, and what it was asked to run."""

    name = "reference"

    def __init__(self) -> None:
        self.asked: list[Program] = []

    def run(
        self, network: Network, inputs: Any, steps: int, *, state: Any = None, probes: Any = (), raster: bool = True
    ) -> RunResult:
        self.asked.append(Program(network, inputs, steps, state, tuple(all_probes(network))))
        return ReferenceRunner().run(network, inputs, steps, state=state, probes=probes)


def segments(seed: int) -> list[Program]:
    """What the chip runs of a random program with host operations, from the inputs that the reference leads to."""
    case, runner = random_program(seed, lava=True), Listening()
    Hybrid(case.program, NoWeights(), runner).run(case.program.network, case.inputs, case.steps)
    return [asked for asked in runner.asked if asked.network.neurons]


def test_some_programs_with_host_operations() -> None:
    compare_all([asked for seed in range(4) for asked in segments(seed)])


@pytest.mark.lava
def test_all_programs_with_host_operations() -> None:
    programs = [segments(seed) for seed in range(220)]
    results = iter(compare_all([asked for program in programs for asked in program], timeout=6000.0))
    own = [all(not next(results).doubts for _ in program) for program in programs]
    assert sum(own) >= 200
