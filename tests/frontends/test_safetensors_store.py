"""`SafetensorsStore` against the library that defines the format, and against damaged files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from neurodeploy.errors import ModelError
from neurodeploy.frontends.safetensors_store import SafetensorsStore
from neurodeploy.ir.graph import WeightStore
from tests.frontends.arrays import read_damaged
from tests.refusals import refused


def written(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def mapped_bytes(path: Path) -> int:
    """Resident bytes of this process's maps of a file."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0] and not line.endswith("kB"):
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


SHAPES = st.lists(st.integers(0, 5), min_size=0, max_size=3).map(tuple)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(SHAPES, st.sampled_from(["float32", "float16"]), st.integers(-6, 6), st.none() | st.integers(-6, 6), st.data())
def test_rows_are_those_of_the_library(tmp_path, shape, dtype, start, stop, data):
    seed = data.draw(st.integers(0, 2**31))
    array = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    path = tmp_path / f"{shape}{dtype}.safetensors"
    save_file({"first": np.ones(3, np.float32), "w": array}, path)
    store = SafetensorsStore(path)
    assert isinstance(store, WeightStore)
    assert store.shape("w") == shape and set(store.names()) == {"first", "w"}
    assert store.files() == (str(path),)
    got = store.get("w", start, stop)
    want = array.astype(np.float32)
    np.testing.assert_array_equal(got, want[start:stop] if shape else want)
    assert got.dtype == np.float32 and got.flags.c_contiguous and got.flags.writeable and got.flags.owndata


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    values = np.array([[0.0, -0.0, 1.0, -2.5], [3.0e38, 1e-40, 0.15625, -7.0]], np.float32)
    bits = (values.view(np.uint32) >> 16).astype("<u2")
    # An odd metadata length makes the data unaligned, as the format allows.
    header = {"__metadata__": {"k": "x"}, "w": entry("BF16", [2, 4], 0, 16)}
    store = SafetensorsStore(written(tmp_path / "a.safetensors", header, bits.tobytes()))
    want = (bits.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(store.get("w"), want)
    np.testing.assert_array_equal(store.get("w", 1), want[1:])
    kept = store.entry("w")
    assert (kept.dtype, kept.shape, kept.data.tobytes()) == ("BF16", (2, 4), bits.tobytes())
    assert not kept.data.flags.writeable


@pytest.mark.parametrize("key", [(1,), (slice(1, 3),), (2, slice(0, 2)), (2, slice(None), slice(1, 4)), (0, 1, 2)])
def test_block_is_numpy_indexing(tmp_path, key):
    array = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    save_file({"w": array}, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(SafetensorsStore(tmp_path).block("w", key), array[key])


def sharded(folder: Path) -> None:
    save_file({"a": np.ones((2, 2), np.float32)}, folder / "model-1.safetensors")
    save_file({"b": np.full(3, 2, np.float32)}, folder / "model-2.safetensors")
    index = {"metadata": {}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def test_shards_are_one_store(tmp_path):
    sharded(tmp_path)
    store = SafetensorsStore(tmp_path)
    assert sorted(store.names()) == ["a", "b"] and len(store.files()) == 2
    np.testing.assert_array_equal(store.get("b"), [2, 2, 2])


def index_says(folder: Path, table: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))


SHARD_DAMAGE = {
    "missing shard": (lambda f: (f / "model-2.safetensors").unlink(), "ND1005"),
    "tensor not in its shard": (lambda f: index_says(f, {"a": "model-2.safetensors"}), "ND1006"),
    "tensor nowhere": (lambda f: index_says(f, {"a": "model-1.safetensors", "c": "model-1.safetensors"}), "ND1006"),
    "same tensor twice": (lambda f: save_file({"a": np.ones(1, np.float32)}, f / "model-2.safetensors"), "ND1004"),
    "leads out of the folder": (lambda f: index_says(f, {"a": "../model-1.safetensors"}), "ND1004"),
    "shard is no name": (lambda f: index_says(f, {"a": 3}), "ND1004"),
    "no weight map": (lambda f: index_says(f, {}), "ND1004"),
    "index is no JSON": (lambda f: (f / "model.safetensors.index.json").write_text("{"), "ND1004"),
    "index is a list": (lambda f: (f / "model.safetensors.index.json").write_text("[]"), "ND1004"),
    "index is no UTF-8": (lambda f: (f / "model.safetensors.index.json").write_bytes(b'{"\xff": 1}'), "ND1004"),
}


@pytest.mark.parametrize("what", SHARD_DAMAGE)
def test_damaged_shards(tmp_path, what):
    sharded(tmp_path)
    damage, code = SHARD_DAMAGE[what]
    damage(tmp_path)
    refused(ModelError, code, SafetensorsStore, tmp_path)


FOUR = bytes(4)
HEADER_DAMAGE = {
    "empty": lambda p: p.write_bytes(b""),
    "too short": lambda p: p.write_bytes(b"\x01"),
    "header longer than the file": lambda p: written(p, {}, length=1000),
    "absurd header length": lambda p: written(p, {}, length=2**64 - 1),
    "not JSON": lambda p: written(p, b"{not json}"),
    "another format": lambda p: p.write_bytes(b"PK\x03\x04" + bytes(100)),
    "header is a list": lambda p: written(p, b"[1, 2, 3]"),
    "endless nesting": lambda p: written(p, b'{"a":' + b"[" * 100_000),
    "endless number": lambda p: written(p, b'{"a":' + b"9" * 100_000 + b"}"),
    "not a number": lambda p: written(p, b'{"a": NaN}'),
    "duplicate tensor": lambda p: written(
        p, b'{"w":%s,"w":%s}' % ((json.dumps(entry("F32", [1], 0, 4)).encode(),) * 2)
    ),
    "metadata is no table": lambda p: written(p, {"__metadata__": 3}),
    "metadata holds numbers": lambda p: written(p, {"__metadata__": {"a": 3}}),
    "entry is a number": lambda p: written(p, {"w": 3}),
    "entry is empty": lambda p: written(p, {"w": {}}),
    "unknown type": lambda p: written(p, {"w": entry("F33", [1], 0, 4)}, FOUR),
    "type is a list": lambda p: written(p, {"w": {**entry("F32", [1], 0, 4), "dtype": []}}, FOUR),
    "negative size": lambda p: written(p, {"w": entry("F32", [-1, -1], 0, 4)}, FOUR),
    "size is true": lambda p: written(p, {"w": {**entry("F32", [1], 0, 4), "shape": [True]}}, FOUR),
    "size is a fraction": lambda p: written(p, {"w": {**entry("F32", [1], 0, 4), "shape": [1.0]}}, FOUR),
    "rank of a thousand": lambda p: written(p, {"w": entry("F32", [1] * 1000, 0, 4)}, FOUR),
    "sizes that overflow 64 bits": lambda p: written(p, {"w": entry("F32", [2**33, 2**33], 0, 4)}, FOUR),
    "empty but absurd": lambda p: written(p, {"w": entry("F32", [2**64, 0], 0, 0)}),
    "empty but too large for numpy": lambda p: written(p, {"w": entry("F32", [2**40, 0, 2**40], 0, 0)}),
    "truncated data": lambda p: written(p, {"w": entry("F32", [2], 0, 8)}, FOUR),
    "offsets backwards": lambda p: written(p, {"w": entry("F32", [1], 4, 0)}, FOUR),
    "one offset": lambda p: written(p, {"w": {**entry("F32", [1], 0, 4), "data_offsets": [0]}}, FOUR),
    "too few bytes for the shape": lambda p: written(p, {"w": entry("F32", [2], 0, 4)}, FOUR),
    "half a byte": lambda p: written(p, {"w": entry("F4", [1], 0, 0)}),
    "overlap": lambda p: written(p, {"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 2, 6)}, bytes(6)),
    "same bytes twice": lambda p: written(p, {"a": entry("F32", [1], 0, 4), "b": entry("F32", [1], 0, 4)}, FOUR),
    "hole": lambda p: written(p, {"a": entry("F32", [1], 4, 8)}, bytes(8)),
    "bytes after the end": lambda p: written(p, {"a": entry("F32", [1], 0, 4)}, bytes(8)),
}


@pytest.mark.parametrize("what", HEADER_DAMAGE)
def test_damaged_header(tmp_path, what):
    path = tmp_path / "model.safetensors"
    HEADER_DAMAGE[what](path)
    error = refused(ModelError, "ND1004", SafetensorsStore, tmp_path)
    assert str(path) in error.subject


@pytest.mark.parametrize(
    ("present", "says"),
    [("", "ND1001"), ("pytorch_model.bin", r"ND1003 .*pytorch_model\.bin"), ("other.safetensors", r"ND1001 .*other\.saf")],
)  # fmt: skip
def test_without_weights(tmp_path, present, says):
    refused(ModelError, "ND1001", SafetensorsStore, tmp_path / "no.safetensors")
    if present:
        (tmp_path / present).write_bytes(b"x")
    refused(ModelError, says, SafetensorsStore, tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_small(tmp_path):
    path = tmp_path / "model.safetensors"
    save_file({"w": np.ones((8, 1 << 20), np.float32)}, path)
    store = SafetensorsStore(tmp_path)
    store.release()
    store.get("w", 3, 4)
    one = mapped_bytes(path)
    assert 1 << 22 <= one < 3 << 22  # one row of eight, and what the system maps around it
    store.get("w")
    assert mapped_bytes(path) >= 8 << 22
    store.release()
    assert mapped_bytes(path) == 0
    assert store.get("w", 7, 8).sum() == 1 << 20


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_flipped_bytes_never_crash(tmp_path, data):
    path = tmp_path / "model.safetensors"
    save_file({"a": np.ones((2, 3), np.float32), "b": np.ones(4, np.float16)}, path, {"format": "pt"})
    damaged = tmp_path / f"{os.urandom(4).hex()}.safetensors"
    read_damaged(SafetensorsStore, damaged, path.read_bytes(), data, {"ND1004", "ND1006", "ND1007"})
    damaged.unlink()
