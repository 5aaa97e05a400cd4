"""`GgufStore`: metadata and weights of a .gguf file, read lazily, dequantised a few rows at a time.

The format is in `gguf_format`. It lists sizes from the fastest axis; they are reversed here, so that a matrix has the
shape (out, in) that torch has. Names stay as they are in the file (``blk.0.attn_q.weight``).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.file_store import FileStore, Key
from neurodeploy.frontends.files import CHUNK, MappedFile, row_range
from neurodeploy.frontends.gguf_format import read_tables


def unpermute_rows(array: NDArray[Any], heads: int) -> NDArray[Any]:
    """The rows of a q or k matrix (or bias) in the order of transformers; `heads` is that matrix's own number of heads.

    Of the architectures llama, smollm3 and arcee, llama.cpp stores row ``(h, 2 i + s)`` where transformers has row
    ``(h, s * head_dim / 2 + i)``, s in {0, 1}, so that its rotary embedding can pair neighbours where transformers pairs
    halves. Gemma, Qwen, GPT-2 and Phi files are not interleaved; nor are those of Llama 4, where transformers pairs
    neighbours itself. Source: `LlamaModel.permute` and `undo_permute` in llama.cpp's converter (convert_hf_to_gguf.py).
    """
    rows = array.shape[0]
    if heads < 1 or rows % (2 * heads):
        problem = f"cannot be split into {heads} heads of even size"
        raise ModelError("ND1006", f"array of {rows} rows", problem, "convert the checkpoint to GGUF again")
    pairs = array.reshape(heads, rows // heads // 2, 2, *array.shape[1:])
    return np.ascontiguousarray(pairs.swapaxes(1, 2)).reshape(array.shape)


class GgufStore(FileStore):
    """`FileStore` of a .gguf file; `metadata` holds its keys (scalars, str, list of str, numpy arrays).

    Errors: ND1001 no such file, ND1003 not GGUF, big endian or another version, ND1004 damaged or truncated, ND1005 one
    part of a split model, ND1006 no such tensor, ND1007 NaN or infinity, ND1008 a type that cannot be dequantised.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.mapped.append(MappedFile(self.path))
        self.metadata, self.entries = read_tables(self.mapped[0])

    def values(self, name: str, key: Key) -> NDArray[np.float32]:
        """Dequantised; of an expert of a 3-D tensor only the rows asked for."""
        shape, first, rest = self.shape(name), key[0], key[1:]
        low, high = row_range(shape, first.start or 0, first.stop) if isinstance(first, slice) else (first, first + 1)
        if len(shape) == 3 and not isinstance(first, slice) and rest and isinstance(rest[0], slice):
            inner = row_range(shape[1:], rest[0].start or 0, rest[0].stop)
            array = self._lines(name, *(first * shape[1] + row for row in inner))
            return np.ascontiguousarray(array[:, rest[1]] if rest[1:] else array)
        if len(shape) == 1:
            array = self._lines(name, 0, 1)[0, low:high].copy()
        else:
            lines = math.prod(shape[1:-1])
            array = self._lines(name, low * lines, high * lines).reshape(high - low, *shape[1:])
        key = (slice(None) if isinstance(first, slice) else 0, *rest)
        return np.ascontiguousarray(array[key])

    def _lines(self, name: str, first: int, last: int) -> NDArray[np.float32]:
        """Lines ``first:last`` of the tensor seen as (everything else, last axis): blocks never cross a line."""
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        entry = self.entry(name)
        columns, kind = entry.shape[-1], GGMLQuantizationType[entry.dtype]
        data = entry.data.reshape(math.prod(entry.shape[:-1]), -1)
        out = np.empty((last - first, columns), np.float32)
        step = max(1, CHUNK // columns)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            try:
                # A damaged scale may be infinite: that is found, and named, when the result is checked.
                with np.errstate(all="ignore"):
                    out[begin - first : end - first] = dequantize(np.ascontiguousarray(data[begin:end]), kind)
            except NotImplementedError:
                problem = f"is stored as {kind.name}, which cannot be dequantised"
                fix = "quantise the model to one of Q4_0 to Q8_0, Q2_K to Q6_K, F16, BF16 or F32"
                raise ModelError("ND1008", name, problem, fix) from None
        return out
