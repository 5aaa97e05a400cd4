"""A conversion that was interrupted goes on with its finished islands, and writes the same bytes as one that was not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from neurodeploy.conversion import quantize
from tests import models
from tests.pipeline.breaking import AT_THIRD_ISLAND, ISLANDS, MODEL_PLACES, convert, failing, kept_beside, struck
from tests.tiny import HEEDING, Cli, Patch, unchanged

FINISHED = {place: finished for place, (_, _, finished) in MODEL_PLACES.items() if finished}


def members(bundle: Path) -> dict[str, bytes]:
    return {str(file.relative_to(bundle)): file.read_bytes() for file in sorted(bundle.rglob("*")) if file.is_file()}


@pytest.fixture
def made(monkeypatch: Patch) -> list[str]:
    """Names of the islands that are really made."""
    real, names = quantize._convert_group, []

    def group(run: Any, projections: Any) -> Any:
        found = real(run, projections)
        names.append(found[0].name)
        return found

    monkeypatch.setattr(quantize, "_convert_group", group)
    return names


def interrupt(place: str, arguments: list[str], cli: Cli) -> None:
    target, after, _ = MODEL_PLACES[place]
    with failing(target, KeyboardInterrupt(), after):
        assert cli(*arguments).status == 130


def whole(model: Path, out: Path, cli: Cli) -> dict[str, bytes]:
    """The bundle of a conversion that nothing interrupts."""
    assert cli(*convert(model, out)).status == 0
    return members(out)


@pytest.mark.parametrize("place", FINISHED)
def test_same_bytes(place: str, tmp_path: Path, llama: Path, made: list[str], cli: Cli) -> None:
    wanted = whole(llama, tmp_path / "whole.nd", cli)
    assert len(made) == ISLANDS
    out = tmp_path / "new" / "x.nd"
    interrupt(place, convert(llama, out), cli)
    made.clear()
    assert cli.json(*convert(llama, out))["resumed"] == FINISHED[place]
    assert len(made) == ISLANDS - FINISHED[place]
    assert members(out) == wanted
    assert [path.name for path in out.parent.iterdir()] == ["x.nd"]


def test_experts_that_borrow_tokens(tmp_path: Path, experts: Path, cli: Cli) -> None:
    wanted, out = whole(experts, tmp_path / "whole.nd", cli), tmp_path / "x.nd"
    interrupt("golden vectors", convert(experts, out), cli)
    found = cli(*convert(experts, out))
    assert found.status == 0 and "finished by an earlier run that was broken off" in found.out
    assert members(out) == wanted


def test_interrupted_again_and_again(tmp_path: Path, llama: Path, made: list[str], cli: Cli) -> None:
    """The second interrupt comes before anything new is finished: what the first has left stays all the same."""
    wanted, out = whole(llama, tmp_path / "whole.nd", cli), tmp_path / "x.nd"
    interrupt("fifth island", convert(llama, out), cli)
    first = kept_beside(out)
    interrupt("first island", convert(llama, out), cli)
    assert len(first) == len(kept_beside(out)) == 1 and first != kept_beside(out)
    made.clear()
    assert cli(*convert(llama, out)).status == 0
    assert len(made) == ISLANDS - 4 and members(out) == wanted
    assert kept_beside(out) == []


def _other_weights(model: Path) -> None:
    with models.tensors(model) as tensors:
        tensors["lm_head.weight"] *= 0.5


def _other_settings(model: Path) -> None:
    settings = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(settings | {"rms_norm_eps": 0.1}))


#: what differs the second time: a change of the model, or further options
OTHERS: dict[str, Any] = {
    "weights": _other_weights,
    "settings": _other_settings,
    "fewer bits": ["--weight-bits", "4"],
    "rounding": ["--rounding", "gptq"],
    "tokens": ["--calibration-tokens", "65"],
}


@pytest.mark.parametrize("what", OTHERS)
def test_nothing_of_another_conversion_is_mixed_in(
    what: str, tmp_path: Path, llama: Path, made: list[str], cli: Cli
) -> None:
    model, out, options = tmp_path / "llama", tmp_path / "x.nd", OTHERS[what]
    shutil.copytree(llama, model)
    interrupt("golden vectors", convert(model, out), cli)
    if callable(options):
        options(model)
        options = []
    made.clear()
    assert cli.json(*convert(model, out), *options)["resumed"] == 0
    assert len(made) == ISLANDS
    assert kept_beside(out) == []  # and it does not pile up
    assert cli(*convert(model, tmp_path / "again.nd"), *options).status == 0
    assert members(out) == members(tmp_path / "again.nd")


def test_a_mistyped_call_does_not_cost_what_is_kept(tmp_path: Path, llama: Path, cli: Cli) -> None:
    arguments = convert(llama, tmp_path / "x.nd")
    interrupt("fifth island", arguments, cli)
    with unchanged(tmp_path):
        assert cli(*arguments, "--calibration-tokens", "15").status == 2
        interrupt("first island", [*arguments, "--weight-bits", "4"], cli)


@pytest.mark.parametrize("damage", ["cut", "gone", "flipped", "facts"])
def test_a_damaged_island_is_made_again(damage: str, tmp_path: Path, llama: Path, made: list[str], cli: Cli) -> None:
    wanted, out = whole(llama, tmp_path / "whole.nd", cli), tmp_path / "x.nd"
    interrupt("golden vectors", convert(llama, out), cli)
    (kept,) = kept_beside(out)
    file = min((kept / "islands").glob("*.nir"))
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "facts":
        min((kept / "progress").glob("*.json")).write_text("{}")
    else:
        file.write_bytes(content[:-1] + (b"" if damage == "cut" else bytes([content[-1] ^ 1])))
    made.clear()
    found = cli(*convert(llama, out), "-v")
    assert found.status == 0 and "was damaged and was computed again" in found.out
    assert len(made) == 1 and members(out) == wanted


def test_a_killed_process_keeps_its_islands_too(tmp_path: Path, llama: Path, cli: Cli) -> None:
    """Nobody could tell the user, and nothing was cleared away: the next call finds them all the same."""
    out = tmp_path / "x.nd"
    assert struck(9, AT_THIRD_ISLAND, convert(llama, out)).returncode == -9
    assert len(kept_beside(out)) == 1 and not out.exists()
    assert cli.json(*convert(llama, out))["resumed"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x.nd"]


#: The cleaning up is hit again: by a loop that never ends.
HIT_AGAIN = """
import os
from neurodeploy.bundle import writer
def hang(*arguments):
    os.kill(os.getpid(), int(sys.argv[1]))
    while True:
        pass
writer.BundleWriter._keep = hang
"""


@pytest.mark.parametrize("number", [2, 15])
def test_a_second_request_ends_at_once(number: int, tmp_path: Path, llama: Path) -> None:
    """Cleaning up may hang, on a disk that does not answer."""
    out = tmp_path / "x.nd"
    done = struck(number, AT_THIRD_ISLAND, convert(llama, out), HEEDING + HIT_AGAIN)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [kept_beside(out)[0].name]  # for the next call


def test_what_is_to_be_ignored_stays_ignored(tmp_path: Path, llama: Path) -> None:
    """nohup: the terminal is closed and the work goes on."""
    ignoring = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    done = struck(1, AT_THIRD_ISLAND, convert(llama, tmp_path / "x.nd"), ignoring)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.nd"]
