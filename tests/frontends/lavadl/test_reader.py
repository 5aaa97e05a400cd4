"""Every layer type in a small file of our own: structure, integers, and a matrix worked out by hand.

What is wrong with a file is a coded error that names the layer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurodeploy.errors import ModelError, NeurodeployError
from neurodeploy.frontends.lavadl import read_net
from neurodeploy.ir.network import Network
from neurodeploy.neurons.registry import prepared_params
from neurodeploy.synapses import Conv, Dense, Direct, Sparse
from simulators.reference import ReferenceRunner
from tests.frontends.lavadl.files import OFF, conv, cuba, dense, group, sdnn, write
from tests.refusals import refused

RNG = np.random.default_rng(11)


def even(*shape: int) -> np.ndarray:
    return 2 * RNG.integers(-60, 61, shape)


def full(network: Network, name: str) -> np.ndarray:
    """The matrix that a projection means, (rows, columns)."""
    p = next(p for p in network.projections if p.name == name)
    coo = p.synapse.coo()
    found = np.zeros((p.synapse.rows, p.synapse.columns), np.float64)
    found[coo.row, coo.column] = coo.weight * 2.0**p.weight_exp
    return found


def columns_here(shape: tuple[int, ...]) -> np.ndarray:
    """Where the file's column (channel, y, x) of each neuron (x, y, channel) is."""
    c, y, x = shape
    return np.array([(k * y + j) * x + i for i in range(x) for j in range(y) for k in range(c)])


def test_lif_as_in_netx(tmp_path: Path) -> None:
    weight = even(3, 4)
    first = dense(weight, bias=[1.0, -2.0, 3.0], **cuba(iDecay=0, messageBits=8))
    path = write(tmp_path / "n.net", [first, dense(even(2, 3))])
    network = read_net(path)
    assert {name: p.shape for name, p in network.populations.items()} == {"input": (4,), "layer0": (3,), "layer1": (2,)}
    params = prepared_params(network.populations["layer0"])
    expected = {"du": [-1], "dv": [128], "vth": [80], "bias_mant": [1, -2, 3], "bias_exp": [6]}
    assert {name: value.tolist() for name, value in params.items()} == expected
    assert [p.graded for p in network.projections] == [False, True]  # messageBits 8 is what layer 1 hears
    np.testing.assert_array_equal(full(network, "input->layer0"), weight)
    assert network.outputs == ("layer1",) and network.dt is None
    assert network.provenance["ignored"] == ["/simulation (not used for network exchange)"]
    assert read_net(path, input_message_bits=3).projections[0].graded


def test_a_dense_layer_without_neurons_gets_what_netx_wrote(tmp_path: Path) -> None:
    """``1 << 18 - 1`` is 131 072: never reached."""
    fields = {k: v for k, v in dense(even(2, 3)).items() if not k.startswith("neuron")}
    network = read_net(write(tmp_path / "n.net", [fields]))
    params = prepared_params(network.populations["layer0"])
    expected = {"du": -1, "dv": 4096, "vth": 131072, "bias_mant": 0, "bias_exp": 6}
    assert {k: int(v[0]) for k, v in params.items()} == expected


def test_reset_counts_one_more_a_layer(tmp_path: Path) -> None:
    layers = [
        {"type": "input", "shape": [4], "weight": [36.0], "bias": [2.0], **cuba(iDecay=4096)},
        dense(even(3, 4), **{**OFF, **sdnn()}),
        {"type": "flatten", "shape": [3]},
        dense(even(2, 3)),
    ]
    network = read_net(write(tmp_path / "n.net", layers), reset_interval=16, reset_offset=3)
    first, last = (network.populations[name] for name in ("layer0", "layer3"))
    assert (first.model, first.params["reset_interval"], first.params["reset_offset"]) == ("lif_reset", 16, 4)
    assert (last.model, last.params["reset_offset"]) == ("lif_reset", 6)
    assert network.populations["layer1"].model == "sigma_delta"
    assert any("reset_interval has no effect on sigma_delta" in text for text in network.provenance["ignored"])
    assert network.provenance["host"] == ["layer 0: its input is int(36 * x + 2) of the data x, in every step"]
    later = read_net(tmp_path / "n.net", reset_interval=16, skip_layers=1)
    assert later.populations["layer3"].params["reset_offset"] == 2


