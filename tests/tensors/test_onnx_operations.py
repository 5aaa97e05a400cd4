"""Every operator of ONNX files, in drawn shapes and settings, against onnxruntime; the modules of `cases`, exported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto

from neurodeploy.conversion.tensors.calibrate import walk
from neurodeploy.conversion.tensors.passes import simplified
from neurodeploy.frontends.tensors import onnx_file, onnx_worker
from neurodeploy.frontends.tensors.onnx_guard import OnnxFile
from neurodeploy.frontends.tensors.onnx_nodes import TABLE
from simulators.reference import ReferenceRunner
from tests.tensors.cases import CASES, Draw
from tests.tensors.onnx_cases import FILES, File
from tests.tensors.onnx_files import model, written
from tests.tensors.test_operations import SAMPLES, converted, near, run, same_on_all, samples_of, within_bounds

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def opened_here(path: Path) -> OnnxFile:
    """`open_onnx` without a process of its own."""
    told, blobs = onnx_worker.read(str(path))
    starts, at = [], 0
    for row in told["tensors"]:
        starts.append(at)
        at += int(row["bytes"])
    return OnnxFile(path, told, bytearray(b"".join(blobs)), tuple(starts))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "open_onnx", opened_here)
        yield tmp_path_factory.mktemp("onnx") / "net.onnx"


def as_onnxruntime(path: Path, samples: list[NDArray[Any]], *, on_chip: bool) -> None:
    graph = onnx_file.read_onnx(path, samples)
    wanted, who = onnx_file.run_onnx(path, samples)
    assert who.startswith("onnxruntime")
    for each in (graph, simplified(graph)):
        found = walk(each, {name: torch.as_tensor(x) for name, x in zip(each.inputs, samples, strict=True)})
        for output, want in zip(each.outputs, wanted, strict=True):
            near(found[output], want)
    if on_chip:
        made = converted(graph, samples)
        result = run(made, ReferenceRunner())
        within_bounds(made, result)
        same_on_all(made, result)


#: Cases that are exported with an operator of their own.
RECURRENT = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN"}


def drawn(file: File) -> list[NDArray[Any]]:
    shapes = [(SAMPLES, *shape[1:]) for shape in file.inputs.values()]
    if file.ids:
        return [np.random.default_rng(0).integers(0, file.ids, shape) for shape in shapes]
    found = [torch.randn(shape).numpy() for shape in shapes]
    return found if file.above is None else [np.abs(x) + np.float32(file.above) for x in found]


@pytest.mark.parametrize("name", FILES)
def test_as_onnxruntime(net: Path, name: str) -> None:
    rows, make = FILES[name]

    @settings(max_examples=3, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.data())
    def check(data: st.DataObject) -> None:
        file = make(Draw(data))
        assert set(rows) <= {node.op_type for node in file.nodes}
        dtype = TensorProto.INT64 if file.ids else TensorProto.FLOAT
        arrays = {key: np.asarray(array) for key, array in file.arrays.items()}
        written(net, model(file.nodes, file.inputs, file.outputs, arrays, file.opset, dtype))
        as_onnxruntime(net, drawn(file), on_chip=False)

    check()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.onnx])
def test_exported_modules(net: Path, name: str) -> None:
    @settings(max_examples=1, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.data())
    def check(data: st.DataObject) -> None:
        draw = Draw(data)
        module = CASES[name].make(draw)
        samples = samples_of(module)
        example = tuple(x[:1] for x in samples)
        torch.onnx.export(module.module.eval(), example, str(net), dynamo=False, opset_version=draw.of(14, 17, 20))
        as_onnxruntime(net, [x.numpy() for x in samples], on_chip=name in ("conv_norm_relu", "attention"))

    check()


def test_every_row_has_a_case() -> None:
    assert {row for rows, _ in FILES.values() for row in rows} | set(RECURRENT.values()) == set(TABLE)


@pytest.mark.parametrize("name", RECURRENT)
def test_exports_of_recurrent_layers_have_its_operator(net: Path, name: str) -> None:
    """`test_exported_modules` compares them with onnxruntime."""
    layer: torch.nn.Module = getattr(torch.nn, {"lstm": "LSTM", "gru": "GRU"}.get(name, "RNN"))(3, 4)
    torch.onnx.export(layer.eval(), (torch.randn(2, 1, 3),), str(net), dynamo=False, opset_version=17)
    operators = {node.op_type for node in onnx.load(str(net)).graph.node}
    assert RECURRENT[name] in operators and CASES[name].onnx
