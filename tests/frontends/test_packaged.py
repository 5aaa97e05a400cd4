"""Models and texts by name, on small packages made here."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends import packaged
from neurodeploy.frontends.packaged import PACKAGED, Packaged, resolve
from neurodeploy.storage.temporary import written_aside
from tests.refusals import refused

BLOCKS = (b"GGUF" + bytes(3000), b"second part")
MODEL = Packaged(
    name="tiny",
    package="tiny-gguf",
    version="1.0",
    licence="none",
    wheel_bytes=3_100_000,
    file="tiny.gguf",
    size=len(b"".join(BLOCKS)),
    sha256=hashlib.sha256(b"".join(BLOCKS)).hexdigest(),
    parts=(("tiny_part1", "data/tiny.part00"), ("tiny_part2", "data/tiny.part01")),
    install="pip install tiny-gguf==1.0",
)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Path:
    """Two installed packages whose code must never run, and an empty cache folder."""
    for (module, file), block in zip(MODEL.parts, BLOCKS, strict=True):
        (tmp_path / module / "data").mkdir(parents=True)
        (tmp_path / module / "__init__.py").write_text("raise RuntimeError('the package was imported')")
        (tmp_path / module / file).write_bytes(block)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packaged, "PACKAGED", {"tiny": MODEL, "one": replace(MODEL, name="one", parts=MODEL.parts[:1])})
    return tmp_path


def test_parts_are_joined_once(site):
    path = resolve("tiny")
    assert path == site / "cache" / "models" / "tiny.gguf"
    assert path.read_bytes() == b"".join(BLOCKS)
    stamp = path.stat().st_mtime_ns
    assert resolve("tiny") == path and path.stat().st_mtime_ns == stamp
    path.write_bytes(b"half")
    assert resolve("tiny").read_bytes() == b"".join(BLOCKS)
    assert [file.name for file in path.parent.iterdir()] == ["tiny.gguf"]


def test_a_damaged_part_leaves_nothing_behind(site):
    (site / "tiny_part2" / "data" / "tiny.part01").write_bytes(b"Second part")
    refused(ModelError, r"ND1004 tiny: .*sha256.*force-reinstall", resolve, "tiny")
    assert list((site / "cache" / "models").iterdir()) == []


def test_a_missing_package_says_how_to_install_it(site):
    (site / "tiny_part2" / "data" / "tiny.part01").unlink()
    refused(ModelError, r"ND1002 tiny: .*lacks its file.*pip install tiny-gguf==1\.0", resolve, "tiny")
    packaged.PACKAGED["tiny"] = replace(MODEL, parts=(("no_such_package_here", "a"),))
    refused(ModelError, r"ND1002 tiny: .*not installed \(3 MB, licence: none\); pip install", resolve, "tiny")


def test_a_single_file_stays_in_its_package(site):
    refused(ModelError, r"ND1004 one: .* has 3004 bytes, version 1\.0 has 3015", resolve, "one")
    packaged.PACKAGED["one"] = replace(packaged.PACKAGED["one"], size=3004)
    assert resolve("one") == site / "tiny_part1" / "data" / "tiny.part00"
    assert not (site / "cache").exists()


def test_a_cache_that_cannot_be_written(site):
    (site / "cache").write_bytes(b"a file where the folder should be")
    refused(ModelError, r"ND1002 tiny: cannot be assembled.*NEURODEPLOY_CACHE", resolve, "tiny")


def test_a_path_stays_a_path(tmp_path, monkeypatch):
    (tmp_path / "model.gguf").write_bytes(b"x")
    assert resolve(tmp_path) == tmp_path
    assert resolve(str(tmp_path / "model.gguf")) == tmp_path / "model.gguf"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("~/model.gguf") == tmp_path / "model.gguf"
    refused(ModelError, r"ND1001 .*modle\.gguf.*did you mean .*model\.gguf", resolve, tmp_path / "modle.gguf")


@pytest.mark.parametrize(("name", "fix"), [("smollm2", "'smollm2-135m'"), ("gema3-270m", "'gemma3-270m'")])
def test_the_nearest_name(name, fix):
    refused(ModelError, f"ND1001 {name}: .*did you mean {fix}", resolve, name)


def test_a_name_that_is_near_to_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="give a path, or one of smollm2-135m, gemma3-270m, demo"):
        resolve("zzzzzzzz")


def test_the_demo(tmp_path, monkeypatch):
    assert str(resolve("demo") / "config.json").endswith("neurodeploy/embedded/model/config.json")
    monkeypatch.setattr(packaged, "DEMO_FOLDER", tmp_path)
    refused(ModelError, "ND1001 demo", resolve, "demo")


def test_cache_folder(monkeypatch):
    monkeypatch.delenv("NEURODEPLOY_CACHE", raising=False)
    assert packaged.cache_folder() == Path.home() / ".cache" / "neurodeploy"


def test_a_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "a" / "file"
    with written_aside(target, parents=True) as aside:
        aside.write_text("old")
    with pytest.raises(RuntimeError), written_aside(target) as aside:
        aside.write_text("new")
        raise RuntimeError
    assert target.read_text() == "old" and list(target.parent.iterdir()) == [target]


@pytest.mark.real
@pytest.mark.parametrize("name", sorted(PACKAGED))
def test_packaged_files_are_the_ones_that_were_measured(name):
    path = resolve(name)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (path.stat().st_size, digest) == (PACKAGED[name].size, PACKAGED[name].sha256)