def test_input_reaches_the_voltage_as_netx_s_bias_does(tmp_path: Path) -> None:
    path = write(tmp_path / "n.net", [{"type": "input", "shape": [2, 3], **cuba(iDecay=7, vThMant=9000)}])
    network = read_net(path)
    assert network.populations["layer0"].shape == (3, 2) == network.populations["input"].shape
    assert network.populations["layer0"].params["du"] == 4095
    assert isinstance(network.projections[0].synapse, Direct)
    assert "iDecay has no effect" in network.provenance["repairs"][0]
    result = ReferenceRunner().run(network, {"input": np.full((1, 3, 6), 30)}, 3)
    v = result.state.neurons["layer0"]["v"][0]
    leak = lambda x: x * (4096 - 128) >> 12  # noqa: E731  # positive here
    assert (v == leak(leak(30 << 6) + (30 << 6)) + (30 << 6)).all()


def test_conv_and_flatten(tmp_path: Path) -> None:
    more: dict[str, Any] = {"stride": [2, 1], "padding": [1, 0], "dilation": 1, "groups": 2, "kernelSize": [2, 3]}
    kernel = RNG.integers(-9, 10, (4, 1, 2, 3, 1))  # the last axis is slayer's time
    layers = [
        {"type": "input", "shape": [2, 3, 5]},
        conv(kernel, [4, 2, 3], bias=[1.0, 2, 3, 4], inChannels=2, outChannels=4, **more),
        {"type": "flatten", "shape": [24, 1, 1]},
        dense(even(4, 24)),
    ]
    network = read_net(write(tmp_path / "n.net", layers))
    s = network.projections[0].synapse
    assert isinstance(s, Conv) and s.input_shape == (5, 3, 2) and s.output_shape == (3, 2, 4)
    assert (s.stride, s.padding, s.dilation, s.groups) == ((1, 2), (0, 1), (1, 1), 2)
    assert all(s.weight[o, i, j, 0] == kernel[o, 0, j, i] for o in range(4) for i in range(3) for j in range(2))
    assert network.populations["layer1"].params["bias_mant"].tolist() == [1, 2, 3, 4] * 6
    np.testing.assert_array_equal(full(network, "layer1->layer3"), layers[3]["weight"][:, columns_here((4, 2, 3))])


def test_pooling_of_a_ragged_picture_is_written_out(tmp_path: Path) -> None:
    """slayer adds ``size % kernel`` rows of zeros: 5 pixels in windows of 2 make 3 sums."""
    kernel = np.array([[[[2, 4], [6, 8]]]])
    fields = {"type": "pool", "shape": [2, 3, 2], "weight": kernel, "kernelSize": [2, 2], "stride": 2, "padding": 0}
    layers = [{"type": "input", "shape": [2, 5, 4]}, {**fields, "dilation": 1, **cuba()}]
    network = read_net(write(tmp_path / "n.net", layers))
    s = network.projections[0].synapse
    assert isinstance(s, Sparse) and network.populations["layer1"].shape == (2, 3, 2)
    found = full(network, "input->layer1").reshape(2, 3, 2, 4, 5, 2)  # (x, y, c) out, (x, y, c) in
    assert found[0, 0, 1, :2, :2, 1].tolist() == [[2, 6], [4, 8]]
    assert found[1, 2, 0, 2:, 4, 0].tolist() == [2, 4]
    assert found.sum() == 2 * (4 * 20 + 2 * 6)


def test_complex_weights(tmp_path: Path) -> None:
    neuron = group(type="RF_PHASE", sinDecay=2048, cosDecay=3000, vThMant=9)
    for kind in ("dense", "dense_comp"):
        real, imag = even(3, 4), 4 * RNG.integers(0, 30, (3, 4))
        fields = {"type": kind, "shape": [3, 1, 1], "weight/real": real, "weight/imag": imag, **neuron}
        network = read_net(write(tmp_path / "n.net", [fields]))
        assert [p.target_port for p in network.projections] == ["re", "im"]
        np.testing.assert_array_equal(full(network, "input->layer0.re"), real)
        np.testing.assert_array_equal(full(network, "input->layer0.im"), imag)
        assert network.projections[1].sign_mode == "excitatory"
        params = network.populations["layer0"].params
        assert (params["state_exp"], params["decay_bits"], params["vth"]) == (6, 12, 9)
        assert abs(params["sin_decay"] - 2048) <= 1 and abs(params["cos_decay"] - 3000) <= 1


