"""Broken ONNX files end in a network or in an error of ours; `scripts/fuzz_onnx.py` tries thousands. A large file beside a
small one is not read when that is opened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from neurodeploy.errors import ModelError
from neurodeploy.frontends.tensors.making import NodeMaker, Ref
from neurodeploy.frontends.tensors.onnx_constants import folded
from neurodeploy.frontends.tensors.onnx_file import read_onnx
from neurodeploy.frontends.tensors.onnx_guard import open_onnx
from tests.tensors.mutations import outcome
from tests.tensors.onnx_files import model, node, perceptron, written

SIDE = 23_170
TWO_GB = 4 * SIDE * SIDE


def test_broken_files() -> None:
    """And what is drawn: some are converted, most are refused, for several reasons."""
    found = Counter(outcome(seed) for seed in range(40))
    assert {"converted", "ND1310", "ND1314"} <= set(found)


@pytest.mark.parametrize(
    ("op", "given"),
    [
        ("Expand", [2**31, 1, 3]), ("Tile", [1, 2**40]), ("Tile", [2**62, 2**62]), ("Expand", [1, -(2**63)]),
        ("Tile", [1, 0]), ("Reshape", [-1, -1]),
    ],
)  # fmt: skip
def test_values_that_grow_are_refused(tmp_path: Path, op: str, given: list[int]) -> None:
    """Before any of it is made."""
    made = model([node(op, "x sides", "y")], {"x": (1, 3)}, "y", {"sides": np.array(given, np.int64)})
    with pytest.raises(ModelError, match=rf"ND1310 {op}"):
        read_onnx(written(tmp_path / "net.onnx", made), [np.ones((1, 3), np.float32)])


@pytest.mark.parametrize(
    ("op", "given"),
    [
        ("ConstantOfShape", [np.array([2**20, 2**20])]), ("Expand", [np.ones(1), np.array([2**62])]),
        ("Tile", [np.ones(3), np.array([2**40])]), ("Range", [np.array(0.0), np.array(1.0), np.array(1e-12)]),
        ("Add", [np.ones((2**13, 1)), np.ones((1, 2**13))]), ("MatMul", [np.ones((2**13, 1)), np.ones((1, 2**13))]),
        ("Gather", [np.ones((1, 2**13)), np.zeros(2**13, np.int64)]), ("Conv", [np.ones((1, 1, 3, 3))] * 2),
    ],
)  # fmt: skip
def test_constants_that_grow_are_refused(op: str, given: list[np.ndarray]) -> None:
    with pytest.raises(ModelError, match=r"ND1310.*(large constants|of constants)"):
        folded(NodeMaker(what=op), op, given, {}, 1, 17)


def _with_weights_beside(folder: Path) -> Path:
    """A matrix of 2 GB in a file of its own, all zeros and none of them on the disk."""
    made = perceptron()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.dims[:] = [SIDE, SIDE]
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", str(TWO_GB))):
        tensor.external_data.add(key=key, value=value)
    with (folder / "weights.bin").open("wb"):
        os.truncate(folder / "weights.bin", TWO_GB)
    return written(folder / "net.onnx", made)


def test_two_gigabytes_beside_a_file_are_not_read(tmp_path: Path) -> None:
    """The process that opens it and the one that reads it stay small; the matrix is there where somebody looks."""
    path = _with_weights_beside(tmp_path)
    opened = open_onnx(path)
    weights = opened.tensor(opened.told["held"]["w"])
    assert weights.nbytes == TWO_GB and not weights[-1, -5:].any()
    script = (
        "import re, resource, sys; from pathlib import Path\n"
        "from neurodeploy.frontends.tensors.onnx_guard import open_onnx\n"
        "open_onnx(Path(sys.argv[1]))\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    told = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, check=True, text=True)
    assert max(int(kilobytes) for kilobytes in told.stdout.split()) < 200_000


def test_a_value_has_numbers_and_not_too_many() -> None:
    making = NodeMaker(what="Slice", where="here")
    with pytest.raises(ModelError, match=r"Slice \(here\): makes a value of the shape \(1, 0\)"):
        making.moved("y", Ref("x", (1, 4)), lambda places: places[:, 4:])
