"""Bundles that lie, with digests that are right: a `BundleError` when they are opened, and never a huge allocation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
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
from tests.bundle.changes import ISLAND, refused, rewrite, sign


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


Change = Callable[[dict[str, Any]], object]
PROGRAMS: dict[str, Change] = {
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
    "island: payload of 17 bits": lambda p: source(p)["params"].update(bits=17),
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
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_that_lies(bundle: Path, name: str) -> None:
    rewrite(bundle, PROGRAMS[name])
    refused(bundle, "ND5006")


def swap(items: list[Any], a: int, b: int) -> None:
    items[a], items[b] = items[b], items[a]


ROUTED: dict[str, Change] = {
    "experts swapped": lambda p: swap(step(p, "moe_combine")["inputs"], 1, 2),
    "an expert too few": lambda p: step(p, "moe_combine")["inputs"].pop(),
    "an expert twice": lambda p: step(p, "moe_combine")["inputs"].__setitem__(2, step(p, "moe_combine")["inputs"][1]),
    "an expert that is nobody's": lambda p: step(p, "moe_dispatch")["outputs"].pop(),
    "tokens where an expert's belong": lambda p: step(p, "moe_combine")["inputs"].__setitem__(1, "embed_tokens"),
    "an expert's where tokens belong": lambda p: p["host"][-3].update(inputs=step(p, "moe_combine")["inputs"][1:2]),
    "routing by activations": lambda p: step(p, "moe_dispatch")["inputs"].__setitem__(1, "embed_tokens"),
    "more experts than there are": lambda p: step(p, "moe_route")["attrs"].update(top_k=5),
}


@pytest.mark.parametrize("name", ROUTED)
def test_experts_that_lie(experts_bundle: Path, tmp_path: Path, name: str) -> None:
    """Rows of one expert must not meet rows of another, or all tokens: kernels would read beyond their end."""
    copy = tmp_path / "x.nd"
    shutil.copytree(experts_bundle, copy)
    rewrite(copy, ROUTED[name])
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
    ],
)  # fmt: skip
def test_conversion_that_lies(bundle: Path, change: Change) -> None:
    rewrite(bundle, change, "conversion.json")
    refused(bundle, "ND5006", "conversion.json")


def replace_dataset(bundle: Path, member: str, name: str, data: Any, **options: Any) -> None:
    with h5py.File(bundle / member, "r+") as file:
        if name in file:
            del file[name]
        if data is not None:
            file.create_dataset(name, data=data, **options)
    sign(bundle, member)


WEIGHT = "node/nodes/synapses/weight"
ARRAYS: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "weights as float": (".nir", WEIGHT, np.ones((128, 64), np.float32), {}),
    "weights of another shape": (".nir", WEIGHT, np.ones((64, 128), np.int8), {}),
    "weights compressed": (".nir", WEIGHT, np.ones((128, 64), np.int8), {"compression": "gzip"}),
    "weights missing": (".nir", WEIGHT, None, {}),
    "multiplier as text": (".q.h5", "multiplier", np.array([b"x"] * 128), {}),
    "multiplier of another type": (".q.h5", "multiplier", np.ones(128, np.int32), {}),
    "multiplier too short": (".q.h5", "multiplier", np.ones(100, np.int16), {}),
    "multiplier missing": (".q.h5", "multiplier", None, {}),
    "shift beyond 47": (".q.h5", "shift", np.full(128, 48, np.uint8), {}),
    "sums that cannot be": (".q.h5", "block_sums", np.array([2**40]), {}),
    "negative sums": (".q.h5", "block_sums", np.array([-1]), {}),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_lie(bundle: Path, name: str) -> None:
    suffix, dataset, data, options = ARRAYS[name]
    replace_dataset(bundle, f"islands/{ISLAND}{suffix}", dataset, data, **options)
    refused(bundle, "ND5006")


ADDED: dict[str, tuple[str, str, Any]] = {
    "exponent of 16": ("axon_exp", "uint8", np.full(64, 16, np.uint8)),
    "exponents of another type": ("axon_exp", "int8", np.full(64, 1, np.int8)),
    "bias too large": ("bias", "int64", np.full(128, -(2**63))),
    "bias as float": ("bias", "float64", np.ones(128)),
    "bias that is no integer in the file": ("bias", "int64", np.ones(128)),
}


@pytest.mark.parametrize("name", ADDED)
def test_further_arrays_that_lie(bundle: Path, name: str) -> None:
    key, kind, data = ADDED[name]
    replace_dataset(bundle, f"islands/{ISLAND}.q.h5", key, data)
    entry = {"array": [kind, [len(data)]], "in": f"islands/{ISLAND}.q.h5", "as": key}
    rewrite(bundle, lambda p: (neurons(p)["params"] if key == "bias" else synapses(p)).update({key: entry}))
    refused(bundle, "ND5006")


def test_array_that_is_larger_than_its_file(bundle: Path) -> None:
    """An HDF5 file may announce a dataset of a terabyte and hold nothing: it must not be allocated."""
    member = f"islands/{ISLAND}.q.h5"
    with h5py.File(bundle / member, "r+") as file:
        del file["multiplier"]
        file.create_dataset("multiplier", shape=(1 << 40,), dtype=np.int16, chunks=(1 << 20,))
    sign(bundle, member)
    refused(bundle, "ND5006", "multiplier")


def test_matrix_that_is_larger_than_its_file(bundle: Path) -> None:
    member = f"islands/{ISLAND}.nir"
    rewrite(bundle, lambda p: synapses(p)["synapse"]["weight"].update(array=["int8", [1 << 30, 1 << 30]]))
    with h5py.File(bundle / member, "r+") as file:
        del file[WEIGHT]
        file.create_dataset(WEIGHT, shape=(1 << 30, 1 << 30), dtype=np.int8, chunks=(1 << 10, 1 << 10))
    sign(bundle, member)
    refused(bundle, "ND5006", "in one piece")


@pytest.mark.parametrize("member", [f"islands/{ISLAND}.nir", f"islands/{ISLAND}.q.h5", "host.safetensors"])
def test_member_of_another_kind(bundle: Path, member: str) -> None:
    (bundle / member).write_bytes(b"something else entirely")
    sign(bundle, member)
    with pytest.raises(UserError) as found:
        open_bundle(bundle)
    assert found.value.code in ("ND5006", "ND1004")


INTO, OUT = f"{ISLAND}/inputs/{ISLAND}.input", f"{ISLAND}/outputs/{ISLAND}"
VECTORS: dict[str, tuple[str, Any, str]] = {
    "payload of another type": (INTO, np.zeros((1, 16, 64), np.int16), "ND5006"),
    "payload of another width": (INTO, np.zeros((1, 16, 60), np.int32), "ND5006"),
    "payload too large": (INTO, np.full((1, 16, 64), -32768, np.int32), "ND5006"),
    "no output": (OUT, None, "ND5006"),
    "wrong output": (OUT, np.ones((1, 16, 128), np.int32), "ND5009"),
}


@pytest.mark.parametrize("name", VECTORS)
def test_golden_vectors_that_lie(bundle: Path, name: str) -> None:
    dataset, data, code = VECTORS[name]
    replace_dataset(bundle, "vectors/golden.h5", dataset, data)
    with pytest.raises(BundleError, match=code):
        pipeline.verify(bundle)


def test_islands_that_differ_from_their_integers(bundle: Path) -> None:
    """A NIR file with other scales than the integers beside it: only `verify` looks that closely."""
    replace_dataset(bundle, f"islands/{ISLAND}.nir", "node/nodes/scale/scale", np.ones(128, np.float32))
    assert open_bundle(bundle).program.segments
    with pytest.raises(BundleError, match="ND5008"):
        pipeline.verify(bundle)
