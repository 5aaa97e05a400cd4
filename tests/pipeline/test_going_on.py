"""A conversion that was interrupted goes on with its finished islands, and writes the same bytes as one that was not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neurodeploy.conversion import quantize
from tests.pipeline.test_broken_off import (
    FINISHED,
    HIT_AT_THIRD_ISLAND,
    ISLANDS,
    PLACES,
    convert,
    failing,
    kept_beside,
)
from tests.tiny import HEEDING, Capture, Patch, call, environment, snapshot


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


def interrupt(place: str, arguments: list[str], monkeypatch: Patch, capsys: Any) -> None:
    with monkeypatch.context() as patch:
        failing(*PLACES[place], KeyboardInterrupt(), patch)
        assert call(arguments, capsys).status == 130


def whole(model: Path, out: Path, capsys: Any) -> dict[str, bytes]:
    """The bundle of a conversion that nothing interrupts."""
    assert call(convert(model, out), capsys).status == 0
    return members(out)


@pytest.mark.parametrize("place", FINISHED)
def test_same_bytes(
    place: str, tmp_path: Path, llama: Path, made: list[str],
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    wanted = whole(llama, tmp_path / "whole.nd", capsys)
    assert len(made) == ISLANDS
    out = tmp_path / "new" / "x.nd"
    interrupt(place, convert(llama, out), monkeypatch, capsys)
    made.clear()
    found = call([*convert(llama, out), "--json"], capsys)
    assert (found.status, json.loads(found.out)["resumed"]) == (0, FINISHED[place])
    assert len(made) == ISLANDS - FINISHED[place]
    assert members(out) == wanted
    assert [path.name for path in out.parent.iterdir()] == ["x.nd"]


def test_experts_that_borrow_tokens(tmp_path: Path, experts: Path, monkeypatch: Patch, capsys: Capture) -> None:
    wanted = whole(experts, tmp_path / "whole.nd", capsys)
    out = tmp_path / "x.nd"
    interrupt("golden vectors", convert(experts, out), monkeypatch, capsys)
    found = call(convert(experts, out), capsys)
    assert found.status == 0 and "were finished by an earlier run that was broken off" in found.out
    assert members(out) == wanted


def test_interrupted_again_and_again(
    tmp_path: Path, llama: Path, made: list[str], monkeypatch: Patch, capsys: Capture
) -> None:
    """The second interrupt comes before anything new is finished: what the first has left stays all the same."""
    wanted = whole(llama, tmp_path / "whole.nd", capsys)
    out = tmp_path / "x.nd"
    interrupt("fifth island", convert(llama, out), monkeypatch, capsys)
    first = kept_beside(out)
    interrupt("first island", convert(llama, out), monkeypatch, capsys)
    assert len(first) == len(kept_beside(out)) == 1 and first != kept_beside(out)
    made.clear()
    assert call(convert(llama, out), capsys).status == 0
    assert len(made) == ISLANDS - 4 and members(out) == wanted
    assert kept_beside(out) == []


def _other_weights(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(model / "model.safetensors")
    tensors["lm_head.weight"] *= 0.5
    save_file(tensors, model / "model.safetensors", {"format": "pt"})


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
    what: str, tmp_path: Path, llama: Path, made: list[str],
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    model, out, other = tmp_path / "llama", tmp_path / "x.nd", OTHERS[what]
    shutil.copytree(llama, model)
    interrupt("golden vectors", convert(model, out), monkeypatch, capsys)
    options = other if isinstance(other, list) else []
    if not options:
        other(model)
    made.clear()
    arguments = [*convert(model, out), *options]
    found = call([*arguments, "--json"], capsys)
    assert (found.status, json.loads(found.out)["resumed"]) == (0, 0)
    assert len(made) == ISLANDS
    assert kept_beside(out) == []  # and it does not pile up
    arguments[3] = str(tmp_path / "again.nd")
    assert call(arguments, capsys).status == 0
    assert members(out) == members(tmp_path / "again.nd")


def test_a_mistyped_call_does_not_cost_what_is_kept(
    tmp_path: Path, llama: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    out = tmp_path / "x.nd"
    interrupt("fifth island", convert(llama, out), monkeypatch, capsys)
    before = snapshot(tmp_path)
    assert call([*convert(llama, out), "--calibration-tokens", "15"], capsys).status == 2
    interrupt("first island", [*convert(llama, out), "--weight-bits", "4"], monkeypatch, capsys)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("damage", ["cut", "gone", "flipped", "facts"])
def test_a_damaged_island_is_made_again(
    damage: str, tmp_path: Path, llama: Path, made: list[str],
    monkeypatch: Patch, capsys: Capture,
) -> None:  # fmt: skip
    wanted = whole(llama, tmp_path / "whole.nd", capsys)
    out = tmp_path / "x.nd"
    interrupt("golden vectors", convert(llama, out), monkeypatch, capsys)
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
    found = call(convert(llama, out), capsys)
    assert found.status == 0 and "was damaged and was computed again" in found.out
    assert len(made) == 1 and members(out) == wanted


def test_a_killed_process_keeps_its_islands_too(tmp_path: Path, llama: Path, capsys: Capture) -> None:
    """Nobody could tell the user, and nothing was cleared away: the next call finds them all the same."""
    out = tmp_path / "x.nd"
    command = [sys.executable, "-c", HIT_AT_THIRD_ISLAND, "9", *convert(llama, out)]
    one = {"OMP_NUM_THREADS": "1"}  # as in this process: another number of threads is other work
    assert subprocess.run(command, env=environment() | one, capture_output=True, timeout=600).returncode == -9
    assert len(kept_beside(out)) == 1 and not out.exists()
    found = call([*convert(llama, out), "--json"], capsys)
    assert (found.status, json.loads(found.out)["resumed"]) == (0, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["x.nd"]


#: As `HIT_AT_THIRD_ISLAND`, and the cleaning up is hit again: by a loop that never ends.
HIT_TWICE = HIT_AT_THIRD_ISLAND.replace(
    "linear_files.write_nir = hit\n",
    """linear_files.write_nir = hit
from neurodeploy.bundle import writer
def hang(*arguments):
    os.kill(os.getpid(), int(sys.argv[1]))
    while True:
        pass
writer.BundleWriter._keep = hang
""",
)


@pytest.mark.parametrize("number", [2, 15])
def test_a_second_request_ends_at_once(number: int, tmp_path: Path, llama: Path) -> None:
    """Cleaning up may hang, on a disk that does not answer."""
    out = tmp_path / "x.nd"
    command = [sys.executable, "-c", HIT_TWICE, str(number), *convert(llama, out)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [kept_beside(out)[0].name]  # for the next call


def test_what_is_to_be_ignored_stays_ignored(tmp_path: Path, llama: Path) -> None:
    """nohup: the terminal is closed and the work goes on."""
    script = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + HIT_AT_THIRD_ISLAND.replace(HEEDING, "")
    command = [sys.executable, "-c", script, "1", *convert(llama, tmp_path / "x.nd")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.nd"]
