"""NumPy files that nobody should trust, wherever one is read: input, labels, states."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.bundle.state_files import read_kept, write_state
from neurodeploy.errors import BundleError, UserError
from neurodeploy.frontends.streams import Stream, read_stream
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import RunState
from neurodeploy.pipeline.labels import read_labels
from tests.networks.equality import same_result
from tests.partitioner import make
from tests.partitioner.make import dense, join, lif, source
from tests.refusals import refused

FOREIGN = [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
#: Headers on which numpy's own reader raises neither ValueError nor SyntaxError, or recurses until it cannot.
HEADERS = [
    "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3",
    "{'descr': '|i1', 'fortran_order': False, 'shape': (2, 3), ]",
    "(",
    "'''",
    "\\",
    "\x00",
    "-" * 5000 + "1",
    "[" * 5000,
    "{'descr': [('a', '<f4', -1)], 'fortran_order': False, 'shape': (2, 3)}",
    "{'descr': '<q', 'fortran_order': False, 'shape': (-2, 3)}",
    "{'descr': '<q', 'fortran_order': False, 'shape': (True, 3)}",
    "{'descr': '|V0', 'fortran_order': False, 'shape': (2, 3)}",
    "{'descr': 'nonsense', 'fortran_order': False, 'shape': (2, 3)}",
    "{'descr': {}, 'fortran_order': False, 'shape': (2, 3)}",
]


def network() -> Network:
    return make.network([source("in", 3), lif("out", 2)], join("p", "in", "out", dense(2, 3)))


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def with_header(text: str) -> bytes:
    body = text.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body + bytes(64)


def zipped(path: Path, method: int, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


@pytest.mark.parametrize("method", FOREIGN)
def test_input_of_a_foreign_compression_is_refused_unread(tmp_path: Path, method: int) -> None:
    """A block of bzip2 or LZMA becomes what it likes: 2.5 kB took 6.4 GB."""
    path = zipped(tmp_path / "x.npz", method, **{"in": npy(np.zeros((1000, 3), np.int8))})
    refused(UserError, "ND3251 .*compressed by", read_stream, path, network())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_numpy_writes_is_read(tmp_path: Path, method: int, order: str) -> None:
    values = np.random.default_rng(1).integers(-9, 9, (4, 3)).astype(np.int16)
    stored = np.asarray(values, order=order)  # type: ignore[call-overload]
    path = zipped(tmp_path / "x.npz", method, **{"in": npy(stored)})
    np.testing.assert_array_equal(read_stream(path, network()).inputs["in"][0], values)
    np.save(tmp_path / "x.npy", stored)
    np.testing.assert_array_equal(read_stream(tmp_path / "x.npy", network()).inputs["in"][0], values)


def declared(path: Path, size: int, place: int) -> Path:
    """A sound archive whose directory says another size of its member."""
    raw = bytearray(zipped(path, zipfile.ZIP_DEFLATED, **{"in": npy(np.zeros((4, 3), np.int8))}).read_bytes())
    entry = raw.index(b"PK\x01\x02")
    raw[entry + place : entry + place + 4] = size.to_bytes(4, "little")
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("size", [1 << 20, 1 << 30, 200])
def test_a_size_that_the_archive_cannot_hold(tmp_path: Path, size: int) -> None:
    refused(UserError, "ND3251 .*declares", read_stream, declared(tmp_path / "x.npz", size, 24), network())


def test_one_name_twice_and_encryption(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        for name in ("in", "in.npy"):
            archive.writestr(name, npy(np.zeros((4, 3), np.int8)))
    refused(UserError, "ND3251 .*twice", read_stream, tmp_path / "x.npz", network())
    refused(UserError, "ND3251 .*encrypted", read_stream, declared(tmp_path / "y.npz", 1 | 8 << 16, 8), network())


@pytest.mark.parametrize("text", HEADERS)
def test_headers_that_do_not_parse(tmp_path: Path, text: str) -> None:
    """Of input (.npy and .npz), labels and states: each is a sentence with a code, never what numpy happens to raise."""
    raw = with_header(text)
    (tmp_path / "x.npy").write_bytes(raw)
    for path in (tmp_path / "x.npy", zipped(tmp_path / "x.npz", zipfile.ZIP_STORED, **{"in": raw})):
        with pytest.raises(UserError) as caught:
            read_stream(path, network())
        assert caught.value.code in ("ND3251", "ND3253") and caught.value.problem
    refused(UserError, "ND3269", read_labels, tmp_path / "x.npy", Stream({}, 3, 2))
    state = zipped(tmp_path / "s", zipfile.ZIP_STORED, header=raw)
    refused(BundleError, "ND5011", read_kept, state, network(), "digest")


@pytest.mark.parametrize("method", [*FOREIGN, zipfile.ZIP_DEFLATED])
def test_state_of_a_foreign_compression(tmp_path: Path, method: int) -> None:
    """LZMA was ND9000. The same members, stored or deflated, are the state that was written."""
    neurons = {"out": {name: np.full((1, 2), 5, np.int64) for name in ("u", "v")}}
    state = RunState(3, neurons, {"p": np.full((1, 1, 2), 7, np.int32)})
    write_state(tmp_path / "s", state, "digest")
    with zipfile.ZipFile(tmp_path / "s") as archive:
        members = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
    path = zipped(tmp_path / "t", method, **members)
    if method in FOREIGN:
        refused(BundleError, "ND5011 .*compressed by", read_kept, path, network(), "digest")
    else:
        same_result(read_kept(path, network(), "digest")[0], state)
