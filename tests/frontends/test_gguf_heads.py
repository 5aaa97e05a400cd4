"""Heads of a .gguf file by layer, as `fit` reads them: whole numbers, or ND1012 with the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.outlines import read_hollow

gguf = pytest.importorskip("gguf")


def write(path: Path, heads: Any) -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_context_length(64)
    add = {int: writer.add_uint32, str: writer.add_string, list: writer.add_array}[type(heads)]
    add("llama.attention.head_count", heads)
    writer.add_tensor("token_embd.weight", np.zeros((32, 16), np.float32))
    for layer in range(2):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{layer}.{part}.weight", np.zeros((16, 16), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("heads", [4, [4, 4], [2, 4], [0, 4]])
def test_lists_count_by_their_largest_entry(tmp_path, heads):
    found = [read_hollow(write(tmp_path / f"{name}.gguf", given)) for name, given in (("a", heads), ("b", 4))]
    assert [op.attrs for op in found[0].operations] == [op.attrs for op in found[1].operations]
    assert found[0].sizes == found[1].sizes


@pytest.mark.parametrize(
    "heads", ["linear", ["a", "b"], [1.5, float("nan")], [0, 0], [True, False], 0, [2**31 - 1, 2**31 - 2]]
)
def test_what_is_no_number_of_heads(tmp_path, heads):
    with pytest.raises(ModelError, match=r"ND1012 .*llama.attention.head_count = "):
        read_hollow(write(tmp_path / "a.gguf", heads))
