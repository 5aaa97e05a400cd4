"""host.safetensors: the tensors that stay on the host, streamed, each in the narrowest type that holds it exactly."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.graph import WeightStore

#: Their file in a bundle.
HOST_WEIGHTS = "host.safetensors"
_VALUES = 1 << 22


def _is_bf16(part: NDArray[np.float32]) -> bool:
    return not bool((part.view(np.uint32) & np.uint32(0xFFFF)).any())


def _is_f16(part: NDArray[np.float32]) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(part, part.astype(np.float16).astype(np.float32)))


def _to_bf16(part: NDArray[np.float32]) -> NDArray[Any]:
    return (part.view(np.uint32) >> 16).astype(np.uint16)


#: Type name -> (bytes, test, conversion), narrowest first.
TYPES: dict[str, tuple[int, Any, Any]] = {
    "BF16": (2, _is_bf16, _to_bf16),
    "F16": (2, _is_f16, lambda part: part.astype(np.float16)),
    "F32": (4, lambda part: True, lambda part: part),
}


def _pieces(store: WeightStore, name: str) -> list[tuple[int, int]]:
    shape = store.shape(name)
    rows = shape[0] if shape else 1
    per_row = int(np.prod(shape[1:], dtype=np.int64)) if shape else 1
    step = max(1, _VALUES // max(per_row, 1))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def write_host_weights(path: Path, store: WeightStore, names: list[str]) -> None:
    """Write the named tensors; two passes over each, one to find its type and one to write it."""
    chosen: dict[str, str] = {}
    header: dict[str, Any] = {}
    offset = 0
    for name in names:
        candidates = list(TYPES)
        for start, stop in _pieces(store, name):
            part = store.get(name, start, stop)
            candidates = [key for key in candidates if TYPES[key][1](part)]
        store.release()
        chosen[name] = candidates[0]
        shape = store.shape(name)
        end = offset + int(np.prod(shape, dtype=np.int64)) * TYPES[candidates[0]][0]
        header[name] = {"dtype": candidates[0], "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            convert = TYPES[chosen[name]][2]
            for start, stop in _pieces(store, name):
                file.write(np.ascontiguousarray(convert(store.get(name, start, stop))).tobytes())
            store.release()
