"""`GgufStore` against the library `gguf`: every row range of every type, and the order of q and k rows."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize

from neurodeploy.errors import ModelError
from neurodeploy.frontends import gguf_store, packaged
from neurodeploy.frontends.gguf_store import GgufStore, unpermute_rows
from neurodeploy.ir.graph import WeightStore

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ2_0"]


def written(path, tensors: dict[str, tuple[np.ndarray, str]]) -> dict[str, np.ndarray]:
    """A file by the library's own writer, and what the library makes of it."""
    writer = GGUFWriter(path, "llama")
    want = {}
    for name, (array, kind) in tensors.items():
        number = GGMLQuantizationType[kind]
        stored = quantize(array, number)
        writer.add_tensor(name, stored, raw_dtype=number)
        want[name] = dequantize(stored, number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return want


@pytest.mark.parametrize("kind", TYPES)
def test_rows_are_those_of_the_library(tmp_path, kind, monkeypatch):
    # A few rows at a time, so that the ranges really cross the chunks.
    monkeypatch.setattr(gguf_store, "CHUNK", 1024)
    rng = np.random.default_rng(0)
    shapes = {"matrix": (7, 256), "vector": (512,), "experts": (3, 5, 256)}
    tensors = {name: (rng.standard_normal(shape).astype(np.float32), kind) for name, shape in shapes.items()}
    want = written(tmp_path / "m.gguf", tensors)
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
    assert store.entry("matrix").data.nbytes == quantize(tensors["matrix"][0], GGMLQuantizationType[kind]).nbytes
    store.release()
    np.testing.assert_array_equal(store.get("vector", 5, 9), want["vector"][5:9])


def test_type_without_dequantisation(tmp_path):
    writer = GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tensor("w", np.arange(4, dtype=np.int32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    store = GgufStore(tmp_path / "m.gguf")
    assert store.shape("w") == (4,)
    with pytest.raises(ModelError, match="ND1008 w: is stored as I32"):
        store.get("w")


def test_what_is_not_finite_is_named(tmp_path):
    array = np.zeros((3, 4), np.float32)
    array[1, 2] = np.inf
    written(tmp_path / "m.gguf", {"w": (array, "F32")})
    store = GgufStore(tmp_path / "m.gguf")
    assert not store.get("w", 2).any()
    with pytest.raises(ModelError, match=r"ND1007 w: 1 of 8 values are not finite, the first is inf at \[1, 2\]"):
        store.get("w", 1)


def test_missing_tensor_names_the_nearest(tmp_path):
    written(tmp_path / "m.gguf", {"blk.0.attn_q.weight": (np.zeros((1, 4), np.float32), "F32")})
    with pytest.raises(ModelError, match=r"ND1006 blk.0.attn_Q.weight.*blk\.0\.attn_q\.weight"):
        GgufStore(tmp_path / "m.gguf").get("blk.0.attn_Q.weight")


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
        with pytest.raises(ModelError, match="ND1006"):
            unpermute_rows(np.zeros(rows), heads)


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
