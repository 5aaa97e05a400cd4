"""HDF5 files that nobody should trust."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends import hdf5_guard
from neurodeploy.frontends.hdf5_guard import read_array, read_text, read_tree
from neurodeploy.frontends.hdf5_worker import Wanted
from neurodeploy.storage import confined
from tests import refusals


def refused(code: str, path: Path, **limits: int) -> ModelError:
    return refusals.refused(ModelError, code, read_tree, path, **limits)


def sample(path: Path) -> Path:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["a/w"] = np.arange(6, dtype=">f4").reshape(2, 3)
        file["a/flag"] = True
        file["a/empty"] = h5py.Empty("f8")
        file["a/z"] = np.array([1 + 2j])
        file.create_dataset("t", (1,), "S10", [b"dense"])
        file["s"] = "text \u00fc"
        file["many"] = np.array(["a", "bc"], dtype=h5py.string_dtype())
        big = file.create_dataset("big", data=np.zeros(10_000, np.int16), compression="gzip", shuffle=True)
        file["packed"] = big[()]
        file["a"].attrs.update({"dt": 0.5, "kind": "graph", "list": [1, 2]})
    return path


@pytest.mark.parametrize("isolate", [True, False])
def test_reads_numbers_texts_and_attributes(isolate: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_guard, "ISOLATE", isolate)
    root = read_tree(sample(tmp_path / "f.h5"))
    assert sorted(root) == ["a", "big", "many", "packed", "s", "t"]
    weight = read_array(root["a/w"], "f")
    assert weight.tolist() == [[0, 1, 2], [3, 4, 5]] and weight.dtype == np.dtype("<f4") and weight.flags.writeable
    assert (read_text(root["t"]), read_text(root["s"])) == ("dense", "text \u00fc")
    assert root.dataset("many").texts == ("a", "bc")
    assert read_array(root["a/flag"]).item() is True and read_array(root["a/empty"]).size == 0
    assert read_array(root["a/z"], kinds="c")[0] == 1 + 2j
    assert read_array(root["big"]).sum() == 0
    assert dict(root.group("a").attrs) == {"dt": 0.5, "kind": "graph", "list": None}
    assert "a/w" in root and "a/nothing" not in root and root.get("a/w/x") is None


def test_asks_for_what_is_not_there(tmp_path: Path) -> None:
    root = read_tree(sample(tmp_path / "f.h5"))
    for wrong in (
        lambda: root["nothing"],
        lambda: root.group("s"),
        lambda: root.dataset("a"),
        lambda: read_array(root["a"]),
        lambda: read_array(root["s"]),
        lambda: read_array(root["a/z"]),
        lambda: read_text(root["many"]),
        lambda: read_text(root["a/w"]),
    ):
        refusals.refused(ModelError, "ND1283", wrong)


def written(path: Path, content: Mapping[str, Any]) -> Path:
    """A file of values; a table is of options of a dataset; a function adds to the file, or gives what to link."""
    with h5py.File(path, "w") as file:
        for name, value in content.items():
            if isinstance(value, dict):
                file.create_dataset(name, **value)
            elif callable(value):
                linked = value(file)
                if linked is not None:
                    file[name] = linked
            else:
                file[name] = value
    return path


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "i4")
    layout[:] = h5py.VirtualSource(__file__, "x", (4,))
    file.create_virtual_dataset("v", layout)


ZIPPED = {"compression": "gzip", "compression_opts": 9, "chunks": (500_000,)}
#: What is said; contents of the file; limits. Links are not followed, values from other files and of other types are not
#: read, sizes are bounded before anything is allocated.
UNREAD: dict[str, tuple[str, dict[str, Any], dict[str, int]]] = {
    "soft link": ("ND1282 .*link", {"x": 1, "y": h5py.SoftLink("/x")}, {}),
    "external link": ("ND1282 .*link", {"x": 1, "y": h5py.ExternalLink("/etc/passwd", "/x")}, {}),
    "hard link": ("ND1282 .*another name", {"x": 1, "y": lambda file: file["x"]}, {}),
    "cycle": ("ND1282", {"g/h/x": 1, "g/h/up": lambda file: file["g"]}, {}),
    "a name that breaks the line": ("ND1282", {"x\n\x1b[31m": h5py.SoftLink("/y")}, {}),
    "values of another file": ("ND1282", {"x": {"shape": (8,), "dtype": "f8", "external": [(__file__, 0, 64)]}}, {}),
    "virtual dataset": ("ND1282", {"v": virtual}, {}),
    **{
        f"values of type {kind}": ("ND1282", {"x": {"shape": (2,), "dtype": np.dtype(kind)}}, {})
        for kind in ([("a", "i4")], "V8", h5py.ref_dtype, "f16")
    },
    "a type": ("ND1282", {"t": np.dtype("f8")}, {}),
    "never written": ("ND1281 .*stores 0", {"x": {"shape": (10**6,), "dtype": "f4"}}, {}),
    "huge": ("ND1281", {"x": {"shape": (2**40, 2**40), "dtype": "f8", "chunks": (1, 1)}}, {}),
    "bomb": ("ND1281 .*left of the limit", {"x": {"data": np.zeros(2_000_000), **ZIPPED}}, {"max_bytes": 1_000_000}),
    "many objects": ("ND1281", {f"g/{k}": k for k in range(30)}, {"max_objects": 20}),
    "deep": ("ND1281", {"/".join("g" * 40) + "/x": 1}, {}),
    "nine axes": ("ND1281", {"x": np.zeros((1,) * 9)}, {}),
    "long texts": ("ND1281", {"x": ["a" * 1000] * 100}, {"max_bytes": 50_000}),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read(name: str, tmp_path: Path) -> None:
    says, content, limits = UNREAD[name]
    assert str(refused(says, written(tmp_path / "f", content), **limits)).isprintable()


def test_not_a_file_not_hdf5_cut_off(tmp_path: Path) -> None:
    refused("ND1001", tmp_path / "missing")
    refused("ND1001", tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    refused("ND1280", tmp_path / "empty")
    (tmp_path / "zip").write_bytes(gzip.compress(b"x" * 1000))
    refused("ND1280", tmp_path / "zip")
    whole = sample(tmp_path / "f.h5").read_bytes()
    for length in (520, 600, 2000, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:length])
        refused("ND1280", tmp_path / "cut")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX signals")
def test_a_worker_that_dies_hangs_or_talks_nonsense(
    isolated: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libhdf5 does all of it on damaged files; here a worker of our own that always does."""
    path, script = sample(tmp_path / "f.h5"), tmp_path / "worker.py"
    monkeypatch.setattr(confined, "command", lambda *_: [sys.executable, str(script)])
    script.write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert "does not survive" in refused("ND1280", path).problem
    script.write_text('print(\'{"group": "/", "attrs": {}}\', flush=True)\nimport time; time.sleep(60)')
    monkeypatch.setattr(hdf5_guard, "WALL_SECONDS", 0.5)
    refused("ND1280", path)
    monkeypatch.setattr(hdf5_guard, "WALL_SECONDS", 300)
    for nonsense in (
        "[]",
        "{",
        "null",
        '{"array": "/x", "dtype": "O", "shape": [1], "bytes": 8, "attrs": {}}',
        "\\xff",
    ):
        script.write_text(f"print({nonsense!r})")
        refused("ND1280", path)
    # Its pipe is full when its first word is refused: waiting for it before it is killed would take the whole time.
    script.write_text("import sys\nwhile True: sys.stdout.write('null\\n' * 1000)")
    assert "SIGKILL" in refused("ND1280", path).problem
    script.write_text("raise ModuleNotFoundError('No module named h5py')")
    assert refused("ND1002", path).subject == "h5py"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs address space limits")
