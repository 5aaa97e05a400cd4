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
from neurodeploy.frontends.files import CHUNK, MappedFile, check_finite, no_such_tensor, row_range
from neurodeploy.frontends.gguf_format import TensorEntry, read_tables


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


class GgufStore:
    """`WeightStore` over a .gguf file; `metadata` holds its keys (scalars, str, list of str, numpy arrays).

    Errors: ND1001 no such file, ND1003 not GGUF, big endian or another version, ND1004 damaged or truncated, ND1005 one
    part of a split model, ND1006 no such tensor, ND1007 NaN or infinity, ND1008 a type that cannot be dequantised.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = MappedFile(self.path)
        self.metadata, self._entries = read_tables(self._file)

    @property
    def architecture(self) -> str:
        """``general.architecture``: "llama", "gemma3", ..."""
        return str(self.metadata.get("general.architecture", ""))

    def _entry(self, name: str) -> TensorEntry:
        try:
            return self._entries[name]
        except KeyError:
            raise no_such_tensor(name, self._entries, self.path) from None

    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._entry(name).shape

    def dtype(self, name: str) -> str:
        """The type as stored: "F32", "Q4_K", ..."""
        return _type_name(self._entry(name).type)

    def raw(self, name: str) -> tuple[str, tuple[int, ...], NDArray[np.uint8]]:
        """Type name, shape, and the stored bytes as a read-only view: nothing is copied."""
        entry = self._entry(name)
        return _type_name(entry.type), entry.shape, self._file.view(entry.begin, entry.end)

    def get(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Rows ``start:stop`` (a Python slice of the first axis), dequantised to new float32, checked to be finite."""
        shape = self._entry(name).shape
        low, high = row_range(shape, start, stop)
        if len(shape) == 1:
            array: NDArray[np.float32] = self._lines(name, 0, 1)[0, low:high].copy()
        else:
            lines = math.prod(shape[1:-1])
            array = self._lines(name, low * lines, high * lines).reshape(high - low, *shape[1:])
        check_finite(array, name, low)
        return array

    def block(self, name: str, key: tuple[int | slice, ...]) -> NDArray[np.float32]:
        """A basic numpy index as new float32. Of a 3-D tensor's entry only the rows asked for are dequantised."""
        shape, first, rest = self._entry(name).shape, key[0], key[1:]
        if isinstance(first, slice):
            low, high = row_range(shape, first.start or 0, first.stop)
            key = (slice(None), *rest)
            return np.ascontiguousarray(self.get(name, low, high)[key])
        if len(shape) == 3 and rest and isinstance(rest[0], slice):
            low, high = row_range(shape[1:], rest[0].start or 0, rest[0].stop)
            base = first * shape[1]
            key = (slice(None), *rest[1:])
            array = np.ascontiguousarray(self._lines(name, base + low, base + high)[key])
            check_finite(array, name)
            return array
        return np.ascontiguousarray(self.get(name, first, first + 1)[0][rest])

    def _lines(self, name: str, first: int, last: int) -> NDArray[np.float32]:
        """Lines ``first:last`` of the tensor seen as (everything else, last axis): blocks never cross a line."""
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize

        entry = self._entry(name)
        columns = entry.shape[-1]
        data = self._file.view(entry.begin, entry.end).reshape(math.prod(entry.shape[:-1]), -1)
        kind = GGMLQuantizationType(entry.type)
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

    def release(self) -> None:
        self._file.release()

    def files(self) -> tuple[str, ...]:
        return (str(self.path),)


def _type_name(number: int) -> str:
    from gguf import GGMLQuantizationType

    return str(GGMLQuantizationType(number).name)
