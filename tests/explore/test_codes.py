"""`explore` over the codes of an ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurodeploy as nd
from tests.tensors.onnx_files import perceptron, written


def test_codes_are_compared_by_frame(tmp_path: Path) -> None:
    """Of a stream of changes a frame is a step, of rates a sample: all prices are of one frame."""
    rng = np.random.default_rng(1)
    x = (rng.standard_normal(3) + 0.05 * rng.standard_normal((16, 3)).cumsum(axis=0)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    file = written(tmp_path / "net.onnx", perceptron())
    over = {"code": ["graded", "sigma_delta", "rate:32"], "loss": 0.1, "system": "oheo-gulch"}
    data = {"input": tmp_path / "x.npy", "calibration": tmp_path / "x.npy"}
    found = nd.explore(file, over, out=tmp_path / "page.html", jobs=1, **data)
    rows = {row["code"]: row for row in found["rows"]}
    assert [row["error"] for row in rows.values()] == [None] * 3
    for code, phase in (("graded", "sample"), ("sigma_delta", "step"), ("rate:32", "sample")):
        bundle = tmp_path / "page.work" / rows[code]["bundle"]
        priced = nd.energy(bundle, input=tmp_path / "x.npy")[phase]["joules_per_token"]["board"]["nominal"]
        assert rows[code]["joules_board"] == pytest.approx(priced)
    assert rows["rate:32"]["joules_board"] > rows["sigma_delta"]["joules_board"]
