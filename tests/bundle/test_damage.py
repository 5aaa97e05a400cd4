"""Damaged and incomplete bundles: each a `BundleError` with its code, never a traceback."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.files import canonical
from neurodeploy.errors import BundleError, UserError
from tests.bundle.changes import ISLAND, flip, refused, sign
from tests.tiny import call, snapshot

MEMBERS = (
    "program.json", "conversion.json", "host.safetensors", "tokenizer.json", "tokenizer_settings.json",
    "vectors/golden.h5", f"islands/{ISLAND}.nir", f"islands/{ISLAND}.q.h5",
)  # fmt: skip

# -- accidents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("member", MEMBERS)
def test_flipped_byte(bundle: Path, member: str, share: float) -> None:
    file = bundle / member
    flip(file, int(share * (file.stat().st_size - 1)))
    refused(bundle, "ND5002", member, "sha256")


def test_every_byte_of_the_manifest_matters(bundle: Path) -> None:
    """A flipped byte makes it no JSON, or breaks its own digest; spaces between tokens may differ."""
    file = bundle / "manifest.json"
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


@pytest.mark.parametrize("left", [0, 10, -1])
@pytest.mark.parametrize("member", MEMBERS)
def test_truncated_member(bundle: Path, member: str, left: int) -> None:
    file = bundle / member
    os.truncate(file, left if left >= 0 else file.stat().st_size - 1)
    refused(bundle, "ND5007", member, "the manifest says")


@pytest.mark.parametrize("left", [0, 10, -2])
def test_truncated_manifest(bundle: Path, left: int) -> None:
    file = bundle / "manifest.json"
    os.truncate(file, left if left >= 0 else file.stat().st_size + left)
    refused(bundle, "ND5006", "manifest.json", "JSON")


def test_longer_member(bundle: Path) -> None:
    with (bundle / "host.safetensors").open("ab") as file:
        file.write(b"\0")
    refused(bundle, "ND5007", "host.safetensors")


@pytest.mark.parametrize("member", MEMBERS)
def test_missing_member(bundle: Path, member: str) -> None:
    (bundle / member).unlink()
    refused(bundle, "ND5003", member, "is missing from the bundle")


@pytest.mark.parametrize("member", MEMBERS)
def test_member_that_the_manifest_does_not_list(bundle: Path, member: str) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    del manifest["members"][member]
    sign(bundle, members=manifest["members"])
    refused(bundle, "ND5003", member, "is missing from the manifest")


def test_missing_manifest(bundle: Path) -> None:
    (bundle / "manifest.json").unlink()
    refused(bundle, "ND5001", "manifest.json", "neurodeploy convert")


@pytest.mark.parametrize("version", [3, 4, 1000])
def test_newer_format(bundle: Path, version: int) -> None:
    """Whatever else a newer format changes, its number is what the user is told."""
    (bundle / "manifest.json").write_text(json.dumps({"format": version, "parts": []}))
    refused(bundle, "ND5005", f"has format {version}", "reads format 2", "update neurodeploy")


def test_older_format(bundle: Path) -> None:
    sign(bundle, format=1)
    refused(bundle, "ND5005", "has format 1", "reads format 2", "convert the model again")


@pytest.mark.parametrize("version", ["x", "1", None, 0, -1, 1.0, True, [1]])
def test_format_that_is_no_number(bundle: Path, version: object) -> None:
    sign(bundle, format=version)
    refused(bundle, "ND5006", "format")


def test_additions_are_no_damage(bundle: Path) -> None:
    """Further keys, further members, files that nobody lists: read over."""
    (bundle / "notes.txt").write_text("mine")
    (bundle / "extra.bin").write_bytes(b"123")
    sign(bundle, "extra.bin", comment="added later")
    assert open_bundle(bundle).program.segments


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "islands/../../x", "..", "", ".", "a//b", "islands\\x", "a\0b", "./program.json"]
)
def test_member_outside_the_bundle(bundle: Path, name: str) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["members"][name] = manifest["members"]["program.json"]
    sign(bundle, members=manifest["members"])
    refused(bundle, "ND5006", "not a name inside the bundle")


@pytest.mark.parametrize(
    "changes",
    [
        {"members": []}, {"members": {"program.json": 3}}, {"members": {"program.json": {"size": -1, "sha256": ""}}},
        {"source": None}, {"source": {}}, {"source": {"model": "m", "path": 3, "files": []}},
        {"source": {"model": "m", "path": "p", "files": [{"name": 3, "size": 1, "sha256": "x"}]}},
    ],
)  # fmt: skip
def test_manifest_of_wrong_types(bundle: Path, changes: dict[str, Any]) -> None:
    sign(bundle, **changes)
    refused(bundle, "ND5006", "manifest.json")


@pytest.mark.parametrize(
    "text", ["[]", "3", "{", '{"a": NaN}', '{"a": 1e999}', '{"a":' * 100_000, '{"a": 1' + "0" * 9000 + "}"]
)
@pytest.mark.parametrize("member", ["manifest.json", "program.json", "conversion.json"])
def test_json_that_is_none(bundle: Path, member: str, text: str) -> None:
    (bundle / member).write_text(text)
    if member != "manifest.json":
        sign(bundle, member)
    refused(bundle, "ND5006", member)


def test_link_for_a_member(bundle: Path, tmp_path: Path) -> None:
    file = bundle / "host.safetensors"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    refused(bundle, "ND5006", "host.safetensors", "is a link", "cp -rL")


def test_link_for_a_folder_of_members(bundle: Path, tmp_path: Path) -> None:
    (bundle / "islands").rename(tmp_path / "elsewhere")
    (bundle / "islands").symlink_to(tmp_path / "elsewhere")
    refused(bundle, "ND5006", "is a link")


def test_link_to_a_whole_bundle_is_fine(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link.nd").symlink_to(bundle)
    assert open_bundle(tmp_path / "link.nd").program.segments


def test_pipe_for_a_member(bundle: Path) -> None:
    """A named pipe would make a reader wait for ever."""
    (bundle / "program.json").unlink()
    os.mkfifo(bundle / "program.json")
    refused(bundle, "ND5003", "program.json")


# -- mapping.json ---------------------------------------------------------------------------------------------------


def rewrite_mapping(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the mapping and give it the right digest again."""
    value = json.loads((bundle / "mapping.json").read_text())
    change(value["mapping"])
    value["sha256"] = hashlib.sha256(canonical(value["mapping"])).hexdigest()
    (bundle / "mapping.json").write_bytes(canonical(value))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.8])
