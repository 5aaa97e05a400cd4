"""Damaged and incomplete bundles: each a `BundleError` with its code, never a traceback."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.files import canonical
from neurodeploy.errors import BundleError, UserError
from tests import refusals
from tests.bundle.changes import ISLAND, Change, cut, flip, refused, rewrite, sign
from tests.tiny import Cli, snapshot

MEMBERS = (
    "program.json", "conversion.json", "host.safetensors", "tokenizer.json", "tokenizer_settings.json",
    "vectors/golden.h5", f"islands/{ISLAND}.nir", f"islands/{ISLAND}.q.h5",
)  # fmt: skip
MANIFEST = "manifest.json"


def unlist(bundle: Path, member: str) -> None:
    rewrite(bundle, lambda m: m["members"].pop(member), MANIFEST)


#: What happens to a member of a bundle: the change, the code, and what is said of the member.
ACCIDENTS: dict[str, tuple[Callable[[Path, str], object], str, str]] = {
    **{f"flipped {s}": (lambda b, m, s=s: flip(b / m, s), "ND5002", "sha256") for s in (0.0, 0.3, 0.7, 1.0)},
    **{f"cut to {n}": (lambda b, m, n=n: cut(b / m, n), "ND5007", "the manifest says") for n in (0, 10, -1)},
    "gone": (lambda b, m: (b / m).unlink(), "ND5003", "is missing from the bundle"),
    "not listed": (unlist, "ND5003", "is missing from the manifest"),
}


@pytest.mark.parametrize("accident", ACCIDENTS)
@pytest.mark.parametrize("member", MEMBERS)
def test_damaged_member(bundle: Path, member: str, accident: str) -> None:
    change, code, says = ACCIDENTS[accident]
    change(bundle, member)
    refused(bundle, code, member, says)


def test_every_byte_of_the_manifest_matters(bundle: Path) -> None:
    """A flipped byte makes it no JSON, or breaks its own digest; spaces between tokens may differ."""
    file = bundle / MANIFEST
    good = file.read_bytes()
    value = json.loads(good)
    missed = 0
    for at in range(0, len(good), 7):
        for bit in (0x01, 0x10):
            data = bytearray(good)
            data[at] ^= bit
            try:
                if json.loads(bytes(data)) == value:
                    continue
            except ValueError:
                pass
            file.write_bytes(data)
            try:
                open_bundle(bundle)
                missed += 1
            except BundleError as error:
                assert error.code in ("ND5002", "ND5005", "ND5006"), error
    assert missed == 0


def newer(bundle: Path, version: int) -> None:
    """Whatever else a newer format changes, its number is what the user is told."""
    (bundle / MANIFEST).write_text(json.dumps({"format": version, "parts": []}))


def named(bundle: Path, name: str) -> None:
    rewrite(bundle, lambda m: m["members"].update({name: m["members"]["program.json"]}), MANIFEST)


def longer(bundle: Path) -> None:
    with (bundle / "host.safetensors").open("ab") as file:
        file.write(b"\0")


def text_of(bundle: Path, member: str, text: str) -> None:
    (bundle / member).write_text(text)
    if member != MANIFEST:
        sign(bundle, member)


def linked(bundle: Path, name: str) -> None:
    (bundle / name).rename(bundle.parent / "elsewhere")
    (bundle / name).symlink_to(bundle.parent / "elsewhere")


def piped(bundle: Path) -> None:
    """A named pipe would make a reader wait for ever."""
    (bundle / "program.json").unlink()
    os.mkfifo(bundle / "program.json")


OUTSIDE = ("../x", "/etc/passwd", "islands/../../x", "..", "", ".", "a//b", "islands\\x", "a\0b", "./program.json")
NO_JSON = ("[]", "3", "{", '{"a": NaN}', '{"a": 1e999}', '{"a":' * 100_000, '{"a": 1' + "0" * 9000 + "}")
WRONG_TYPES: tuple[dict[str, Any], ...] = (
    {"members": []}, {"members": {"program.json": 3}}, {"members": {"program.json": {"size": -1, "sha256": ""}}},
    {"source": None}, {"source": {}}, {"source": {"model": "m", "path": 3, "files": []}},
    {"source": {"model": "m", "path": "p", "files": [{"name": 3, "size": 1, "sha256": "x"}]}},
)  # fmt: skip
#: What happens to a bundle: the change, the code, and parts of what is said.
BROKEN: list[tuple[Callable[[Path], object], str, tuple[str, ...]]] = [
    *((lambda b, n=n: cut(b / MANIFEST, n), "ND5006", (MANIFEST, "JSON")) for n in (0, 10, -2)),
    (lambda b: (b / MANIFEST).unlink(), "ND5001", (MANIFEST, "neurodeploy convert")),
    *((partial(newer, version=n), "ND5005", (f"has format {n}", "reads format 2", "update neurodeploy"))
      for n in (3, 4, 1000)),
    (partial(sign, format=1), "ND5005", ("has format 1", "reads format 2", "convert the model again")),
    *((partial(sign, format=n), "ND5006", ("format",)) for n in ("x", "1", None, 0, -1, 1.0, True, [1])),
    *((partial(named, name=name), "ND5006", ("not a name inside the bundle",)) for name in OUTSIDE),
    *((partial(sign, **changes), "ND5006", (MANIFEST,)) for changes in WRONG_TYPES),
    *((partial(text_of, member=member, text=text), "ND5006", (member,))
      for member in (MANIFEST, "program.json", "conversion.json") for text in NO_JSON),
    (longer, "ND5007", ("host.safetensors",)),
    (partial(linked, name="host.safetensors"), "ND5006", ("host.safetensors", "is a link", "cp -rL")),
    (partial(linked, name="islands"), "ND5006", ("is a link",)),
    (piped, "ND5003", ("program.json",)),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "says"), BROKEN)
def test_broken_bundle(bundle: Path, change: Callable[[Path], object], code: str, says: tuple[str, ...]) -> None:
    change(bundle)
    refused(bundle, code, *says)


def test_additions_and_a_link_to_the_whole_are_no_damage(bundle: Path, tmp_path: Path) -> None:
    """Further keys, further members, files that nobody lists: read over."""
    (bundle / "notes.txt").write_text("mine")
    (bundle / "extra.bin").write_bytes(b"123")
    sign(bundle, "extra.bin", comment="added later")
    (tmp_path / "link.nd").symlink_to(bundle)
    assert open_bundle(bundle).program.segments and open_bundle(tmp_path / "link.nd").program.segments


# -- mapping.json ---------------------------------------------------------------------------------------------------


def rewrite_mapping(bundle: Path, change: Change) -> None:
    """Change the mapping and give it the right digest again."""
    value = json.loads((bundle / "mapping.json").read_text())
    change(value["mapping"])
    value["sha256"] = hashlib.sha256(canonical(value["mapping"])).hexdigest()
    (bundle / "mapping.json").write_bytes(canonical(value))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *((partial(flip, share=share), "ND500[26]") for share in (0.01, 0.2, 0.5, 0.8)),
        (partial(cut, left=500), "ND5006"),
        (folder, "ND5006"),
    ],
)
def test_damaged_mapping(bundle: Path, change: Callable[[Path], object], code: str) -> None:
    change(bundle / "mapping.json")
    with pytest.raises(BundleError, match=code):
        pipeline.explain(bundle)


def test_mapping_of_another_conversion(bundle: Path, llama: Path) -> None:
    """Another conversion of the same model: the islands fit, the numbers do not."""
    mapping = (bundle / "mapping.json").read_bytes()
    pipeline.convert(llama, bundle, preset="quick", calibration_tokens=64)
    (bundle / "mapping.json").write_bytes(mapping)
    says = "ND5010 .*mapping.json: belongs to another conversion; map the bundle again"
    refusals.refused(BundleError, says, pipeline.explain, bundle)


MAPPINGS: dict[str, Change] = {
    "unknown island": lambda m: m["islands"].__setitem__(0, "layers.9.nothing"),
    "a core that the chip lacks": lambda m: (m["shards"]["core"].__setitem__(0, 500), m.update(cores_per_chip=1000)),
    "a chip that the system lacks": lambda m: (m["shards"]["chip"].__setitem__(0, 7), m.update(chips_available=8)),
    "rows left out": lambda m: m["shards"]["row_stop"].__setitem__(0, 1),
    "rows outside": lambda m: m["shards"]["row_stop"].__setitem__(0, 2**39),
    "a step too few": lambda m: m["assignments"].pop(),
    "a step on the wrong device": lambda m: m["assignments"][0].update(device="chip"),
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_mapping_that_does_not_hold(bundle: Path, name: str, cli: Cli) -> None:
    rewrite_mapping(bundle, MAPPINGS[name])
    refusals.refused(BundleError, "ND5010", pipeline.explain, bundle)
    found = cli("verify", bundle, "--json")
    assert found.status == 3
    assert json.loads(found.out)["violations"]


@pytest.mark.parametrize("key", ["system", "shards", "assignments", "reasons", "lower_bound", "islands"])
@pytest.mark.parametrize("value", [None, -1, "x", [], {}])
def test_mapping_of_wrong_types(bundle: Path, key: str, value: object) -> None:
    rewrite_mapping(bundle, lambda m: m.update({key: value}))
    with pytest.raises(UserError) as found:
        pipeline.energy(bundle)
    assert found.value.code in ("ND5006", "ND5010", "ND4001")


def test_nothing_is_written_by_a_failed_check(bundle: Path, cli: Cli) -> None:
    flip(bundle / "program.json", 0.1)
    before = snapshot(bundle)
    for verb in (["verify"], ["map"], ["explain"], ["generate", "--prompt", "a"]):
        found = cli(verb[0], bundle, *verb[1:])
        assert (found.status, found.err.split()[1]) == (2, "ND5002")
    assert snapshot(bundle) == before
