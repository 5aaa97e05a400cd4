"""Bundles that lie, with digests that are right: a `BundleError` when they are opened, and never a huge allocation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import BundleError, NeurodeployError, UserError
from neurodeploy.hybrid import Hybrid
from simulators import get_runner
from tests import models, refusals
from tests.bundle.changes import ISLAND, Change, refused, rewrite, sign
from tests.bundle.test_network_bundle import write
from tests.networks.random_networks import random_network


def converted(folder: Path, family: str, **settings: int) -> Path:
    model = models.save(family, folder / family, eos_token_id=None, bos_token_id=None, **settings)
    pipeline.convert(model, folder / "x.nd", preset="quick", calibration_tokens=64)
    open_bundle(folder / "x.nd")
    return folder / "x.nd"


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted GPT-2: layer norms, learnt positions, no gate."""
    return converted(tmp_path_factory.mktemp("learnt"), "gpt2", n_layer=1)


@pytest.fixture(scope="module")
def partial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted Phi-3 of which a part of each head is rotated."""
    return converted(tmp_path_factory.mktemp("partial"), "phi3", num_hidden_layers=1)


@pytest.fixture(scope="module")
def spiking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = tmp_path_factory.mktemp("spiking") / "x.nd"
    write(bundle, random_network(5)[0])
    return bundle


def step(program: dict[str, Any], op: str) -> dict[str, Any]:
    return next(row for row in program["host"] if row.get("op") == op)


def border(program: dict[str, Any], key: str) -> dict[str, Any]:
    """The first "encode" or "decode", those of `ISLAND`."""
    return next(row for row in program["host"] if key in row)


def neurons(program: dict[str, Any], name: str = ISLAND) -> dict[str, Any]:
    return next(row for row in program["network"]["populations"] if row["name"] == name)


def source(program: dict[str, Any]) -> dict[str, Any]:
    return neurons(program, f"{ISLAND}.input")


def synapses(program: dict[str, Any]) -> dict[str, Any]:
    return next(row for row in program["network"]["projections"] if row["target"] == ISLAND)


def swap(items: list[Any], a: int, b: int) -> None:
    items[a], items[b] = items[b], items[a]


#: A bundle, and what is changed in its program.
LIES: dict[str, dict[str, Change]] = {
    "spiking": {
        "unknown model": lambda p: p["network"]["populations"][0].update(model="soma"),
        "huge shape": lambda p: p["network"]["populations"][0].update(shape=[1 << 31, 1 << 31]),
        "negative side": lambda p: p["network"]["populations"][0].update(shape=[-4]),
        "text for a number": lambda p: p["network"]["projections"][0].update(weight_exp="x"),
        "unknown kind": lambda p: p["network"]["projections"][0]["synapse"].update(kind="magic"),
        "unknown population": lambda p: p["network"]["projections"][0].update(source="nowhere"),
        "no outputs": lambda p: p["network"].update(outputs=[]),
        "populations is text": lambda p: p["network"].update(populations="all"),
        "bad dt": lambda p: p["network"].update(dt=[0, 0, 0]),
    },
    "llama_bundle": {
        "another contract": lambda p: p.update(contract="neurodeploy-graded-24/2"),
        "no steps": lambda p: p.update(host=[]),
        "steps of another type": lambda p: p.update(host={"a": 1}),
        "step of another type": lambda p: p["host"].append(3),
        "no network": lambda p: p.pop("network"),
        "no populations": lambda p: p["network"].update(populations=[], projections=[]),
        "population twice": lambda p: p["network"]["populations"].append(dict(neurons(p), name="lm_head")),
        "unknown operation": lambda p: step(p, "add").update(op="subtract"),
        "missing attribute": lambda p: step(p, "attention")["attrs"].pop("heads"),
        "no heads": lambda p: step(p, "attention")["attrs"].update(heads=0),
        "heads of another size": lambda p: step(p, "attention")["attrs"].update(heads=8),
        "heads as text": lambda p: step(p, "attention")["attrs"].update(heads="4"),
        "absurd head size": lambda p: step(p, "attention")["attrs"].update(head_dim=2**62),
        "negative window": lambda p: step(p, "attention")["attrs"].update(window=-1),
        "group of nothing": lambda p: step(p, "rmsnorm")["attrs"].update(group=0),
        "negative epsilon": lambda p: step(p, "rmsnorm")["attrs"].update(eps=-1.0),
        "endless epsilon": lambda p: step(p, "rmsnorm")["attrs"].update(eps=10**400),
        "frequencies missing": lambda p: step(p, "rope")["attrs"].update(inv_freq=[1.0]),
        "frequencies of another type": lambda p: step(p, "rope")["attrs"].update(inv_freq=["a"] * 8),
        "odd head size": lambda p: step(p, "rope")["attrs"].update(head_dim=15),
        "unknown style": lambda p: step(p, "rope")["attrs"].update(style="spiral"),
        "unknown activation": lambda p: step(p, "glu")["attrs"].update(act="relu"),
        "scale of no number": lambda p: step(p, "embedding")["attrs"].update(scale=None),
        "input too many": lambda p: step(p, "rmsnorm")["inputs"].append("tokens"),
        "input too few": lambda p: step(p, "add")["inputs"].pop(),
        "input before it is made": lambda p: step(p, "add")["inputs"].__setitem__(0, "logits"),
        "input of another size": lambda p: step(p, "glu")["inputs"].__setitem__(0, "embed_tokens"),
        "the token ids as activations": lambda p: step(p, "rmsnorm")["inputs"].__setitem__(0, "tokens"),
        "output made twice": lambda p: step(p, "add")["outputs"].__setitem__(0, "embed_tokens"),
        "path twice": lambda p: step(p, "add").update(path=step(p, "rmsnorm")["path"]),
        "tensor missing": lambda p: step(p, "rmsnorm")["weights"].update(weight="nothing"),
        "tensor of another shape": lambda p: step(p, "rmsnorm")["weights"].update(weight="embed_tokens.weight"),
        "tensor where none belongs": lambda p: step(p, "add")["weights"].update(weight="norm.weight"),
        "no tensor": lambda p: step(p, "embedding").update(weights={}),
        "call of no island": lambda p: border(p, "decode").update(population="nothing"),
        "absurd size": lambda p: p["sizes"].update({"embed_tokens": 2**50}),
        "other size": lambda p: p["sizes"].update({"embed_tokens": 4096}),
        "negative size": lambda p: p["sizes"].update({"logits": -1}),
        "size of no number": lambda p: p["sizes"].update({"logits": "256"}),
        "size missing": lambda p: p["sizes"].pop("norm"),
        "other vocabulary": lambda p: p["info"].update(vocab_size=300),
        "no positions": lambda p: p["info"].update(max_positions=0),
        "end tokens of text": lambda p: p["info"].update(eos_tokens=["end"]),
        "no information": lambda p: p.pop("info"),
        "output that nobody makes": lambda p: p.update(output="answer"),
        "island: absurd rows": lambda p: neurons(p).update(shape=[2**60]),
        "island: other rows": lambda p: neurons(p).update(shape=[64]),
        "island: no columns": lambda p: source(p).update(shape=[0]),
        "island: rows as text": lambda p: neurons(p).update(shape=["128"]),
        "island: negative scale": lambda p: border(p, "encode").update(scale=[-5, -20]),
        "island: no scale": lambda p: border(p, "decode").update(scale=[0, 0]),
        "island: absurd scale": lambda p: border(p, "decode").update(scale=[1, 900]),
        "island: vanishing scale": lambda p: border(p, "encode").update(scale=[1, -900]),
        "island: scale of one number": lambda p: border(p, "encode").update(scale=[1]),
        "island: scale of floats": lambda p: border(p, "encode").update(scale=[0.5, 1.0]),
        "island: payload of 25 bits": lambda p: source(p)["params"].update(bits=25),
        "island: payload of 64 bits": lambda p: source(p)["params"].update(bits=64),
        "island: state of 64 bits": lambda p: neurons(p)["params"].update(state_bits=64),
        "island: shift of 60": lambda p: neurons(p)["params"].update(acc_shift=60),
        "island: negative shift": lambda p: neurons(p)["params"].update(acc_shift=-1),
        "island: unknown parameter": lambda p: neurons(p)["params"].update(gain=1),
        "island: unknown model": lambda p: neurons(p).update(model="perceptron"),
        "island: weights of another type": lambda p: synapses(p)["synapse"]["weight"]["array"].__setitem__(0, "float32"),
        "island: synapses of no kind": lambda p: synapses(p)["synapse"].update(kind="all"),
        "island: synapses from nowhere": lambda p: synapses(p).update(source="nothing"),
        "island: encoded twice": lambda p: p["host"].insert(5, border(p, "encode")),
        "island: an exponent too large": lambda p: synapses(p).update(weight_exp=40),
        "island: slice out of range": lambda p: neurons(p)["sections"][-1].__setitem__(2, 10_000),
        "island: slice with a gap": lambda p: neurons(p)["sections"][1].__setitem__(1, 70),
        "island: slices overlap": lambda p: neurons(p)["sections"][1].__setitem__(1, 10),
        "island: slice backwards": lambda p: neurons(p)["sections"][0].__setitem__(2, -4),
        "island: slice missing": lambda p: neurons(p)["sections"].pop(),
        "island: no slices": lambda p: neurons(p).update(sections=[]),
        "island: slice of two values": lambda p: neurons(p)["sections"].__setitem__(0, ["a", "b"]),
        "island: more heads than rows": lambda p: neurons(p)["sections"][0].__setitem__(4, 2**40),
        "island: layer of text": lambda p: neurons(p).update(layer="first"),
    },
    # Rows of one expert must not meet rows of another, or all tokens: kernels would read beyond their end.
    "experts_bundle": {
        "experts swapped": lambda p: swap(step(p, "moe_combine")["inputs"], 1, 2),
        "an expert too few": lambda p: step(p, "moe_combine")["inputs"].pop(),
        "an expert twice": lambda p: step(p, "moe_combine")["inputs"].__setitem__(2, step(p, "moe_combine")["inputs"][1]),
        "an expert that is nobody's": lambda p: step(p, "moe_dispatch")["outputs"].pop(),
        "tokens where an expert's belong": lambda p: step(p, "moe_combine")["inputs"].__setitem__(1, "embed_tokens"),
        "an expert's where tokens belong": lambda p: p["host"][-3].update(inputs=step(p, "moe_combine")["inputs"][1:2]),
        "routing by activations": lambda p: step(p, "moe_dispatch")["inputs"].__setitem__(1, "embed_tokens"),
        "more experts than there are": lambda p: step(p, "moe_route")["attrs"].update(top_k=5),
    },
    "learnt": {
        "fewer positions than the table": lambda p: p["info"].update(max_positions=255),
        "more positions than the table": lambda p: p["info"].update(max_positions=257),
        "no table of positions": lambda p: step(p, "position_embedding").update(weights={}),
        "positions of the token ids": lambda p: step(p, "position_embedding").update(inputs=["tokens"]),
        "a norm without a bias": lambda p: step(p, "layernorm")["weights"].pop("bias"),
        "a bias of another shape": lambda p: step(p, "layernorm")["weights"].update(bias="embed_tokens.weight"),
        "a third tensor": lambda p: step(p, "layernorm")["weights"].update(mean="norm.weight"),
        "an unknown function": lambda p: step(p, "activation")["attrs"].update(act="gelu"),
        "another group": lambda p: step(p, "layernorm")["attrs"].update(group=32),
    },
    "partial": {
        "more rotated than there is": lambda p: step(p, "rope")["attrs"].update(rotated=32, inv_freq=[1.0] * 16),
        "fewer frequencies than rotated": lambda p: step(p, "rope")["attrs"].update(inv_freq=[1.0] * 5),
        "rotated is all": lambda p: step(p, "rope")["attrs"].pop("rotated"),
        "a factor of no number": lambda p: step(p, "rope")["attrs"].update(factor="1"),
        "a negative factor": lambda p: step(p, "rope")["attrs"].update(factor=-1.0),
    },
}  # fmt: skip


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, changes in LIES.items() for name in changes])
def test_program_that_lies(model: str, name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    copy = tmp_path / "x.nd"
    shutil.copytree(request.getfixturevalue(model), copy)
    rewrite(copy, LIES[model][name])
    refused(copy, "ND5006")


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "..", "", "a\0b", "nothing"])
def test_island_outside_the_bundle(bundle: Path, name: str) -> None:
    rewrite(bundle, lambda p: synapses(p)["synapse"]["weight"].update({"in": f"islands/{name}"}))
    refused(bundle, "ND5003", "is missing from the manifest")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where values stand in JSON; of a list the first three items."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def test_every_value_of_the_program_is_checked(bundle: Path) -> None:
    """Whatever single value is replaced by nonsense: a coded error, or a program that is none the worse for it."""
    good = json.loads((bundle / "program.json").read_text())
    codes: dict[str, int] = {}
    for count, place in enumerate(places(good)):
        nonsense = (None, -1, 2**70, "", [], {}, 0.5, True)[count % 8]
        value = json.loads(json.dumps(good))
        target = value
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = nonsense
        if value == good:
            continue
        (bundle / "program.json").write_text(json.dumps(value))
        sign(bundle, "program.json")
        try:
            opened = open_bundle(bundle)
            out = Hybrid(opened.program, opened.host_weights, get_runner("fast")).forward(np.array([1, 2, 3]))
            assert out.shape == (3, 256) and bool(out.isfinite().all())
            outcome = "fine"
        except NeurodeployError as error:
            assert isinstance(error, BundleError), (place, nonsense, error)
            outcome = error.code
        codes[outcome] = codes.get(outcome, 0) + 1
    assert codes["ND5006"] > 0.7 * sum(codes.values()), codes
    assert set(codes) <= {"ND5006", "ND5003", "fine"}


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("preset"), lambda c: c.update(preset=[]), lambda c: c["preset"].update(weight_bits="8"),
        lambda c: c.update(calibration=None), lambda c: c.update(sites={}), lambda c: c["sites"].append(1),
        lambda c: c["sites"][0].pop("path"), lambda c: c["sites"][0].update(weight_sqnr_db="good"),
        lambda c: c["bits_a_weight"].update(body="few"), lambda c: c["preset"].update(weights="columns"),
    ],
)  # fmt: skip
def test_conversion_that_lies(bundle: Path, change: Change) -> None:
    rewrite(bundle, change, "conversion.json")
    refused(bundle, "ND5006", "conversion.json")


def replace_dataset(bundle: Path, member: str, name: str, **made: Any) -> None:
    """With one that is made so; with none where nothing is said."""
    with h5py.File(bundle / member, "r+") as file:
        if name in file:
            del file[name]
        if made:
            file.create_dataset(name, **made)
    sign(bundle, member)


WEIGHT, NIR, ARRAYS = "node/nodes/synapses/weight", f"islands/{ISLAND}.nir", f"islands/{ISLAND}.q.h5"
#: The file and the dataset that are replaced, what is there then, and what is said. An HDF5 file may announce a dataset of a
#: terabyte and hold nothing: it must not be allocated.
DATASETS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "weights as float": (NIR, WEIGHT, {"data": np.ones((128, 64), np.float32)}, ""),
    "weights of another shape": (NIR, WEIGHT, {"data": np.ones((64, 128), np.int8)}, ""),
    "weights compressed": (NIR, WEIGHT, {"data": np.ones((128, 64), np.int8), "compression": "gzip"}, ""),
    "weights missing": (NIR, WEIGHT, {}, ""),
    "multiplier as text": (ARRAYS, "multiplier", {"data": np.array([b"x"] * 128)}, ""),
    "multiplier of another type": (ARRAYS, "multiplier", {"data": np.ones(128, np.int32)}, ""),
    "multiplier too short": (ARRAYS, "multiplier", {"data": np.ones(100, np.int16)}, ""),
    "multiplier missing": (ARRAYS, "multiplier", {}, ""),
    "multiplier larger than its file": (
        ARRAYS, "multiplier", {"shape": (1 << 40,), "dtype": np.int16, "chunks": (1 << 20,)}, "multiplier",
    ),
    "shift beyond 47": (ARRAYS, "shift", {"data": np.full(128, 48, np.uint8)}, ""),
    "sums that cannot be": (ARRAYS, "block_sums", {"data": np.array([2**40])}, ""),
    "negative sums": (ARRAYS, "block_sums", {"data": np.array([-1])}, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", DATASETS)
def test_arrays_that_lie(bundle: Path, name: str) -> None:
    member, dataset, made, says = DATASETS[name]
    replace_dataset(bundle, member, dataset, **made)
    refused(bundle, "ND5006", says)


@pytest.mark.parametrize(
    ("key", "kind", "data"),
    [
        ("axon_exp", "uint8", np.full(64, 16, np.uint8)),  # the largest is 15
        ("axon_exp", "int8", np.full(64, 1, np.int8)),
        ("bias", "int64", np.full(128, -(2**63))),
        ("bias", "float64", np.ones(128)),
        ("bias", "int64", np.ones(128)),  # no integer in the file
    ],
)
def test_further_arrays_that_lie(bundle: Path, key: str, kind: str, data: Any) -> None:
    replace_dataset(bundle, ARRAYS, key, data=data)
    entry = {"array": [kind, [len(data)]], "in": ARRAYS, "as": key}
    rewrite(bundle, lambda p: (neurons(p)["params"] if key == "bias" else synapses(p)).update({key: entry}))
    refused(bundle, "ND5006")


def test_matrix_that_is_larger_than_its_file(bundle: Path) -> None:
    rewrite(bundle, lambda p: synapses(p)["synapse"]["weight"].update(array=["int8", [1 << 30, 1 << 30]]))
    replace_dataset(bundle, NIR, WEIGHT, shape=(1 << 30, 1 << 30), dtype=np.int8, chunks=(1 << 10, 1 << 10))
    refused(bundle, "ND5006", "in one piece")


@pytest.mark.parametrize(("member", "code"), [(NIR, "ND5006"), (ARRAYS, "ND5006"), ("host.safetensors", "ND1004")])
def test_member_of_another_kind(bundle: Path, member: str, code: str) -> None:
    (bundle / member).write_bytes(b"something else entirely")
    sign(bundle, member)
    refusals.refused(UserError, code, open_bundle, bundle)


VECTORS, INTO, OUT = "vectors/golden.h5", f"{ISLAND}/inputs/{ISLAND}.input", f"{ISLAND}/outputs/{ISLAND}"
#: What only `verify` looks at: golden vectors, and the scales of a NIR file beside its integers.
UNVERIFIED: dict[str, tuple[str, str, Any, str]] = {
    "payload of another type": (VECTORS, INTO, np.zeros((1, 16, 64), np.int16), "ND5006"),
    "payload of another width": (VECTORS, INTO, np.zeros((1, 16, 60), np.int32), "ND5006"),
    "payload too large": (VECTORS, INTO, np.full((1, 16, 64), -32768, np.int32), "ND5006"),
    "no output": (VECTORS, OUT, None, "ND5006"),
    "wrong output": (VECTORS, OUT, np.ones((1, 16, 128), np.int32), "ND5009"),
    "other scales": (NIR, "node/nodes/scale/scale", np.ones(128, np.float32), "ND5008"),
}


@pytest.mark.parametrize("name", UNVERIFIED)
def test_only_verify_looks_that_closely(bundle: Path, name: str) -> None:
    member, dataset, data, code = UNVERIFIED[name]
    replace_dataset(bundle, member, dataset, **({} if data is None else {"data": data}))
    assert open_bundle(bundle).program.segments
    refusals.refused(BundleError, code, pipeline.verify, bundle)