def test_flipped_byte_in_the_mapping(bundle: Path, share: float) -> None:
    file = bundle / "mapping.json"
    flip(file, int(share * file.stat().st_size))
    with pytest.raises(BundleError) as found:
        pipeline.explain(bundle)
    assert found.value.code in ("ND5002", "ND5006")


def test_truncated_mapping(bundle: Path) -> None:
    os.truncate(bundle / "mapping.json", 500)
    with pytest.raises(BundleError, match="ND5006"):
        pipeline.explain(bundle)


def test_mapping_of_another_conversion(bundle: Path, llama: Path) -> None:
    """Another conversion of the same model: the islands fit, the numbers do not."""
    mapping = (bundle / "mapping.json").read_bytes()
    pipeline.convert(llama, bundle, preset="quick", calibration_tokens=64)
    (bundle / "mapping.json").write_bytes(mapping)
    with pytest.raises(
        BundleError, match=r"ND5010 .*mapping.json: belongs to another conversion; map the bundle again"
    ):
        pipeline.explain(bundle)


MAPPINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "unknown island": lambda m: m["islands"].__setitem__(0, "layers.9.nothing"),
    "a core that the chip lacks": lambda m: (m["shards"]["core"].__setitem__(0, 500), m.update(cores_per_chip=1000)),
    "a chip that the system lacks": lambda m: (m["shards"]["chip"].__setitem__(0, 7), m.update(chips_available=8)),
    "rows left out": lambda m: m["shards"]["row_stop"].__setitem__(0, 1),
    "rows outside": lambda m: m["shards"]["row_stop"].__setitem__(0, 2**39),
    "a step too few": lambda m: m["assignments"].pop(),
    "a step on the wrong device": lambda m: m["assignments"][0].update(device="chip"),
}


@pytest.mark.parametrize("name", MAPPINGS)
def test_mapping_that_does_not_hold(bundle: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    rewrite_mapping(bundle, MAPPINGS[name])
    with pytest.raises(BundleError, match="ND5010"):
        pipeline.explain(bundle)
    found = call(["verify", str(bundle), "--json"], capsys)
    assert found.status == 3
    assert json.loads(found.out)["violations"]


@pytest.mark.parametrize("key", ["system", "shards", "assignments", "reasons", "lower_bound", "islands"])
@pytest.mark.parametrize("value", [None, -1, "x", [], {}])
def test_mapping_of_wrong_types(bundle: Path, key: str, value: object) -> None:
    rewrite_mapping(bundle, lambda m: m.update({key: value}))
    with pytest.raises(UserError) as found:
        pipeline.energy(bundle)
    assert found.value.code in ("ND5006", "ND5010", "ND4001")


def test_mapping_that_is_a_folder(bundle: Path) -> None:
    (bundle / "mapping.json").unlink()
    (bundle / "mapping.json").mkdir()
    with pytest.raises(BundleError, match="ND5006"):
        pipeline.explain(bundle)


def test_nothing_is_written_by_a_failed_check(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(bundle / "program.json", 100)
    before = snapshot(bundle)
    for verb in (["verify"], ["map"], ["explain"], ["generate", "--prompt", "a"]):
        found = call([verb[0], str(bundle), *verb[1:]], capsys)
        assert (found.status, found.err.split()[1]) == (2, "ND5002")
    assert snapshot(bundle) == before
