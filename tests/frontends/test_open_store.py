"""`open_store`: each kind of file is opened, or named in the error."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from gguf import GGUFWriter
from safetensors.numpy import save_file

from neurodeploy.errors import ModelError
from neurodeploy.frontends import GGUF, HUGGINGFACE, open_store
from tests.refusals import refused


def test_huggingface_folder(tmp_path):
    save_file({"w": np.ones((2, 3), np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "final_logit_softcapping": None}))
    store, config, kind = open_store(str(tmp_path))
    assert kind == HUGGINGFACE and config["model_type"] == "llama" and store.shape("w") == (2, 3)


def test_gguf_file_under_any_name(tmp_path):
    writer = GGUFWriter(tmp_path / "model", "gemma3")
    writer.add_tensor("w", np.ones((2, 3), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    opened = open_store(tmp_path / "model")
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


def test_folders_that_are_no_model(tmp_path):
    refused(ModelError, r"ND1003 .*no config\.json", open_store, tmp_path)
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    refused(ModelError, r"ND1003 .*a\.gguf", open_store, tmp_path)
    refused(ModelError, "ND1001", open_store, tmp_path / "missing")


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1, "a": 2}', '{"a": NaN}'])
def test_damaged_config(tmp_path, text):
    save_file({"w": np.ones(1, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(text)
    refused(ModelError, r"ND1004 .*config\.json", open_store, tmp_path)


def test_infinity_in_a_config_is_what_python_writes(tmp_path):
    save_file({"w": np.ones(1, np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"time_step_limit": [0.0, float("inf")]}))
    assert open_store(tmp_path).config["time_step_limit"] == [0.0, float("inf")]


def test_importing_it_loads_no_library():
    heavy = ("numpy", "torch", "gguf", "tokenizers")
    code = f"import sys, neurodeploy.frontends; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
