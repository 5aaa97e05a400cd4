"""`open_bundle`: check every member against the manifest, then read lazily."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodeploy.bundle.files import FORMAT, canonical, digest, read_json, write_aside
from neurodeploy.bundle.island_files import read_island
from neurodeploy.bundle.program_json import program_from_json
from neurodeploy.errors import BundleError, UserError
from neurodeploy.frontends.safetensors_store import SafetensorsStore
from neurodeploy.ir.program import Program

AGAIN = "convert the model again"


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """An opened bundle. `program` has its weights mapped; `host_weights` is a store of what stays on the host."""

    path: Path
    manifest: dict[str, Any]
    program: Program
    host_weights: SafetensorsStore

    @property
    def digest(self) -> str:
        """sha256 of program.json: identifies the conversion."""
        return str(self.manifest["members"]["program.json"]["sha256"])

    def read_mapping(self) -> dict[str, Any]:
        """The JSON form of the mapping; ND2005 if there is none, ND5002 if it is damaged or of another conversion."""
        file = self.path / "mapping.json"
        if not file.exists():
            fix = f"run: neurodeploy map {self.path} --system NAME"
            raise UserError("ND2005", self.path, "has not been mapped", fix)
        value = read_json(file)
        body = value.get("mapping")
        if not isinstance(body, dict) or value.get("sha256") != hashlib.sha256(canonical(body)).hexdigest():
            raise BundleError("ND5002", file, "does not match its own digest", "map the bundle again")
        if value.get("program_sha256") != self.digest:
            raise BundleError("ND5002", file, "belongs to another conversion", "map the bundle again")
        return body

    def write_mapping(self, body: dict[str, Any]) -> None:
        sha = hashlib.sha256(canonical(body)).hexdigest()
        write_aside(
            self.path / "mapping.json", canonical({"sha256": sha, "program_sha256": self.digest, "mapping": body})
        )


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest, its format checked: ND5001 not a bundle, ND5005 written by a newer version."""
    if not (path / "manifest.json").is_file():
        problem = "is not a bundle: it has no manifest.json" if path.exists() else "does not exist"
        raise BundleError("ND5001", path, problem, f"make one: neurodeploy convert MODEL --out {path}")
    manifest = read_json(path / "manifest.json")
    version = manifest.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleError("ND5006", path / "manifest.json", f"format is {version!r}", AGAIN)
    if version > FORMAT:
        fix = "update neurodeploy, or convert the model with this version"
        raise BundleError("ND5005", path, f"has format {version}, this version reads up to {FORMAT}", fix)
    members = manifest.get("members")
    if not isinstance(members, dict) or "program.json" not in members or not isinstance(manifest.get("source"), dict):
        raise BundleError("ND5006", path / "manifest.json", "lists no members or no source", AGAIN)
    for name, entry in members.items():
        parts = Path(name).parts
        if Path(name).is_absolute() or ".." in parts or not isinstance(entry, dict):
            raise BundleError("ND5006", path / "manifest.json", f"member {name!r} is not possible", AGAIN)
    return manifest


def check_members(path: Path, manifest: dict[str, Any]) -> None:
    """ND5003 missing member, ND5007 wrong size (truncated), ND5002 wrong content (a flipped byte)."""
    for name, entry in manifest["members"].items():
        file = path / name
        if not file.is_file():
            raise BundleError("ND5003", file, "is missing from the bundle", AGAIN)
        size = file.stat().st_size
        if size != entry.get("size"):
            raise BundleError("ND5007", file, f"has {size} bytes, the manifest says {entry.get('size')}", AGAIN)
        if digest(file) != entry.get("sha256"):
            raise BundleError("ND5002", file, "is not what was written: its sha256 differs", AGAIN)


def open_bundle(path: Path | str) -> Bundle:
    """Open and verify a bundle. Errors: ND5001 to ND5007, each naming the member and what to do."""
    path = Path(path)
    manifest = read_manifest(path)
    check_members(path, manifest)
    conversion = read_json(path / "conversion.json")
    program = program_from_json(
        read_json(path / "program.json"),
        path / "program.json",
        lambda row: read_island(path / "islands", row),
        conversion,
    )
    return Bundle(path, manifest, program, SafetensorsStore(path / "host.safetensors"))
