"""The GGUF parser: what it reads of a sound file, and what it says of every damaged one."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodeploy.errors import ModelError, NeurodeployError
from neurodeploy.frontends.gguf_store import GgufStore
from tests import effort

U8, BOOL, STRING, ARRAY, U32, U64, F32 = 0, 7, 8, 9, 4, 10, 6


def string(text: str | bytes, length: int | None = None) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data) if length is None else length) + data


def key(name: str, kind: int, value: bytes) -> bytes:
    return string(name) + struct.pack("<I", kind) + value


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
        key("a.words", ARRAY, struct.pack("<IQ", STRING, 3) + string("x") + string("") + string("é")),
        key("a.numbers", ARRAY, struct.pack("<IQ3I", U32, 3, 1, 2, 3)),
        key("a.none", ARRAY, struct.pack("<IQ", F32, 0)),
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
    "unknown element type": (gguf([key("k", ARRAY, struct.pack("<IQ", 99, 0))]), "ND1004", "array of the unknown"),
    "array of arrays": (gguf([key("k", ARRAY, struct.pack("<IQ", ARRAY, 0))]), "ND1004", "unknown type 9"),
    "absurd array": (gguf([key("k", ARRAY, struct.pack("<IQ", F32, 2**62))]), "ND1004", "values"),
    "absurd strings": (gguf([key("k", ARRAY, struct.pack("<IQ", STRING, 2**61))]), "ND1004", "strings"),
    "string beyond the end": (
        gguf([key("k", ARRAY, struct.pack("<IQ", STRING, 2) + string("a") + string("b", 2**63))]), "ND1004", "string 1"
    ),
    "strings stop early": (
        gguf([key("k", ARRAY, struct.pack("<IQ", STRING, 2) + string("a", 15))]), "ND1004", "string"
    ),
    "strings are no UTF-8": (
        gguf([key("k", ARRAY, struct.pack("<IQ", STRING, 1) + string(b"\xff"))]), "ND1004", "not UTF-8"
    ),
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
    with pytest.raises(ModelError, match=text) as caught:
        opened(tmp_path, blob)
    assert caught.value.code == code
    assert "m.gguf" in caught.value.subject


def test_large_vocabulary_is_read_fast(tmp_path):
    words = [f"piece{i}" for i in range(262_144)]
    blob = gguf([key("t", ARRAY, struct.pack("<IQ", STRING, len(words)) + b"".join(string(word) for word in words))])
    with effort.at_most(400):
        assert opened(tmp_path, blob).metadata["t"] == words


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_flipped_bytes_never_crash(tmp_path, data):
    keys = [key("general.architecture", STRING, string("llama")),
            key("t", ARRAY, struct.pack("<IQ", STRING, 2) + string("ab") + string("c"))]  # fmt: skip
    blob = bytearray(gguf(keys, [tensor("w", [32, 2], 8), tensor("b", [4], offset=96)], b"\x3c" * 112))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    del blob[data.draw(st.integers(len(blob) // 2, len(blob))) :]
    with effort.at_most(200):
        try:
            store = opened(tmp_path, bytes(blob))
            for name in store.names():
                assert np.isfinite(store.get(name)).all()
        except NeurodeployError as error:
            assert error.code in {"ND1003", "ND1004", "ND1005", "ND1007", "ND1008"}