def test_sigma_delta_chain(tmp_path: Path) -> None:
    layers = [
        {"type": "input", "shape": [4], **sdnn()},
        dense(even(3, 4), bias=[5.0, 6, 7], **{**OFF, **sdnn(messageBits=24)}),
        dense(even(2, 3), **{**OFF, **sdnn(sigma_output=True)}),
    ]
    network = read_net(write(tmp_path / "n.net", layers), spike_exp=2)
    models = {name: p.model for name, p in network.populations.items()}
    assert models == {"input": "input", "layer0": "delta", "layer1": "sigma_delta", "layer2": "sigma"}
    params = network.populations["layer1"].params
    assert (params["spike_exp"], params["state_exp"], params["act_mode"]) == (2, 6, 1)
    assert params["bias"].tolist() == [5, 6, 7]
    assert all(p.graded for p in network.projections)


def test_delays_of_dense_layers_as_in_netx(tmp_path: Path) -> None:
    def delay(value: Any, rows: int = 3, columns: int = 2) -> Any:
        network = read_net(write(tmp_path / "n.net", [dense(even(rows, columns), delay=value)]))
        return network.projections[0].delay, network.provenance["repairs"]

    assert delay([1.0, 2.0, 3.0])[0].tolist() == [[1, 1], [2, 2], [3, 3]]  # of the neurons: lies on what arrives
    assert delay([4, 5])[0].tolist() == [[4, 5]] * 3  # only fits the axons
    assert delay([1, 2], 2, 2)[0].tolist() == [[1, 1], [2, 2]]  # fits both: neurons first
    assert delay(7)[0].tolist() == [[7, 7]] * 3
    assert delay([[1, 2], [3, 4], [5, 6]])[0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert delay([0, 0, 0])[0] is None
    clamped, repairs = delay([0, 63, 200])
    assert clamped.max() == 62 and repairs == ["layer 0: 2 delays of up to 200 clamped to 62, as in netx"]


def test_what_is_delayed_and_then_leaves(tmp_path: Path) -> None:
    layers = [{"type": "input", "shape": [1, 2, 2]}, conv(even(3, 1, 1, 1), [3, 2, 2], delay=[1, 2, 3])]
    network = read_net(write(tmp_path / "n.net", layers))
    assert network.provenance["host"] == ["layer 1: delay the payloads of layer1, by up to 3"]


def test_recurrence(tmp_path: Path) -> None:
    weight, back = even(3, 2), even(3, 3)
    network = read_net(write(tmp_path / "n.net", [{**dense(weight), "type": "dense_rec", "weight_rec": back}]))
    np.testing.assert_array_equal(full(network, "input->layer0"), weight)
    np.testing.assert_array_equal(full(network, "layer0->layer0"), back)
    assert len({p.weight_exp for p in network.projections}) == 1


def test_average_sums_groups(tmp_path: Path) -> None:
    layers = [dense(np.eye(6) * 128, **cuba(iDecay=4096, vDecay=4096)), {"type": "average", "shape": [2, 1, 1]}]
    network = read_net(write(tmp_path / "n.net", layers))
    assert full(network, "layer0->layer1").tolist() == [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]
    assert network.provenance["host"] == ["layer 1: divide each payload of layer1 by 3 for the average"]
    x = np.zeros((1, 4, 6), int)
    x[0, 0] = [1, 0, 1, 0, 1, 0]
    out = ReferenceRunner().run(network, {"input": x}, 4).outputs["layer1"][0]
    assert out.tolist() == [[0, 0], [0, 0], [2, 1], [0, 0]]


def test_average_of_pixels_follows_the_file_s_order(tmp_path: Path) -> None:
    image = {"type": "input", "shape": [2, 1, 3]}
    layers = [image, conv(even(2, 2, 1, 1), [2, 1, 3]), {"type": "average", "shape": [2, 1, 1]}]
    network = read_net(write(tmp_path / "n.net", layers))
    assert full(network, "layer1->layer2").tolist() == [[1, 0] * 3, [0, 1] * 3]  # channels are the groups


def test_concatenation(tmp_path: Path) -> None:
    """Layer 3 hears layer 1 and, past it, layer 0; layer 0 hears the input and, around, layer 3."""
    first, joined = even(2, 4 + 3), even(3, 2 + 2)
    layers = [
        {"type": "input", "shape": [4]},
        {"type": "concat", "shape": [7], "layers": [5]},
        dense(first),
        dense(even(2, 2)),
        {"type": "concat", "shape": [4], "layers": [2]},
        dense(joined),
    ]
    network = read_net(write(tmp_path / "n.net", layers))
    np.testing.assert_array_equal(full(network, "input->layer2"), first[:, :4])
    np.testing.assert_array_equal(full(network, "layer5->layer2"), first[:, 4:])
    np.testing.assert_array_equal(full(network, "layer3->layer5"), joined[:, :2])
    np.testing.assert_array_equal(full(network, "layer2->layer5"), joined[:, 2:])
    ReferenceRunner().run(network, {"input": np.ones((1, 5, 4), int)}, 5)


def test_concatenated_channels(tmp_path: Path) -> None:
    kernel, weight = RNG.integers(-9, 10, (2, 2 + 3, 1, 1)), even(2, 2 * 4)
    layers = [
        {"type": "input", "shape": [1, 2, 2]},
        conv(RNG.integers(-9, 10, (3, 1, 1, 1)), [3, 2, 2]),
        conv(RNG.integers(-9, 10, (2, 3, 1, 1)), [2, 2, 2]),
        {"type": "concat", "shape": [5, 2, 2], "layers": 1},
        conv(kernel, [2, 2, 2]),
        {"type": "flatten", "shape": [8]},
        dense(weight),
    ]
    network = read_net(write(tmp_path / "n.net", layers))
    parts = {p.source: p.synapse for p in network.projections if p.target == "layer4"}
    assert parts["layer2"].weight[:, 0, 0].tolist() == kernel[:, :2, 0, 0].tolist()
    assert parts["layer1"].weight[:, 0, 0].tolist() == kernel[:, 2:, 0, 0].tolist()
    np.testing.assert_array_equal(full(network, "layer4->layer6"), weight[:, columns_here((2, 2, 2))])


def test_part_of_a_network(tmp_path: Path) -> None:
    layers = [
        {"type": "input", "shape": [1, 3, 3], **sdnn()},
        conv(RNG.integers(-9, 10, (2, 1, 2, 2)), [2, 2, 2], **{**OFF, **sdnn()}),
        {"type": "flatten", "shape": [8]},
        dense(even(3, 8), **{**OFF, **sdnn()}),
    ]
    path = write(tmp_path / "n.net", layers)
    assert list(read_net(path, num_layers=2).populations) == ["input", "layer0", "layer1"]
    skipped = read_net(path, skip_layers=1)
    assert skipped.populations["input"].shape == (3, 3, 1) and skipped.projections[0].graded
    last = read_net(path, skip_layers=2)
    assert last.populations["input"].shape == (8,)  # flat, in the file's order, as netx's `inp`
    np.testing.assert_array_equal(full(last, "input->layer3"), layers[3]["weight"])
    assert isinstance(read_net(path, sparse_fc_layer=True).projections[-1].synapse, Sparse)
    assert isinstance(read_net(path).projections[-1].synapse, Dense)


def test_parameters_by_channel(tmp_path: Path) -> None:
    by_channel = conv(even(2, 1, 1, 1), [2, 1, 2], **cuba(iDecay=[5, 9], vThMant=[7]))
    layers = [{"type": "input", "shape": [1, 1, 2]}, by_channel]
    params = read_net(write(tmp_path / "n.net", layers)).populations["layer1"].params
    assert params["du"].tolist() == [4, 8, 4, 8] and params["vth"] == 7


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


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("ND1283", {"x": 1}), ("ND1283", {"layer/0": 1}), ("ND1286", {"layer": None}),
        *(("ND1286", {f"layer/{k}/type": "flatten" for k in keys}) for keys in (["1"], ["0", "2"], ["0", "x"], ["00"])),
    ],
)  # fmt: skip
def test_wrong_trees(code: str, content: dict[str, Any], tmp_path: Path) -> None:
    with h5py.File(tmp_path / "n.net", "w") as file:
        for name, value in content.items():
            if value is None:
                file.create_group(name)
            else:
                file[name] = value
    refused(ModelError, code, read_net, tmp_path / "n.net")


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
