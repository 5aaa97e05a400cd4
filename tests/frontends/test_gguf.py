"""GGUF files: what the parser reads of a sound one and says of a damaged one; rows against the library; heads by layer."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodeploy.errors import ModelError
from neurodeploy.frontends import gguf_store, packaged
from neurodeploy.frontends.file_store import unpermute_rows
from neurodeploy.frontends.gguf_store import GgufStore
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.ir.graph import WeightStore
from tests import effort, gguf_files
from tests.frontends.arrays import read_damaged
from tests.refusals import refused

U8, BOOL, STRING, ARRAY, U32, U64, F32 = 0, 7, 8, 9, 4, 10, 6


def string(text: str | bytes, length: int | None = None) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data) if length is None else length) + data


def key(name: str, kind: int, value: bytes) -> bytes:
    return string(name) + struct.pack("<I", kind) + value


def array(kind: int, length: int, values: bytes = b"", name: str = "k") -> bytes:
    return key(name, ARRAY, struct.pack("<IQ", kind, length) + values)


def tensor(name: str, sizes: list[int], kind: int = 0, offset: int = 0, rank: int | None = None) -> bytes:
    shape = struct.pack(f"<I{len(sizes)}Q", len(sizes) if rank is None else rank, *sizes)
    return string(name) + shape + struct.pack("<IQ", kind, offset)


def gguf(
    keys: list[bytes] = (), tensors: list[bytes] = (), data: bytes = b"", *, version: bytes | int = 3, magic=b"GGUF",
    counts: tuple[int, int] | None = None, alignment: int = 32,
) -> bytes:  # fmt: skip
    number = version if isinstance(version, bytes) else struct.pack("<I", version)
    counts = (len(tensors), len(keys)) if counts is None else counts
    head = magic + number + struct.pack("<QQ", *counts) + b"".join(keys) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + data


def opened(tmp_path, blob: bytes) -> GgufStore:
    path = tmp_path / "m.gguf"
    path.write_bytes(blob)
    return GgufStore(path)


@pytest.mark.parametrize("version", [2, 3])
def test_sound_file(tmp_path, version):
    keys = [
        key("general.architecture", STRING, string("llama")),
        key("general.alignment", U32, struct.pack("<I", 64)),
        key("a.bool", BOOL, b"\x01"),
        key("a.float", F32, struct.pack("<f", 0.5)),
        key("a.u64", U64, struct.pack("<Q", 2**40)),
        array(STRING, 3, string("x") + string("") + string("é"), "a.words"),
        array(U32, 3, struct.pack("<3I", 1, 2, 3), "a.numbers"),
        array(F32, 0, name="a.none"),
    ]
    tensors = [tensor("w", [3, 2]), tensor("b", [2], offset=64)]
    data = np.arange(6, dtype="<f4").tobytes().ljust(64, b"\0") + np.array([7, 8], "<f4").tobytes()
    store = opened(tmp_path, gguf(keys, tensors, data, version=version, alignment=64))
    numbers = store.metadata.pop("a.numbers")
    assert numbers.dtype == np.uint32 and numbers.tolist() == [1, 2, 3]
    assert store.metadata.pop("a.none").size == 0
    assert store.metadata == {
        "general.architecture": "llama", "general.alignment": 64, "a.bool": True, "a.float": 0.5, "a.u64": 2**40,
        "a.words": ["x", "", "é"],
    }  # fmt: skip
    assert store.names() == ("w", "b") and store.shape("w") == (2, 3)
    np.testing.assert_array_equal(store.get("w"), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(store.get("b"), [7, 8])


F4 = struct.pack("<f", 1.0)
DAMAGE = {
    "wrong magic": (gguf(magic=b"GGML"), "ND1003", "begins with"),
    "one byte": (b"G", "ND1003", "begins with"),
    "version 1": (gguf(version=1), "ND1003", "version 1"),
    "version 4": (gguf(version=4), "ND1003", "version 4"),
    "big endian": (gguf(version=struct.pack(">I", 3)), "ND1003", "big endian"),
    "cut in the header": (gguf()[:20], "ND1004", "metadata keys needs 8 bytes"),
    "absurd tensors": (gguf(counts=(2**60, 0)), "ND1004", "tensors"),
    "absurd keys": (gguf(counts=(0, 2**64 - 1)), "ND1004", "metadata keys"),
    "absurd key length": (gguf([string("k", 2**63)]), "ND1004", "metadata key needs"),
    "key is no UTF-8": (gguf([key("k", U8, b"\0").replace(b"k", b"\xff")]), "ND1004", "not UTF-8"),
    "key twice": (gguf([key("k", U8, b"\0")] * 2), "ND1004", "twice"),
    "unknown value type": (gguf([key("k", 13, b"\0")]), "ND1004", "unknown type 13"),
    "unknown element type": (gguf([array(99, 0)]), "ND1004", "array of the unknown"),
    "array of arrays": (gguf([array(ARRAY, 0)]), "ND1004", "unknown type 9"),
    "absurd array": (gguf([array(F32, 2**62)]), "ND1004", "values"),
    "absurd strings": (gguf([array(STRING, 2**61)]), "ND1004", "strings"),
    "string beyond the end": (gguf([array(STRING, 2, string("a") + string("b", 2**63))]), "ND1004", "string 1"),
    "strings stop early": (gguf([array(STRING, 2, string("a", 15))]), "ND1004", "string"),
    "strings are no UTF-8": (gguf([array(STRING, 1, string(b"\xff"))]), "ND1004", "not UTF-8"),
    "odd alignment": (gguf([key("general.alignment", U32, struct.pack("<I", 48))]), "ND1004", "alignment"),
    "alignment is text": (gguf([key("general.alignment", STRING, string("32"))]), "ND1004", "alignment"),
    "one part of two": (gguf([key("split.count", U32, struct.pack("<I", 2))]), "ND1005", "one of 2 parts"),
    "tensor twice": (gguf(tensors=[tensor("w", [1])] * 2, data=F4), "ND1004", "twice"),
    "rank 0": (gguf(tensors=[tensor("w", []) + bytes(8)], data=F4), "ND1004", "rank 0"),
    "rank 5": (gguf(tensors=[tensor("w", [1] * 5)], data=F4), "ND1004", "rank 5"),
    "no values": (gguf(tensors=[tensor("w", [4, 0])]), "ND1004", "sizes"),
    "overflowing sizes": (gguf(tensors=[tensor("w", [2**33, 2**33])], data=F4), "ND1004", "needs"),
    "unknown tensor type": (gguf(tensors=[tensor("w", [32], 4)], data=bytes(64)), "ND1008", "type number 4"),
    "half a block": (gguf(tensors=[tensor("w", [33], 8)], data=bytes(99)), "ND1004", "block of 32"),
    "data cut": (gguf(tensors=[tensor("w", [2])], data=F4), "ND1004", "ends at byte"),
    "offset beyond the end": (gguf(tensors=[tensor("w", [1], offset=2**63)], data=F4), "ND1004", "ends at byte"),
    "offset not aligned": (gguf(tensors=[tensor("w", [1], offset=4)], data=F4 * 2), "ND1004", "alignment"),
    "overlap": (gguf(tensors=[tensor("a", [9]), tensor("b", [1], offset=32)], data=bytes(64)), "ND1004", "overlaps"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_file(tmp_path, what):
    blob, code, text = DAMAGE[what]
    error = refused(ModelError, f"{code} .*{text}", opened, tmp_path, blob)
    assert "m.gguf" in error.subject


def test_large_vocabulary_is_read_fast(tmp_path):
    words = [f"piece{i}" for i in range(262_144)]
    blob = gguf([array(STRING, len(words), b"".join(string(word) for word in words), "t")])
    with effort.at_most(400):
        assert opened(tmp_path, blob).metadata["t"] == words


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_flipped_bytes_never_crash(tmp_path, data):
    keys = [key("general.architecture", STRING, string("llama")), array(STRING, 2, string("ab") + string("c"), "t")]
    blob = gguf(keys, [tensor("w", [32, 2], 8), tensor("b", [4], offset=96)], b"\x3c" * 112)
    codes = {"ND1003", "ND1004", "ND1005", "ND1007", "ND1008"}
    read_damaged(GgufStore, tmp_path / f"{os.urandom(4).hex()}.gguf", blob, data, codes)


TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ2_0"]


def written(path, kind: str = "F32", **tensors: np.ndarray) -> dict[str, np.ndarray]:
    """A file by the library's own writer, and what the library makes of it."""
    number = GGMLQuantizationType[kind]
    stored = {name: quantize(array, number) for name, array in tensors.items()}
    gguf_files.finish(path, GGUFWriter(path, "llama"), stored, raw_dtype=number)
    return {name: dequantize(array, number) for name, array in stored.items()}


