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
    return next(row for row in program["steps"] if row.get("op") == op)


def island(program: dict[str, Any]) -> dict[str, Any]:
    return next(row for row in program["islands"] if row["name"] == ISLAND)


Change = Callable[[dict[str, Any]], object]
PROGRAMS: dict[str, Change] = {
    "another contract": lambda p: p.update(contract="neurodeploy-graded-24/2"),
    "no steps": lambda p: p.update(steps=[]),
    "steps of another type": lambda p: p.update(steps={"a": 1}),
    "step of another type": lambda p: p["steps"].append(3),
    "no islands": lambda p: p.update(islands=[]),
    "island twice": lambda p: p["islands"].append(dict(island(p), name="lm_head")),
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
    "path twice": lambda p: p["steps"][3].update(path=p["steps"][2]["path"]),
    "tensor missing": lambda p: step(p, "rmsnorm")["weights"].update(weight="nothing"),
    "tensor of another shape": lambda p: step(p, "rmsnorm")["weights"].update(weight="embed_tokens.weight"),
    "tensor where none belongs": lambda p: step(p, "add")["weights"].update(weight="norm.weight"),
    "no tensor": lambda p: step(p, "embedding").update(weights={}),
    "call of no island": lambda p: next(s for s in p["steps"] if "island" in s).update(island="nothing"),
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
    "island: absurd rows": lambda p: island(p).update(rows=2**60),
    "island: other rows": lambda p: island(p).update(rows=64),
    "island: no columns": lambda p: island(p).update(columns=0),
    "island: rows as text": lambda p: island(p).update(rows="128"),
    "island: negative scale": lambda p: island(p).update(input_scale=[-5, -20]),
    "island: no scale": lambda p: island(p).update(output_scale=[0, 0]),
    "island: absurd scale": lambda p: island(p).update(output_scale=[1, 900]),
    "island: vanishing scale": lambda p: island(p).update(input_scale=[1, -900]),
    "island: scale of one number": lambda p: island(p).update(input_scale=[1]),
    "island: scale of floats": lambda p: island(p).update(input_scale=[0.5, 1.0]),
    "island: payload of 15 bits": lambda p: island(p).update(payload_bits=15),
    "island: payload of 64 bits": lambda p: island(p).update(payload_bits=64),
    "island: state of 64 bits": lambda p: island(p).update(state_bits=64),
    "island: shift of 60": lambda p: island(p).update(acc_shift=60),
    "island: negative shift": lambda p: island(p).update(acc_shift=-1),
    "island: slice out of range": lambda p: island(p)["slices"][-1].__setitem__(3, 10_000),
    "island: slice with a gap": lambda p: island(p)["slices"][1].__setitem__(2, 70),
    "island: slices overlap": lambda p: island(p)["slices"][1].__setitem__(2, 10),
    "island: slice backwards": lambda p: island(p)["slices"][0].__setitem__(3, -4),
    "island: slice missing": lambda p: island(p)["slices"].pop(),
    "island: no slices": lambda p: island(p).update(slices=[]),
    "island: slice of two values": lambda p: island(p)["slices"].__setitem__(0, ["a", "b"]),
    "island: more heads than rows": lambda p: island(p)["slices"][0].__setitem__(5, 2**40),
    "island: layer of text": lambda p: island(p).update(layer="first"),
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
    "an expert's where tokens belong": lambda p: p["steps"][-2].update(inputs=step(p, "moe_combine")["inputs"][1:2]),
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
    rewrite(bundle, lambda p: island(p).update(name=name))
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
    "exponent of 3": (".q.h5", "axon_shift", np.full(64, 3, np.uint8), {}),
    "sums that cannot be": (".q.h5", "block_abs_sum", np.array([2**40]), {}),
    "negative sums": (".q.h5", "block_abs_sum", np.array([-1]), {}),
    "bias too large": (".q.h5", "bias", np.full(128, -(2**63)), {}),
    "bias as float": (".q.h5", "bias", np.ones(128), {}),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_lie(bundle: Path, name: str) -> None:
    suffix, dataset, data, options = ARRAYS[name]
    replace_dataset(bundle, f"islands/{ISLAND}{suffix}", dataset, data, **options)
    refused(bundle, "ND5006")


def test_array_that_is_larger_than_its_file(bundle: Path) -> None:
    """An HDF5 file may announce a dataset of a terabyte and hold nothing: it must not be allocated."""
    member = f"islands/{ISLAND}.q.h5"
    with h5py.File(bundle / member, "r+") as file:
        del file["multiplier"]
        file.create_dataset("multiplier", shape=(1 << 40,), dtype=np.int16, chunks=(1 << 20,))
    sign(bundle, member)
    refused(bundle, "ND5006", "multiplier")
    member = f"islands/{ISLAND}.nir"
    rewrite(bundle, lambda p: island(p).update(rows=1 << 30, columns=1 << 30))
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


VECTORS: dict[str, tuple[str, Any, str]] = {
    "unknown island": ("nothing/payload", np.zeros((4, 3), np.int16), "ND5006"),
    "payload of another type": (f"{ISLAND}/payload", np.zeros((4, 64), np.int32), "ND5006"),
    "payload of another width": (f"{ISLAND}/payload", np.zeros((4, 60), np.int16), "ND5006"),
    "payload too large": (f"{ISLAND}/payload", np.full((4, 64), -32768, np.int16), "ND5006"),
    "no output": (f"{ISLAND}/output", None, "ND5006"),
    "wrong output": (f"{ISLAND}/output", np.ones((4, 128), np.int32), "ND5009"),
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
    assert open_bundle(bundle).program.islands
    with pytest.raises(BundleError, match="ND5008"):
        pipeline.verify(bundle)
