"""What a user does wrong with a module or an ONNX file: one line that names the place, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

from neurodeploy import convert
from neurodeploy.errors import NeurodeployError
from tests.tensors.cases import Of
from tests.tensors.onnx_files import model, node, perceptron, written

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
X = torch.linspace(-1, 1, 12).reshape(4, 3)


def refused(where: Path, code: str, words: str, source: Any, **options: Any) -> None:
    with pytest.raises(NeurodeployError, match=words) as caught:
        convert(source, where / "out.nd", **options)
    assert caught.value.code == code and caught.value.fix
    assert "\n" not in str(caught.value)
    assert not [path for path in where.rglob("*") if ".nd" in path.name]


def branching(x: torch.Tensor) -> torch.Tensor:
    return x * 2 if x.sum() > 0 else x


def sorted_rows(x: torch.Tensor) -> torch.Tensor:
    return x.cumsum(1)


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x + self.calls


@pytest.mark.parametrize(
    ("code", "words", "function"),
    [
        ("ND1311", "Of: cannot be exported.*control flow", branching),
        ("ND1310", r"aten.cumsum.default \(\w+.py:\d+\).*is no operation", sorted_rows),
        ("ND1310", r"aten.convolution.*is no operation", lambda x: nn.functional.conv3d(
            x.reshape(1, 1, 1, 1, 3), torch.ones(1, 1, 1, 1, 2))),
        ("ND1310", r"max_pool2d.*ceil_mode", lambda x: nn.functional.max_pool2d(
            x.reshape(1, 1, 1, 3), (1, 2), ceil_mode=True)),
        ("ND1310", r"avg_pool.*divisor", lambda x: nn.functional.avg_pool2d(
            x.reshape(1, 1, 1, 3), (1, 2), divisor_override=3)),
        ("ND1310", r"pads with 2", lambda x: nn.functional.pad(x, (1, 1), value=2.0)),
        ("ND1310", r"adaptive_avg_pool1d.*does not divide", lambda x: nn.functional.adaptive_avg_pool1d(x[None], 2)),
        ("ND1310", r"softmax over the samples", lambda x: x.softmax(0)),
        ("ND1310", r"elu.*alpha = 2", lambda x: nn.functional.elu(x, 2.0)),
        ("ND1310", r"aten.div.*divides by 0", lambda x: x / torch.tensor([1.0, 0.0, 2.0])),
        ("ND1310", r"limits that depend", lambda x: x.clamp(min=x[:, :1] * 0)),
        ("ND1310", r"clamp.*\(\w+.py:\d+\).*cannot be", lambda x: x.clamp(min=torch.tensor([0.0, 1.0, 2.0]))),
        ("ND1310", r"exponent that depends", lambda x: x**x),
        ("ND1310", r"rounding_mode 'floor'", lambda x: torch.div(x, 2, rounding_mode="floor")),
        ("ND1310", r"makes truths", lambda x: x.bool().float()),
        ("ND1311", "output that does not depend", lambda x: torch.ones(1, 3)),
        ("ND1311", "returns 3, no tensor", lambda x: (x, 3)),
        ("ND1311", "output that does not depend|no tensors", lambda x: ()),
        ("ND1103", "infinite or no number", lambda x: (x * 0).log() * 0),
    ],
)  # fmt: skip
def test_modules(tmp_path: Path, code: str, words: str, function: Callable[..., Any]) -> None:
    refused(tmp_path, code, words, Of(function), example_inputs=X)


def test_a_module_that_changes_itself(tmp_path: Path) -> None:
    refused(tmp_path, "ND1311", "changes its own state.*calls", Counting(), example_inputs=X)


@pytest.mark.parametrize(
    ("code", "words", "options"),
    [
        ("ND1313", "example_inputs: are needed", {}),
        ("ND1311", "cannot be exported", {"example_inputs": (X, X)}),
        ("ND1311", "cannot be exported", {"example_inputs": X[:, :2]}),
        ("ND1311", "cannot be run on the samples.*dtype", {"example_inputs": torch.ones(4, 3, dtype=torch.int64)}),
        ("ND1103", "infinite or no number", {"example_inputs": X * float("nan")}),
        ("ND1103", "infinite or no number", {"example_inputs": X, "calibration": X.numpy() + np.inf}),
        ("ND1313", "different numbers of samples, or none", {"example_inputs": X[:0]}),
        ("ND1313", "does not go with the example", {"example_inputs": X, "calibration": np.ones((2, 4), np.float32)}),
        ("ND1313", "has 2 inputs, the example 1", {"example_inputs": X, "calibration": (X.numpy(), X.numpy())}),
        ("ND1312", "off its original, more than 1e-09; give more samples", {"example_inputs": X, "tolerance": 1e-9}),
        ("ND1313", "--tolerance: is -1", {"example_inputs": X, "tolerance": -1}),
        ("ND1313", "--payload-bits: is 17; give 4 to 16", {"example_inputs": X, "payload_bits": 17}),
        ("ND1313", "--weight-bits: is 1; give 2 to 16", {"example_inputs": X, "weight_bits": 1}),
        ("ND3261", "--preset: says nothing about", {"example_inputs": X, "preset": "tiny"}),
    ],
)
def test_samples_and_options(tmp_path: Path, code: str, words: str, options: dict[str, Any]) -> None:
    refused(tmp_path, code, words, nn.Sequential(nn.Linear(3, 2), nn.ReLU()), **options)


def test_a_refused_module_is_left_as_it_was(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 2), Of(branching)).train()
    module[1].eval()
    refused(tmp_path, "ND1311", "cannot be exported", module, example_inputs=X)
    assert [part.training for part in module.modules()] == [True, True, False]


def _conditional(op: str) -> ModelProto:
    value = helper.make_tensor_value_info
    body = helper.make_graph([node("Relu", "x", "z")], "body", [], [value("z", TensorProto.FLOAT, None)])
    made = {"If": {"then_branch": body, "else_branch": body}, "Loop": {"body": body}}[op]
    flag = {"flag": np.array(True)}
    return model([node(op, "x" if op == "If" else "- flag x", "y", **made)], {"x": (1, 3)}, "y", flag)


def _sparse() -> ModelProto:
    made = perceptron()
    values, places = (
        numpy_helper.from_array(np.ones(1, np.float32), "u"),
        numpy_helper.from_array(np.zeros(1, np.int64), "i"),
    )
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [3]))
    return made


def _external(location: str, offset: int = 0, key: str = "location") -> ModelProto:
    made = perceptron()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for name, value in ((key, location), ("offset", str(offset)), ("length", "48")):
        tensor.external_data.add(key=name, value=value)
    return made


def _elsewhere() -> ModelProto:
    made = model([node("Fancy", "x", "y", domain="com.example", name="first")], {"x": (1, 3)}, "y")
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    return made


FILES: dict[str, tuple[str, str, Callable[[], ModelProto]]] = {
    "old": ("ND1314", "is of opset 12, 13 is the oldest", lambda: model(
        [node("Relu", "x", "y")], {"x": (1, 3)}, "y", opset=12)),
    "if": ("ND1310", r"If \(node 0\): is control flow that depends on the input", lambda: _conditional("If")),
    "loop": ("ND1314", r"node 'Loop' \(Loop\) has control flow", lambda: _conditional("Loop")),
    "domain": ("ND1310", r"Fancy \(first\): is of the domain 'com.example'", _elsewhere),
    "sparse": ("ND1314", "has sparse tensors", _sparse),
    "unknown": ("ND1310", r"TopK \(node 0\): is no operator", lambda: model(
        [node("TopK", "x k", "y i")], {"x": (1, 3)}, "y", {
        "k": np.array([1])})),
    "outside": ("ND1314", "keeps 'w' in '../w.bin', no file beside it", lambda: _external("../w.bin")),
    "absolute": ("ND1314", "keeps 'w' in '/dev/zero', no file beside it", lambda: _external("/dev/zero")),
    "missing": ("ND1314", "keeps 'w' in 'none.bin', no file beside it", lambda: _external("none.bin")),
    "short": ("ND1314", "keeps 'w' beyond the end of 'w.bin'", lambda: _external("w.bin", 4)),
    "before": ("ND1314", "keeps 'w' beyond the end of 'w.bin'", lambda: _external("w.bin", -4)),
    "nowhere": ("ND1314", "tensor 'w' lies in no file", lambda: _external("w.bin", key="place")),
    "shape": ("ND1310", r"Gemm \(node 0\)", lambda: model([node("Gemm", "x w", "y")], {"x": (1, 3)}, "y", {
        "w": np.ones((2, 2), np.float32)})),
    "lacking": ("ND1310", r"Conv \(node 0\): has no weights", lambda: model([node("Conv", "x", "y")], {"x": (1, 3)}, "y")),
    "half": ("ND1310", r"Add \(node 0\): lacks an input", lambda: model([node("Add", "x", "y")], {"x": (1, 3)}, "y")),
    "unmade": ("ND1314", r"uses 'z' before it is made \(node 0\)", lambda: model(
        [node("Relu", "z", "y")], {"x": (1, 3)}, "y")),
    "constant": ("ND1314", "output that does not depend", lambda: model([node("Relu", "c", "y")], {"x": (1, 3)}, "y", {
        "c": np.ones(3, np.float32)})),
    "samples": ("ND1313", r"its input x has the shape \(1, 5\), the samples \(4, 3\)", lambda: model(
        [node("Relu", "x", "y")], {"x": (1, 5)}, "y")),
    "inputs": ("ND1313", r"has 2 inputs \(x, z\)", lambda: model(
        [node("Add", "x z", "y")], {"x": (1, 3), "z": (1, 3)}, "y")),
    "infinite": ("ND1103", "infinite or no number", lambda: model([node("Log", "x", "y")], {"x": (1, 3)}, "y")),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path: Path, name: str) -> None:
    code, words, make = FILES[name]
    (tmp_path / "w.bin").write_bytes(bytes(48))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "w.bin").write_bytes(bytes(48))
    path = written(tmp_path / "inner" / "net.onnx", make())
    refused(tmp_path, code, words, path, calibration=X.numpy())


@pytest.mark.parametrize("data", [b"", b"no protobuf", perceptron().SerializeToString()[:-9], bytes(4096)])
def test_damaged_files(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    refused(tmp_path, "ND1314", "net.onnx: ", path, calibration=X.numpy())


def test_no_file_and_no_samples(tmp_path: Path) -> None:
    refused(tmp_path, "ND1001", "does not exist", tmp_path / "none.onnx", calibration=X.numpy())
    refused(tmp_path, "ND1313", "are needed", written(tmp_path / "net.onnx", perceptron()))


def test_a_link_to_another_folder_is_no_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(48))
    (tmp_path / "inner" / "w.bin").symlink_to(tmp_path / "secret.bin")
    path = written(tmp_path / "inner" / "net.onnx", _external("w.bin"))
    refused(tmp_path, "ND1314", "no file beside it", path, calibration=X.numpy())
