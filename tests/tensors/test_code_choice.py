"""What `convert --code` reads, tries and takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import neurodeploy as nd
from neurodeploy.bundle.conversion_json import conversion_of
from neurodeploy.conversion.tensors.coding import Coding
from neurodeploy.errors import BundleError, UserError
from neurodeploy.pipeline.tensor_codes import AskedCode, Trials, asked_for
from tests.tensors.test_codes import made, network, run, stream


def shuffled(count: int = 10) -> NDArray[np.float32]:
    """Images that have nothing to do with each other."""
    return np.random.default_rng(8).random((count, 1, 12, 12)).astype(np.float32)


def trials(x: NDArray[np.float32], bound: float) -> Trials:
    module = network(6)
    with torch.no_grad():
        wanted = [module(torch.from_numpy(x)).numpy()]

    def ran(one: Any) -> tuple[Any, Any]:
        found, result = run(one[0], x)
        return [found], result.activity

    return Trials(lambda coding: (made(module, x, coding), {}), ran, wanted, bound)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, AskedCode(Coding(), False)),
        ("sigma-delta", AskedCode(Coding("sigma_delta"), False)),
        ("rate", AskedCode(Coding("rate"), True)),
        ("rate:64", AskedCode(Coding("rate", 64), False)),
        ("auto", AskedCode(Coding("auto"), False)),
        ("sigma_delta, fc=graded", AskedCode(Coding("sigma_delta", sites={"fc": "graded"}), False)),
        ({"fc": "sigma_delta"}, AskedCode(Coding(sites={"fc": "sigma_delta"}), False)),
    ],
)
def test_what_is_read(given: Any, wanted: AskedCode) -> None:
    assert asked_for(given) == wanted


@pytest.mark.parametrize(
    "given", ["bursts", "rate:0", "rate:many", "rate:99999", "graded:3", "fc=rate", "auto,fc=graded", "", 7]
)
def test_what_is_no_code(given: Any) -> None:
    with pytest.raises(UserError) as told:
        asked_for(given)
    assert told.value.code == "ND1316"


def test_thresholds_spend_the_loss_and_no_more() -> None:
    x = stream(6)
    found = {bound: trials(x, bound).with_thresholds(Coding("sigma_delta")) for bound in (0.02, 0.1)}
    exact = trials(x, 1e-9).with_thresholds(Coding("sigma_delta"))
    assert not any(exact.coding.thresholds.values())
    assert all(trial.loss <= bound for bound, trial in found.items())
    assert found[0.1].events < found[0.02].events <= exact.events
    sent: Any = found[0.1].made[0].conversion["code"]
    assert {row["population"]: row["vth"] for row in sent["sent"]} == found[0.1].coding.thresholds


def test_the_cheapest_that_keeps_the_loss_is_taken() -> None:
    """By events, which need no mapping: changes save most where frames resemble each other."""
    for x, alike in ((stream(6), True), (shuffled(), False)):
        own = trials(x, 0.05)
        chosen, tried = own.chosen(AskedCode(Coding("auto"), False), lambda trial: float(trial.events))
        assert (chosen.events < 0.7 * tried[0].events) is alike
        kept = [trial for trial in tried if trial.loss <= 0.05]
        assert chosen.events == min(trial.events for trial in kept)
        assert {"graded", "sigma_delta", "rate"} <= {trial.coding.kind for trial in tried}


def test_steps_grow_until_the_loss_is_kept() -> None:
    own = trials(stream(6), 0.15)
    found = own.rate(Coding("rate"), steps_open=True)
    assert found.loss <= 0.15
    assert found.coding.steps == 8 or own.of(Coding("rate", found.coding.steps // 2)).loss > 0.15


def test_a_bundle_in_each_code_runs_is_priced_and_says_what_it_is(tmp_path: Path) -> None:
    x = stream(6)
    np.save(tmp_path / "x.npy", x)
    for code in ("sigma_delta", "rate:16", "auto"):
        answer = nd.convert(network(6), tmp_path / "n.nd", example_inputs=x, payload_bits=8, code=code, loss=0.05)
        chosen = answer["codes"]["chosen"]
        assert code == "auto" or chosen["code"] == code.partition(":")[0]
        assert answer["codes"]["tried"][0]["code"] == "graded" and answer["codes"]["bound"] == 0.05
        assert (answer["codes"]["tried"][0]["joules"] or 0) > 0 or code != "auto"
        bundle = nd.open(tmp_path / "n.nd")
        bundle.map("oheo-gulch")
        ran = bundle.run(input=tmp_path / "x.npy")
        shapes = {"sigma_delta": (1, 10), "rate": (10, 16), "graded": (10, 1)}
        assert (ran["samples"], ran["steps"]) == ((1, 10) if chosen["sites"] else shapes[chosen["code"]])
        synops = sum(row["synops"] for row in ran["projections"].values())
        assert synops == chosen["synaptic_events"]
        assert bundle.energy(input=tmp_path / "x.npy")["sample"]["joules_per_token"]["board"]["nominal"] > 0
        assert bundle.verify()["violations"] == []


@pytest.mark.parametrize(("options", "place"), [({"code": "nosuch=sigma_delta"}, "nosuch"), ({"loss": 2.0}, "--loss")])
def test_what_does_not_go_with_the_network(tmp_path: Path, options: dict[str, Any], place: str) -> None:
    with pytest.raises(UserError, match=place) as told:
        nd.convert(network(6), tmp_path / "n.nd", example_inputs=stream(6), **options)
    assert told.value.code == "ND1316"
    assert not (tmp_path / "n.nd").exists()


@pytest.mark.parametrize(
    "code",
    [
        {"kind": "bursts", "steps": 1, "sites": {}}, {"kind": "rate", "steps": 0, "sites": {}},
        {"kind": "rate", "steps": "many", "sites": {}}, {"kind": "graded", "steps": 1, "sites": {"fc": 7}},
        {"kind": "graded", "steps": 1}, 7,
    ],
)  # fmt: skip
def test_a_code_in_a_bundle_is_checked(code: Any) -> None:
    program = made(network(6), stream(6), Coding("rate", 16))
    right = {**program.conversion, "warnings": []}
    assert conversion_of(right, program, Path("n.nd"))["code"]["steps"] == 16
    with pytest.raises(BundleError) as told:
        conversion_of({**right, "code": code}, program, Path("n.nd"))
    assert told.value.code == "ND5006"
