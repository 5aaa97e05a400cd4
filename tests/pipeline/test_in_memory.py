"""Arrays and tensors in place of files: the same answers, and no message that names the file that stood for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neurodeploy as nd
from neurodeploy.errors import UserError
from tests.pipeline.networks import Files


@pytest.fixture(scope="module")
def bundle(files: Files, tmp_path_factory: pytest.TempPathFactory) -> nd.Bundle:
    made = nd.convert(files.plain, tmp_path_factory.mktemp("memory") / "x.nd", dt=1e-3).bundle
    made.map("oheo-gulch")
    return made


def without(found: Any) -> dict[str, Any]:
    """But how long it took, and what the input is called."""
    return {
        key: value for key, value in found.items() if key not in ("seconds", "steps_per_s", "input", "notes", "metrics")
    }


@pytest.mark.parametrize("form", ["array", "tensor", "list", "by name"])
def test_the_same_answers(form: str, files: Files, bundle: nd.Bundle) -> None:
    spikes = np.load(files.spikes)
    name = next(iter(bundle.run(input=files.spikes)["populations"]))
    given = {"array": spikes, "tensor": torch.from_numpy(spikes), "list": spikes.tolist(), "by name": {name: spikes}}[
        form
    ]
    assert without(bundle.run(input=given)) == without(bundle.run(input=files.spikes))
    assert without(bundle.energy(input=given)) == without(bundle.energy(input=files.spikes))
    labels = np.zeros(len(spikes), np.int64)
    assert bundle.eval(input=given, labels=labels)["comparison"][0]["chip_correct"] is not None


def test_a_tensor_that_learns(files: Files, bundle: nd.Bundle) -> None:
    given = torch.tensor(np.load(files.spikes), dtype=torch.float32, requires_grad=True)
    assert bundle.run(input=given)["populations"] == bundle.run(input=files.spikes)["populations"]


@pytest.mark.parametrize(("given", "told"), [
    ([[1, 2], [3]], "ND3270 input: is list and no array of numbers"),
    (np.array(["a"]), "ND3270 input: is ndarray and no array of numbers"),
    ({"in": object()}, "ND3270 input: in: is object and no array"),
    (np.full((2, 3, 4), np.nan), "ND325"),
    (np.zeros((1, 2, 99)), "ND325"),
])  # fmt: skip
def test_what_is_wrong_is_told_without_a_file(given: Any, told: str, bundle: nd.Bundle) -> None:
    with pytest.raises(UserError, match=told) as error:
        bundle.run(input=given)
    assert "neurodeploy-" not in str(error.value) and "/tmp" not in str(error.value)


def test_nothing_is_left(files: Files, bundle: nd.Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    bundle.run(input=np.load(files.spikes))
    assert list(tmp_path.iterdir()) == []