@pytest.mark.parametrize("kind", TYPES)
def test_rows_are_those_of_the_library(tmp_path, kind, monkeypatch):
    # A few rows at a time, so that the ranges really cross the chunks.
    monkeypatch.setattr(gguf_store, "CHUNK", 1024)
    rng = np.random.default_rng(0)
    shapes = {"matrix": (7, 256), "vector": (512,), "experts": (3, 5, 256)}
    tensors = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    want = written(tmp_path / "m.gguf", kind, **tensors)
    store = GgufStore(tmp_path / "m.gguf")
    assert isinstance(store, WeightStore) and store.files() == (str(tmp_path / "m.gguf"),)
    for name, shape in shapes.items():
        assert store.shape(name) == shape and store.entry(name).dtype == kind
        for start, stop in [(0, None), (0, 0), (1, 3), (2, 100), (-2, None), (3, 1)]:
            got = store.get(name, start, stop)
            np.testing.assert_array_equal(got, want[name][start:stop])
            assert got.dtype == np.float32 and got.flags.c_contiguous and got.flags.writeable
    for key in [(1,), (2, slice(1, 4)), (0, slice(None), slice(3, 9)), (slice(1, 3), slice(0, 2)), (1, 2)]:
        np.testing.assert_array_equal(store.block("experts", key), want["experts"][key])
    assert store.entry("matrix").data.nbytes == quantize(tensors["matrix"], GGMLQuantizationType[kind]).nbytes
    store.release()
    np.testing.assert_array_equal(store.get("vector", 5, 9), want["vector"][5:9])


