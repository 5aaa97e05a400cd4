"""Networks of our own as .net files; the optimisation of weight bits that netx does, where its formula fails too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurodeploy.errors import ModelError, NeurodeployError
from neurodeploy.frontends.hdf5_guard import Group
from neurodeploy.frontends.lavadl import read_net, write_net
from neurodeploy.frontends.lavadl.compare import difference
from neurodeploy.frontends.lavadl.fields import Fields, Notes
from neurodeploy.frontends.lavadl.neurons import through_period
from neurodeploy.frontends.lavadl.weights import most_shift, optimised, stored, trailing_zeros
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.synapses import Direct, build
from tests.frontends.lavadl.files import cuba, dense, rewritten, sdnn, write
from tests.refusals import refused
from tests.synapses.convolutions import transposed_conv

RNG = np.random.default_rng(4)
LIF = {"du": 100, "dv": 20, "vth": 50}


def population(name: str, shape: tuple[int, ...], model: str = "lif", **params: Any) -> Population:
    return Population(name, shape, model, params or (LIF if model == "lif" else {}))


def network(populations: list[Population], projections: list[Projection], **more: Any) -> Network:
    return Network("n", {p.name: p for p in populations}, tuple(projections), (populations[-1].name,), **more)


def even(*shape: int) -> np.ndarray:
    return 2 * RNG.integers(-60, 61, shape)


def image() -> Network:
    """Convolution, its transpose, dense with delays and recurrence, names and biases of our own."""
    a = build.conv(RNG.integers(-90, 90, (4, 2, 3, 1)), (5, 6, 2), (2, 1), (1, 0), (1, 2), 2)
    b = transposed_conv(RNG.integers(-90, 90, (3, 2, 2, 4)), a.output_shape, (1, 2), (0, 1))
    size = b.rows
    populations = [
        population("retina", (5, 6, 2), "input"),
        population("V1", a.output_shape, **LIF, bias_exp=6, bias_mant=np.tile([1, -2, 3, 0], a.rows // 4)),
        population("V2", b.output_shape, du=np.arange(size) % 50, dv=0, vth=9, bias_exp=6, bias_mant=np.arange(size)),
        population("IT out", (7,), "lif", **LIF),
    ]
    projections = [
        Projection("one", "retina", "V1", a),
        Projection("two", "V1", "V2", b, delay=np.arange(a.rows, dtype=np.uint8) % 9),
        Projection("three", "V2", "IT out", build.dense(even(7, size)), weight_exp=0),
        Projection("back", "IT out", "IT out", build.dense(even(7, 7))),
    ]
    return network(populations, projections, dt=Dyadic(1, -10))


def test_an_image(tmp_path: Path) -> None:
    n = image()
    again = rewritten(n, tmp_path / "n.net")
    assert difference(n, again) is None and again.dt == n.dt
    assert list(again.populations) == list(n.populations) and again.outputs == ("IT out",)
    assert [path.name for path in tmp_path.iterdir()] == ["n.net"]
    with h5py.File(tmp_path / "n.net") as file:
        kinds = [file[f"layer/{i}/type"][0].decode() for i in range(len(file["layer"]))]
        assert kinds == ["input", "conv", "convT", "flatten", "dense_rec"]
        assert file["layer/1/bias"].shape == (4,) and file["layer/4/weight"].dtype == np.float32


def test_sigma_delta_and_sparse(tmp_path: Path) -> None:
    row, column = np.array([0, 1, 1, 2]), np.array([3, 0, 2, 2])
    sparse = build.sparse_from_coo(3, 4, row, column, np.array([4, -8, 12, 2]))
    exps = {"spike_exp": 6, "state_exp": 6}
    populations = [
        population("x", (4,), "input"),
        population("d", (4,), "delta", vth=3, **exps),
        population("s", (3,), "sigma_delta", vth=2, bias=np.array([5, 0, -7]), **exps),
        population("y", (3,), "sigma"),
    ]
    delay = np.array([1, 2, 3, 4], np.uint8)
    projections = [
        Projection("a", "x", "d", Direct(4), graded=True),
        Projection("b", "d", "s", sparse, graded=True, delay=delay),
        Projection("c", "s", "y", build.sparse_from_coo(3, 3, row[:3], np.arange(3), np.array([2, 6, 4])), graded=True),
    ]
    n = network(populations, projections)
    assert difference(n, rewritten(n, tmp_path / "n.net")) is None


@pytest.mark.parametrize("model", ["rf", "rf_iz"])
def test_resonators_survive_the_way_through_the_period(model: str, tmp_path: Path) -> None:
    angle = RNG.uniform(-np.pi, np.pi, 40)
    sin, cos = through_period(*(np.trunc(f(angle) * 3900).astype(np.int64) for f in (np.sin, np.cos)))
    params = {"sin_decay": sin, "cos_decay": cos, "vth": 3, "state_exp": 6, "decay_bits": 12}
    ports = [Projection(k, "x", "r", build.dense(even(40, 2)), target_port=k) for k in ("re", "im")]
    n = network([population("x", (2,), "input"), population("r", (40,), model, **params)], ports)
    assert difference(n, rewritten(n, tmp_path / "n.net")) is None


def changed(n: Network, name: str, **params: Any) -> Network:
    populations = dict(n.populations)
    populations[name] = replace(populations[name], **params)
    return replace(n, populations=populations)


BASE = network([population("x", (4,), "input"), population("a", (3,))],
               [Projection("p", "x", "a", build.dense(even(3, 4)))])  # fmt: skip
(P,) = BASE.projections
SECOND = {"name": "q", "synapse": build.dense(even(3, 4))}


def joined(*projections: Projection, beside: Population | None = None) -> Network:
    """The same populations, joined so, and one beside them."""
    more = {beside.name: beside} if beside else {}
    return replace(BASE, projections=projections, populations={**BASE.populations, **more})


#: the population that is named, and a network that has something the format has no place for
INEXPRESSIBLE: dict[str, tuple[str, Network]] = {
    "another model": ("a", changed(BASE, "a", model="lif_subtract")),
    "reset": ("a", changed(BASE, "a", model="lif_reset", params={**LIF, "reset_interval": 4})),
    "initial state": ("a", changed(BASE, "a", initial={"v": 3})),
    "exponent of the bias": ("a", changed(BASE, "a", params={**LIF, "bias_mant": 3, "bias_exp": 2})),
    "fractions": ("a", joined(replace(P, weight_exp=-4))),
    "within the step": ("a", joined(replace(P, instant=True))),
    "weights beyond 8 bits": ("a", joined(replace(P, synapse=build.dense(np.full((3, 4), 999))))),
    "two inputs": ("x", joined(P, beside=population("y", (2,), "input"))),
    "two ways": ("a", joined(P, replace(P, **SECOND))),
    "branch": ("x", joined(P, replace(P, name="q", target="b"), beside=population("b", (3,)))),
    "no input": ("a", network([population("a", (3,))], [])),
    "alone": ("b", joined(P, beside=population("b", (3,)))),
    "recurrent delay": (
        "a", joined(P, Projection("r", "a", "a", build.dense(even(3, 3)), delay=np.full(3, 2, np.uint8))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INEXPRESSIBLE)
def test_what_the_format_has_no_place_for(name: str, tmp_path: Path) -> None:
    subject, made = INEXPRESSIBLE[name]
    error = refused(NeurodeployError, "ND1290", write_net, made, tmp_path / "n.net")
    assert error.subject == f"population {subject}"
    assert not list(tmp_path.iterdir())


def test_an_older_file_stays_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "n.net"
    write_net(image(), path)
    before = path.read_bytes()
    refused(NeurodeployError, "ND1290", write_net, INEXPRESSIBLE["fractions"][1], path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1
    (tmp_path / "folder").mkdir()
    refused(NeurodeployError, "ND1291", write_net, image(), tmp_path / "folder")


def test_a_folder_that_does_not_exist_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for folder in ("a/b", "file", "file/b"):
        refused(NeurodeployError, "ND5004", write_net, image(), tmp_path / folder / "n.net")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


TRANSFORMS = [{}, {"weight": [36.0], "bias": [34.0]}, {"bias": -5}, {"weight": [2.0**31 - 1], "bias": [2.0**24 + 1]}]


@pytest.mark.parametrize("neuron", [cuba(iDecay=4096), sdnn()])
@pytest.mark.parametrize("given", TRANSFORMS)
def test_the_input_transform_is_kept(given: dict[str, Any], neuron: dict[str, Any], tmp_path: Path) -> None:
    layers = [{"type": "input", "shape": [4], **given, **neuron}, dense(even(3, 4))]
    n = read_net(write(tmp_path / "1.net", layers))
    whole = {key: int(np.ravel(given.get(key, default))[0]) for key, default in (("weight", 64), ("bias", 0))}
    assert n.provenance["input_transform"] == {"layer0": whole}
    n = replace(n, provenance=json.loads(json.dumps(n.provenance)))  # as bundles keep it
    again = rewritten(n, tmp_path / "2.net")
    for key in ("input_transform", "host"):
        assert again.provenance[key] == n.provenance[key]
    with h5py.File(tmp_path / "2.net") as file:
        stored = {key: file[f"layer/0/{key}"] for key in whole}
        assert {key: (data.shape, data[0]) for key, data in stored.items()} == {k: ((1,), v) for k, v in whole.items()}


def test_the_input_of_other_networks_is_what_arrives(tmp_path: Path) -> None:
    n = network([population("x", (4,), "input"), population("a", (4,), **LIF | {"du": 4095})], [])
    n = replace(n, projections=(Projection("p", "x", "a", Direct(4), graded=True),))
    write_net(n, tmp_path / "n.net")
    again = read_net(tmp_path / "n.net")
    assert again.provenance["input_transform"] == {"a": {"weight": 1, "bias": 0}}
    biased = changed(n, "a", params={**n.populations["a"].params, "bias_mant": 3, "bias_exp": 6})
    says = r"ND1290 population a: .*neurons have a bias"
    refused(NeurodeployError, says, write_net, biased, tmp_path / "n.net")


FORGOTTEN: dict[str, Any] = {
    "not recorded": {},
    "nothing": {"input_transform": {}},
    "no table": {"input_transform": [36, 34]},
    "another population": {"input_transform": {"b": {"weight": 36, "bias": 34}}},
    "two": {"input_transform": {name: {"weight": 36, "bias": 34} for name in ("layer0", "b")}},
    "half": {"input_transform": {"layer0": {"weight": 36}}},
    "more": {"input_transform": {"layer0": {"weight": 36, "bias": 34, "exponent": 1}}},
    "no integer": {"input_transform": {"layer0": {"weight": 36.5, "bias": 34}}},
    "a truth value": {"input_transform": {"layer0": {"weight": True, "bias": 34}}},
    "too large": {"input_transform": {"layer0": {"weight": 1 << 31, "bias": 34}}},
}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_an_input_transform_that_is_not_known(name: str, tmp_path: Path) -> None:
    n = read_net(write(tmp_path / "1.net", [{"type": "input", "shape": [4], "weight": 36, **cuba(iDecay=4096)}]))
    n = replace(n, provenance={"format": "lava-dl .net", **FORGOTTEN[name]})
    refused(NeurodeployError, "ND1290 population layer0", write_net, n, tmp_path / "2.net")
    assert not (tmp_path / "2.net").exists()


def test_an_input_transform_without_an_input_layer(tmp_path: Path) -> None:
    write_net(replace(BASE, provenance={"format": "lava-dl .net"}), tmp_path / "n.net")
    recorded = {"input_transform": {"a": {"weight": 36, "bias": 34}}}
    n = replace(BASE, provenance=recorded)
    refused(NeurodeployError, "ND1290 population a", write_net, n, tmp_path / "n.net")


def test_differences_are_found() -> None:
    n = image()
    assert difference(n, n) is None
    p = n.projections
    for other in (
        changed(n, "V2", params={**n.populations["V2"].params, "vth": 10}),
        changed(n, "V1", shape=n.populations["V1"].shape[::-1]),
        changed(n, "V1", initial={"v": 1}),
        replace(n, dt=None),
        replace(n, outputs=("V1",)),
        replace(n, projections=p[1:]),
        replace(n, projections=(*p[:2], replace(p[2], graded=True), p[3])),
        replace(n, projections=(*p[:2], replace(p[2], weight_exp=1), p[3])),
        replace(n, projections=(p[0], replace(p[1], delay=None), *p[2:])),
        replace(
            n, projections=(p[0], replace(p[1], synapse=replace(p[1].synapse, dilation=(1, 1), padding=(1, 1))), *p[2:])
        ),
    ):
        assert difference(n, other) is not None or difference(other, n) is not None
    same = replace(p[2], weight_exp=-1, synapse=build.dense(p[2].synapse.weight.astype(int) * 2))
    assert difference(n, replace(n, projections=(*p[:2], same, p[3]))) is None


FIELDS = Fields(Group("/layer/1"), "f.net:/layer/1")


def netx(weight: np.ndarray) -> tuple[float, float]:
    """(scale bits, weight bits) as lava-dl 0.6.0 ``netx/utils.py: optimize_weight_bits`` defines them."""
    high, low = weight.max(), weight.min()
    with np.errstate(divide="ignore"):
        if high < 0:
            scale, signed = np.float64(-256) / low, 0
        elif low >= 0:
            scale, signed = np.float64(255) / high, 0
        else:
            scale, signed = min(np.float64(127) / high, np.float64(-128) / low), 1
    bits = np.floor(np.log2(scale)) + signed
    n = next((n for n in range(8, 0, -1) if (weight % 2**n == 0).all()), 0)
    return bits, 8 - bits - (n - signed)


@given(st.lists(st.integers(-256, 254), min_size=1, max_size=6), st.sampled_from([0, 1, -1]))
def test_equals_the_formula(values: list[int], sign: int) -> None:
    weight = np.array(values, np.int64)
    weight = np.abs(weight) * sign if sign else weight
    if not weight.any():
        return
    bits, width = netx(weight)
    try:
        clipped, shift, mine = optimised(weight, FIELDS, "weight", Notes())
    except ModelError as error:
        assert error.code == "ND1288"
        assert bits < 0
        return
    assert np.array_equal(clipped, weight)
    assert (shift, mine) == (bits, width)


@given(st.lists(st.integers(-128, 127), min_size=1, max_size=8))
def test_even_weights_of_8_bits_are_kept_exactly(halves: list[int]) -> None:
    """All that slayer's 8-bit quantisation makes, unless none is positive and the least is a power of two: netx shifts
    that to -256, which Lava's inhibitory weights do not reach.
    """
    weight = 2 * np.array(halves, np.int64)[None]
    least = -int(weight.min())
    if weight.max() <= 0 < least and least & (least - 1) == 0:
        return
    notes = Notes()
    [kept] = stored([weight], FIELDS, "weight", notes)
    assert np.array_equal(kept.weight.astype(np.int64) * 2.0**kept.exponent, weight)
    assert bool(notes.repairs) == (not weight.any())
    assert kept.exponent <= 0 and 1 <= kept.bits <= 8


#: weights -> what is kept, more of it, and the repair that is told
REPAIRED: dict[str, tuple[list[list[int]], list[list[int]], dict[str, Any], str]] = {
    # netx divides by zero here.
    "no weights": ([[0, 0]] * 3, [[0, 0]] * 3, {"exponent": 0, "bits": 8}, "all weights are 0"),
    "clipped as in netx": ([[300, -300, 255, 2]], [[254, -256, 254, 2]], {}, "3 weights of -300..300 clipped"),
    # Mixed for netx because the largest is 0, inhibitory for Lava, which keeps -255..0 in steps of what is asked for.
    "a lone negative sign": (
        [[0, -128, -64]], [[0, -192, -128]], {"sign_mode": "inhibitory", "exponent": -1, "bits": 2},
        "changed by Lava's clipping",
    ),
    "odd weights beyond 127 keep their last bit": ([[253, -1]], [[253, -1]], {"bits": 9}, "no chip"),
}  # fmt: skip


@pytest.mark.parametrize("name", REPAIRED)
def test_repaired_weights(name: str) -> None:
    weight, kept, more, told = REPAIRED[name]
    notes = Notes()
    [found] = stored([np.array(weight)], FIELDS, "weight", notes)
    assert found.weight.tolist() == kept and {key: getattr(found, key) for key in more} == more
    assert told in notes.repairs[0]


@pytest.mark.parametrize("weight", [[300, 1], [-300, -5], [-256, -256], [0, -400]])
def test_weights_that_netx_would_lose(weight: list[int]) -> None:
    refused(ModelError, "ND1288", stored, [np.array([weight])], FIELDS, "weight", Notes())


def test_recurrent_weights_share_the_exponent() -> None:
    first, second = stored([np.array([[2, 4]]), np.array([[-100]])], FIELDS, "weight", Notes())
    assert (first.exponent, second.exponent) == (-1, -1)
    assert (first.sign_mode, second.sign_mode) == ("excitatory", "inhibitory")
    assert first.weight.tolist() == [[4, 8]] and second.weight.tolist() == [[-200]]


def test_parts() -> None:
    assert [most_shift(127, m) for m in (1, 63, 64, 127, 128, 254, 255)] == [6, 1, 0, 0, -1, -1, -2]
    assert [trailing_zeros(np.array(w)) for w in ([6, 4], [256, -512], [0, 8], [-3])] == [1, 8, 3, 0]