def test_memory_is_limited(isolated: None, tmp_path: Path) -> None:
    """A million references to one long text: nothing declares how much that is."""
    with h5py.File(tmp_path / "f", "w") as file:
        kind = h5py.string_dtype()
        data = file.create_dataset("x", (20_000,), kind)
        data[0] = "a" * 60_000
        kept = data.id.get_offset()
    raw = bytearray((tmp_path / "f").read_bytes())
    one = raw[kept : kept + 16]
    raw[kept : kept + 16 * 20_000] = bytes(one) * 20_000
    (tmp_path / "f").write_bytes(raw)
    refused("ND1281", tmp_path / "f", max_bytes=10_000_000)


def bulky(path: Path, *places: str) -> Path:
    """80 MB of text, which deflate to 80 kB, at each place beside a small group."""
    with h5py.File(path, "w") as file:
        file["a/w"] = np.arange(3)
        for place in places:
            file.create_dataset(place, data=np.full(40_000, b"x" * 2000, "S2000"), compression="gzip", chunks=(4000,))
    return path


@pytest.mark.parametrize("isolate", [True, False])
def test_more_text_than_is_read(isolate: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker stood with a full pipe while it was waited for, for 304 s, and libhdf5 was blamed."""
    monkeypatch.setattr(hdf5_guard, "ISOLATE", isolate)
    error = refused("ND1281", bulky(tmp_path / "f", "a/t"))
    assert "80000000 bytes of text" in error.problem and error.subject.endswith("/a/t")


def test_what_is_not_wanted_is_not_read(isolated: None, tmp_path: Path) -> None:
    """Neither beside the roots nor under other names; it is there by name all the same."""
    path = bulky(tmp_path / "f", "other/t", "top", "a/t")
    root = read_tree(path, wanted=Wanted(frozenset({"a"}), frozenset({"w"})))
    assert sorted(root) == ["a", "other", "top"] and len(root.group("other")) == 0
    assert read_array(root["a/w"]).tolist() == [0, 1, 2]
    assert root.dataset("a/t").shape == (40_000,) and not root.dataset("a/t").texts