def rotated(x: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """RoPE of one head: pair number i turns by i + 1 radians."""
    out = np.empty_like(x)
    for i, (a, b) in enumerate(pairs):
        c, s = np.cos(i + 1.0), np.sin(i + 1.0)
        out[a], out[b] = x[a] * c - x[b] * s, x[b] * c + x[a] * s
    return out


def test_unpermuted_rows_rotate_by_halves_as_the_file_rotates_by_neighbours():
    rng = np.random.default_rng(1)
    heads, size, width = 3, 8, 5
    stored = [rng.standard_normal((heads * size, width)) for _ in "qk"]
    x = rng.standard_normal((2, width))
    half = [(i, i + size // 2) for i in range(size // 2)]
    neighbours = [(2 * i, 2 * i + 1) for i in range(size // 2)]
    scores = []
    for matrices, pairs in ((stored, neighbours), ([unpermute_rows(w, heads) for w in stored], half)):
        q, k = (w @ v for w, v in zip(matrices, x, strict=True))
        head = [slice(h * size, (h + 1) * size) for h in range(heads)]
        scores.append([rotated(q[h], pairs) @ (k[h]) for h in head])
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-12)


def test_unpermute_rows_of_a_bias_and_of_a_wrong_shape():
    np.testing.assert_array_equal(unpermute_rows(np.arange(8), 2), [0, 2, 1, 3, 4, 6, 5, 7])
    for rows, heads in [(9, 3), (8, 0), (8, 3)]:
        refused(ModelError, "ND1006", unpermute_rows, np.zeros(rows), heads)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "architecture", "tensors", "parameters"),
    [("smollm2-135m", "llama", 272, 134_515_008), ("gemma3-270m", "gemma3", 236, 268_098_176)],
)
def test_packaged_models(name, architecture, tensors, parameters):
    store = GgufStore(packaged.resolve(name))
    assert store.metadata["general.architecture"] == architecture
    assert len(store.names()) == tensors
    assert sum(store.get(name).size for name in store.names()) == parameters


def with_heads(path: Path, heads: Any) -> Path:
    """Heads by layer, as `fit` reads them."""
    parts = [f"blk.{layer}.attn_{part}.weight" for layer in range(2) for part in ("q", "k", "v", "output")]
    tensors = {"token_embd.weight": np.zeros((32, 16), np.float32)}
    tensors.update((part, np.zeros((16, 16), np.float32)) for part in parts)
    settings = {"block_count": 2, "context_length": 64, "attention.head_count": heads}
    return gguf_files.write(path, "llama", settings, tensors)


@pytest.mark.parametrize("heads", [4, [4, 4], [2, 4], [0, 4]])
def test_lists_count_by_their_largest_entry(tmp_path, heads):
    found = [read_hollow(with_heads(tmp_path / f"{name}.gguf", given)) for name, given in (("a", heads), ("b", 4))]
    assert [op.attrs for op in found[0].operations] == [op.attrs for op in found[1].operations]
    assert found[0].sizes == found[1].sizes


@pytest.mark.parametrize(
    "heads", ["linear", ["a", "b"], [1.5, float("nan")], [0, 0], [True, False], 0, [2**31 - 1, 2**31 - 2]]
)
def test_what_is_no_number_of_heads(tmp_path, heads):
    refused(ModelError, r"ND1012 .*llama.attention.head_count = ", read_hollow, with_heads(tmp_path / "a.gguf", heads))
