"""What is wrong with a `.net` file is a coded error that names the layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurodeploy.errors import ModelError, NeurodeployError
from neurodeploy.frontends.lavadl import read_net
from tests.frontends.lavadl.files import OFF, conv, cuba, dense, group, sdnn, write
from tests.refusals import refused

OK = np.full((3, 4), 2.0)
KERNEL = np.full((3, 2, 2, 2), 4.0)
IMAGE = {"type": "input", "shape": [2, 3, 3]}
RF = group(type="RF_PHASE", sinDecay=9, cosDecay=9, vThMant=1)
POOL = {"type": "pool", "shape": [2, 1, 1], "weight": np.ones((1, 1, 2, 2)), "stride": 2, "padding": 0, "dilation": 1}

CASES: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "no such type": ("ND1284", [{**dense(OK), "type": "dance"}]),
    "numbers as type": ("ND1283", [{**dense(OK), "type": None}]),
    "no shape": ("ND1283", [{**dense(OK), "shape": None}]),
    "shape of four": ("ND1283", [{**dense(OK), "shape": [3, 1, 1, 1]}]),
    "empty shape": ("ND1283", [{**dense(OK), "shape": [0]}]),
    "real shape": ("ND1288", [{**dense(OK), "shape": [2.5]}]),
    "absurd shape": ("ND1281", [{"type": "input", "shape": [4096, 4096, 2]}, dense(OK)]),
    "text as weight": ("ND1283", [{**dense(OK), "weight": ["a", "b"]}]),
    "nan": ("ND1288", [dense(np.where(np.eye(3, 4) > 0, np.nan, 2))]),
    "infinite": ("ND1288", [dense(OK * np.inf)]),
    "fractions": ("ND1288", [dense(OK * 0.3)]),
    "too large": ("ND1288", [dense(OK * 1e12)]),
    "beyond 8 bits": ("ND1288", [dense(OK * 300)]),
    "no weight": ("ND1283", [{**dense(OK), "weight": None}]),
    "weight of another shape": ("ND1286", [{**dense(OK), "shape": [5]}]),
    "weight without columns": ("ND1286", [{**dense(OK), "weight": np.zeros((3, 0))}]),
    "inFeatures": ("ND1286", [{**dense(OK), "inFeatures": 5}]),
    "another input": ("ND1286", [{"type": "input", "shape": [5]}, dense(OK)]),
    "another layer before": ("ND1286", [dense(OK), dense(OK)]),
    "no flatten": ("ND1286", [IMAGE, conv(KERNEL, [3, 2, 2]), dense(np.ones((2, 12)))]),
    "input later": ("ND1286", [dense(OK), {"type": "input", "shape": [3]}]),
    "nothing but input": ("ND1289", [IMAGE]),
    "unknown field": ("ND1287", [dense(OK, mask=np.ones(3))]),
    "unknown field of the neuron": ("ND1287", [dense(OK, **{"neuron/noise": 1})]),
    "no such neuron": ("ND1285", [dense(OK, **cuba(type="HH"))]),
    "adaptive resonator": ("ND1285", [dense(OK, **cuba(type="ADRF_IZHIKEVICH"))]),
    "refractory delay": ("ND1285", [dense(OK, **cuba(refDelay=3))]),
    "weight exponent": ("ND1285", [dense(OK, **cuba(wgtExp=-1))]),
    "graded spikes": ("ND1285", [dense(OK, **cuba(gradedSpike=True))]),
    "not relu": ("ND1285", [dense(OK, **{**OFF, **sdnn(activation="tanh")})]),
    "bias of a sum": ("ND1285", [dense(OK, bias=[1.0, 2, 3], **{**OFF, **sdnn(sigma_output=True)})]),
    "bias of another shape": ("ND1286", [dense(OK, bias=[1.0, 2.0])]),
    "decay": ("ND1283", [dense(OK, **cuba(vDecay=5000))]),
    "decay of another size": ("ND1283", [dense(OK, **cuba(vDecay=[1, 2]))]),
    "negative delay": ("ND1283", [dense(OK, delay=[-1, 0, 0])]),
    "delays of another shape": ("ND1286", [dense(OK, delay=[1, 1])]),
    "neuron is a number": ("ND1283", [dense(OK, **OFF, neuron=3)]),
    "real weights of resonators": ("ND1286", [dense(OK, **{**OFF, **RF})]),
    "complex weights of lif": ("ND1286", [{**dense(OK), "weight": None, "weight/real": OK, "weight/imag": OK}]),
    "complex of two shapes": (
        "ND1286", [{**dense(OK, **{**OFF, **RF}), "weight": None, "weight/real": OK, "weight/imag": np.ones((3, 5))}],
    ),
    "no recurrent weights": ("ND1283", [{**dense(OK), "type": "dense_rec"}]),
    "recurrent weights of another shape": ("ND1286", [{**dense(OK), "type": "dense_rec", "weight_rec": OK}]),
    "conv without an image": ("ND1286", [conv(KERNEL, [3, 2, 2])]),
    "conv of a row": ("ND1286", [{"type": "input", "shape": [9]}, conv(KERNEL, [3, 2, 2])]),
    "conv of another shape": ("ND1286", [IMAGE, conv(KERNEL, [3, 3, 3])]),
    "kernel of three axes": ("ND1286", [IMAGE, conv(KERNEL[0], [3, 2, 2])]),
    "kernel of other channels": ("ND1286", [IMAGE, conv(np.ones((3, 3, 2, 2)), [3, 2, 2])]),
    "groups": ("ND1286", [IMAGE, conv(KERNEL, [3, 2, 2], groups=2)]),
    "kernelSize": ("ND1286", [IMAGE, conv(KERNEL, [3, 2, 2], kernelSize=[3, 3])]),
    "stride 0": ("ND1283", [IMAGE, conv(KERNEL, [3, 2, 2], stride=[0, 1])]),
    "three strides": ("ND1283", [IMAGE, conv(KERNEL, [3, 2, 2], stride=[1, 1, 1])]),
    "conv without neurons": ("ND1283", [IMAGE, conv(KERNEL, [3, 2, 2], **OFF)]),
    "kernel larger than the image": ("ND1286", [IMAGE, conv(np.ones((3, 2, 5, 5)), [3, 2, 2])]),
    "pooling that mixes channels": ("ND1286", [IMAGE, {**POOL, "stride": 1, "shape": [2, 2, 2], **cuba()}]),
    "pooling kernel": ("ND1286", [IMAGE, {**POOL, "weight": KERNEL, **cuba()}]),
    "average of uneven groups": ("ND1286", [dense(OK), {"type": "average", "shape": [2]}]),
    "concat of nothing": ("ND1286", [dense(OK), {"type": "concat", "shape": [3], "layers": [1]}]),
    "concat of another shape": ("ND1286", [dense(OK), {"type": "concat", "shape": [3], "layers": [0]}]),
    "concat beyond the end": ("ND1283", [dense(OK), {"type": "concat", "shape": [3], "layers": [7]}]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_wrong_files(name: str, tmp_path: Path) -> None:
    code, layers = CASES[name]
    path = write(tmp_path / "n.net", layers)
    if name == "numbers as type":
        with h5py.File(path, "a") as file:
            file["layer/0/type"] = 5
    error = refused(NeurodeployError, code, read_net, path)
    assert error.exit_status == 2 and str(path) in error.subject


def test_wrong_trees(tmp_path: Path) -> None:
    path = tmp_path / "n.net"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    refused(ModelError, "ND1283", read_net, path)
    for names in ([], ["1"], ["0", "2"], ["0", "x"], ["00"]):
        with h5py.File(path, "w") as file:
            file.create_group("layer")
            for name in names:
                file[f"layer/{name}/type"] = "flatten"
        refused(ModelError, "ND1286", read_net, path)
    with h5py.File(path, "w") as file:
        file["layer/0"] = 1
    refused(ModelError, "ND1283", read_net, path)


@pytest.mark.parametrize(
    "options",
    [
        {"num_layers": 0}, {"skip_layers": 1}, {"skip_layers": -1}, {"input_message_bits": 40}, {"reset_interval": 0},
        {"reset_interval": 5, "reset_offset": -1}, {"spike_exp": -1}, {"input_shape": (0, 3, 3)},
        {"input_shape": (1 << 20, 1 << 20, 1)}, {"input_shape": (1, 1, 1, 1)},
    ],
)  # fmt: skip
def test_wrong_options(options: dict[str, Any], tmp_path: Path) -> None:
    error = refused(NeurodeployError, "ND1289", read_net, write(tmp_path / "n.net", [dense(OK)]), **options)
    assert error.exit_status == 2


def test_a_shape_that_the_file_lacks_can_be_given(tmp_path: Path) -> None:
    path = write(tmp_path / "n.net", [conv(KERNEL, [3, 2, 2])])
    assert read_net(path, input_shape=(3, 3, 2)).populations["input"].shape == (3, 3, 2)


def test_names_that_cannot_be(tmp_path: Path) -> None:
    path = write(tmp_path / "n.net", [dense(OK), dense(np.full((2, 3), 2.0))])
    for name in ("", "a/b", "x" * 300, "a\nb", "input", "layer1"):
        with h5py.File(path, "a") as file:
            file["layer/0"].attrs["neurodeploy_name"] = name
        refused(ModelError, "ND1286", read_net, path)
