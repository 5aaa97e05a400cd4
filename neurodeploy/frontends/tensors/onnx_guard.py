"""An ONNX file as plain nodes and arrays, read so that nothing in it can crash, hang or fill this process.

A process of its own opens the file (`onnx_worker`); what lies in files beside it is mapped when it is asked for, from the
folder of the file alone.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.tensors import onnx_worker
from neurodeploy.storage.confined import Confined, Limits

#: Processor time of the worker, seconds, bytes of the file that buy another one, and wall time; address space beside the
#: file, and the longest line.
CPU_SECONDS, BYTES_A_SECOND, WALL_SECONDS = 30, 20_000_000, 300.0
BASE_MEMORY, LINE_LIMIT = 2 << 30, 1 << 28
KINDS = "biuf"


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFile:
    """What the worker told: see `onnx_worker`. starts : where the bytes of each tensor begin in `data`. Tensors can be
    written to, as torch wants it; the file stays as it is."""

    path: Path
    told: dict[str, Any]
    data: bytearray
    starts: tuple[int, ...]

    def tensor(self, number: int) -> NDArray[Any]:
        row = self.told["tensors"][number]
        dtype, shape = np.dtype(row["dtype"]), tuple(row["shape"])
        count = math.prod(shape)
        if "file" in row:
            return self._outside(row, dtype, shape, count)
        start = self.starts[number]
        return np.frombuffer(self.data, dtype, count, start).reshape(shape)

    def _outside(self, row: dict[str, Any], dtype: np.dtype[Any], shape: tuple[int, ...], count: int) -> NDArray[Any]:
        folder = self.path.resolve().parent
        place = (folder / str(row["file"])).resolve()
        if not place.is_relative_to(folder) or not place.is_file():
            raise damaged(self.path, f"keeps {row['name']!r:.60} in {row['file']!r:.60}, no file beside it")
        if row["offset"] < 0 or row["offset"] + count * dtype.itemsize > place.stat().st_size:
            raise damaged(self.path, f"keeps {row['name']!r:.60} beyond the end of {row['file']!r:.60}")
        if not count:
            return np.zeros(shape, dtype)
        return np.memmap(place, dtype, "c", row["offset"], shape or (1,)).reshape(shape)


def damaged(path: Path, problem: str) -> ModelError:
    return ModelError("ND1314", path, problem, "export the model again, of opset 13 or newer")


def open_onnx(path: Path) -> OnnxFile:
    """ND1001 where there is no such file, ND1314 for one that cannot be read."""
    if not path.is_file():
        raise ModelError("ND1001", path, "does not exist or is no file", "give an .onnx file")
    size = path.stat().st_size
    limits = Limits(CPU_SECONDS + size // BYTES_A_SECOND, BASE_MEMORY + 6 * size, WALL_SECONDS)
    with Confined(onnx_worker.__name__, [str(path.resolve())], limits) as worker, worker.request():
        line = worker.out.readline(LINE_LIMIT)
        data = bytearray(worker.out.read() if line.endswith(b"\n") else b"")
        end = worker.ended(by_itself=line.endswith(b"\n"))
    try:
        told = json.loads(line)
    except ValueError:
        raise damaged(path, f"cannot be read: the reader {end}") from None
    if "refused" in told:
        raise damaged(path, str(told["refused"]))
    starts, at = [], 0
    for row in told["tensors"]:
        starts.append(at)
        at += 0 if "file" in row else int(row["bytes"])
        if np.dtype(row["dtype"]).kind not in KINDS:
            raise damaged(path, f"has a tensor of type {row['dtype']}")
    if at != len(data) or end.status:
        raise damaged(path, f"cannot be read: the reader {end}")
    return OnnxFile(path, told, data, tuple(starts))
