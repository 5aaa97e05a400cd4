"""open_store names or opens each kind of file; MappedStore: any range of rows is that of numpy, and it is lazy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from neurodeploy.errors import ModelError
from neurodeploy.frontends import GGUF, HUGGINGFACE, open_store
from neurodeploy.frontends.file_store import FileStore, MappedStore, Source, unpermute_rows
from neurodeploy.frontends.gguf_store import GgufStore
from neurodeploy.frontends.safetensors_store import SafetensorsStore
from neurodeploy.ir.graph import WeightStore
from tests import gguf_files
from tests.frontends.arrays import Arrays
from tests.refusals import refused


def test_huggingface_folder(tmp_path):
    """Infinity in a configuration is what Python writes."""
    save_file({"w": np.ones((2, 3), np.float32)}, tmp_path / "model.safetensors")
    settings = {"model_type": "llama", "final_logit_softcapping": None, "time_step_limit": [0.0, float("inf")]}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    store, config, kind = open_store(str(tmp_path))
    assert kind == HUGGINGFACE and config == settings and store.shape("w") == (2, 3)


def test_gguf_file_under_any_name(tmp_path):
    opened = open_store(gguf_files.write(tmp_path / "model", "gemma3", {}, {"w": np.ones((2, 3), np.float32)}))
    assert opened.kind == GGUF and opened.config["general.architecture"] == "gemma3"
    assert opened.store.get("w").sum() == 6


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("model.nir", "ND1003", "a NIR graph; a Hugging Face folder"),
        ("model.net", "ND1003", "a lava-dl network"),
        ("model.PT", "ND1003", "never read"),
        ("model.safetensors", "ND1003", "give the folder"),
        ("model.xyz", "ND1003", "not a model file that we know"),
        ("model.gguf", "ND1004", "not GGUF"),
    ],
)
def test_other_files(tmp_path, name, code, text):
    (tmp_path / name).write_bytes(b"something else")
    refused(ModelError, f"{code} .*{text}", open_store, tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("", "", r"ND1003 .*no config\.json"), ("a.gguf", "GGUF", r"ND1003 .*a\.gguf"),
        *(("config.json", text, r"ND1004 .*config\.json") for text in ("{", "[]", '{"a": 1, "a": 2}', '{"a": NaN}')),
    ],
)  # fmt: skip
def test_folders_that_are_no_model(tmp_path, name, text, says):
    refused(ModelError, "ND1001", open_store, tmp_path / "missing")
    if name == "config.json":
        save_file({"w": np.ones(1, np.float32)}, tmp_path / "model.safetensors")
    if name:
        (tmp_path / name).write_text(text)
    refused(ModelError, says, open_store, tmp_path)


def test_importing_it_loads_no_library():
    heavy = ("numpy", "torch", "gguf", "tokenizers")
    code = f"import sys, neurodeploy.frontends; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def stored(folder: Path, kind: str, array: np.ndarray) -> FileStore:
    """A file with one tensor, opened."""
    if kind == "gguf":
        return GgufStore(gguf_files.write(folder / "m.gguf", "llama", {}, {"blk.0.w": array}))
    save_file({"blk.0.w": array}, folder / "model.safetensors")
    return SafetensorsStore(folder)


@pytest.mark.parametrize("kind", ["gguf", "safetensors"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_what_is_not_finite_or_not_there_is_named(tmp_path, kind, bad, dtype):
    array = np.zeros((4, 3), dtype)
    array[2, 1] = bad
    store = stored(tmp_path, kind, array)
    assert not store.get("blk.0.w", 0, 2).any()
    says = rf"ND1007 blk.0.w: 1 of 6 values are not finite, the first is {bad} at \[2, 1\]"
    refused(ModelError, says, store.get, "blk.0.w", 2)
    refused(ModelError, r"ND1006 blk.0.W:.*'blk\.0\.w'", store.get, "blk.0.W")


@pytest.mark.parametrize(("kind", "code", "dtype"), [("gguf", "ND1008", "I32"), ("safetensors", "ND1006", "I64")])
def test_integers_are_no_weights(tmp_path, kind, code, dtype):
    store = stored(tmp_path, kind, np.arange(4, dtype=dtype.replace("I", "int")))
    assert store.shape("blk.0.w") == (4,) and store.entry("blk.0.w").dtype == dtype
    refused(ModelError, f"{code} blk.0.w: is stored as {dtype}", store.get, "blk.0.w")


E, H, W = 4, 12, 8
RNG = np.random.default_rng(0)
ARRAYS = {
    "experts.gate_up_proj": RNG.standard_normal((E, H, 2 * W)).astype(np.float32),
    "experts.down_proj": RNG.standard_normal((E, W, H)).astype(np.float32),
    "q": RNG.standard_normal((H, W)).astype(np.float32),
    "c_attn.weight": RNG.standard_normal((H, 3 * W)).astype(np.float32),
    "c_attn.bias": RNG.standard_normal(3 * W).astype(np.float32),
    "norm": RNG.standard_normal(H).astype(np.float32),
}
GATE_UP, DOWN, CONV = (ARRAYS[name] for name in ("experts.gate_up_proj", "experts.down_proj", "c_attn.weight"))
TABLE: dict[str, tuple[Source, np.ndarray]] = {
    "renamed": (Source("q"), ARRAYS["q"]),
    "gate.2": (Source("experts.gate_up_proj", index=2, columns=(0, W), transpose=True), GATE_UP[2, :, :W].T),
    "up.2": (Source("experts.gate_up_proj", index=2, columns=(W, 2 * W), transpose=True), GATE_UP[2, :, W:].T),
    "down.3": (Source("experts.down_proj", index=3, transpose=True), DOWN[3].T),
    "down.3 as it is": (Source("experts.down_proj", index=3), DOWN[3]),
    "key": (Source("c_attn.weight", columns=(W, 2 * W), transpose=True), CONV[:, W : 2 * W].T),
    "key.bias": (Source("c_attn.bias", rows=(W, 2 * W)), ARRAYS["c_attn.bias"][W : 2 * W]),
    "rows": (Source("c_attn.weight", rows=(3, 9)), CONV[3:9]),
    "rows and columns": (Source("c_attn.weight", rows=(3, 9), columns=(2, 5)), CONV[3:9, 2:5]),
    "rows, turned": (Source("c_attn.weight", rows=(3, 9), columns=(2, 5), transpose=True), CONV[3:9, 2:5].T),
    "norm": (Source("norm", add=1.0), ARRAYS["norm"] + np.float32(1)),
    "unpermuted": (Source("q", heads=3), unpermute_rows(ARRAYS["q"], 3)),
    "unpermuted part": (Source("q", rows=(4, 12), heads=2), unpermute_rows(ARRAYS["q"][4:12], 2)),
    "unpermuted bias": (Source("norm", heads=2, add=0.5), unpermute_rows(ARRAYS["norm"], 2) + np.float32(0.5)),
}


@pytest.fixture(scope="module", params=["arrays", "safetensors"])
def base(request, tmp_path_factory) -> WeightStore:
    if request.param == "safetensors":
        folder = tmp_path_factory.mktemp("store")
        save_file(ARRAYS, folder / "model.safetensors")
        return SafetensorsStore(folder)
    return Arrays(ARRAYS)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(sorted(TABLE)), st.integers(-20, 20), st.none() | st.integers(-20, 20))
def test_any_rows_are_those_of_numpy(base, name, start, stop):
    store = MappedStore(base, {key: source for key, (source, _) in TABLE.items()})
    want = TABLE[name][1]
    assert store.shape(name) == want.shape
    got = store.get(name, start, stop)
    np.testing.assert_array_equal(got, want[start:stop])
    assert got.dtype == np.float32 and got.flags.c_contiguous and got.flags.writeable


def test_names_and_files():
    base = Arrays(ARRAYS)
    store = MappedStore(base, {"w": Source("q")})
    assert isinstance(store, WeightStore)
    assert store.names() == ("w",) and store.files() == ("a file",)
    store.release()
    assert base.read == [("released", ())]
    for read in (store.get, store.shape):
        refused(ModelError, r"ND1006 ww:.*'w'", read, "ww")


@pytest.mark.parametrize(
    ("source", "rows", "read"),
    [
        (TABLE["gate.2"][0], (1, 3), ("experts.gate_up_proj", (2, slice(0, H), slice(1, 3)))),  # one expert
        (Source("q", heads=3), (5, 6), ("q", (slice(4, 8),))),  # the heads of the rows
    ],
)
def test_only_what_the_rows_need_is_read(source, rows, read):
    base = Arrays(ARRAYS)
    store = MappedStore(base, {"w": source})
    assert base.read == []
    store.get("w", *rows)
    assert base.read == [read]


def test_a_caller_may_write_into_what_it_gets():
    store = MappedStore(Arrays(ARRAYS), {"q": Source("q")})
    store.get("q")[:] = 0
    np.testing.assert_array_equal(store.get("q"), ARRAYS["q"])


@pytest.mark.parametrize(
    ("source", "need"),
    [
        (Source("q", index=0), "3-D"),
        (Source("experts.down_proj", index=4), "entry 4"),
        (Source("experts.down_proj", index=-1), "entry -1"),
        (Source("q", rows=(0, 13)), r"range \(0, 13\)"),
        (Source("q", rows=(5, 4)), r"range \(5, 4\)"),
        (Source("norm", columns=(0, 1)), "axis 1"),
        (Source("norm", transpose=True), "a matrix"),
        (Source("experts.down_proj", transpose=True), "a matrix"),
        (Source("q", heads=5), "5 heads"),
        (Source("q", heads=12), "12 heads"),
        (Source("nothing"), "no such tensor"),
    ],
)
def test_a_source_that_cannot_be_cut_so(source, need):
    refused(ModelError, f"ND1006 .*{need}", MappedStore, Arrays(ARRAYS), {"w": source})


def test_what_is_read_is_checked_to_be_finite():
    store = Arrays({"w": np.array([[1.0, np.nan]]), "scalar": np.array(2)})
    assert store.get("scalar").shape == () and store.get("scalar") == 2
    for read in (store.get, lambda name: store.block(name, (0,)), MappedStore(store, {"w": Source("w")}).get):
        refused(ModelError, "ND1007 w", read, "w")
