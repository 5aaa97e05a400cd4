"""`open_bundle`: check every member against the manifest, then read lazily."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from neurodeploy.bundle.files import FORMAT, canonical, digest, manifest_digest, read_json, write_aside
from neurodeploy.bundle.golden import GOLDEN
from neurodeploy.bundle.host_weights import HOST_WEIGHTS
from neurodeploy.bundle.populations import Arrays
from neurodeploy.bundle.program_json import read_program
from neurodeploy.errors import BundleError, UserError
from neurodeploy.frontends.safetensors_store import SafetensorsStore
from neurodeploy.ir.program import Program
from neurodeploy.ir.typed import integer, items, table, text
from neurodeploy.storage.temporary import OLD, leftovers

AGAIN = "convert the model again"
#: Members that `map` and `eval` add later: each carries its own digest, and that of the program.
MAPPING, EVALUATION = "mapping.json", "evaluation.json"
#: The kind of a model without weights.
HOLLOW = "hollow"
#: Members that every bundle of a kind has; those with arrays stand in program.json.
ALWAYS = {
    "model": (
        "program.json", "conversion.json", HOST_WEIGHTS, "tokenizer.json", "tokenizer_settings.json", GOLDEN
    ),
    "network": ("program.json", "conversion.json", GOLDEN),
    HOLLOW: ("program.json", "conversion.json"),
}  # fmt: skip
#: What names a bundle on disk.
AnyPath = str | os.PathLike[str]
_PLAIN = re.compile(r"[^/\\\x00-\x1f][^\\\x00-\x1f]*")


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """An opened bundle. `program` has its weights mapped; `host_weights` is a store of what stays on the host.

    None where the host has no tensors.
    """

    path: Path
    manifest: dict[str, Any]
    program: Program
    host_weights: SafetensorsStore | None

    @property
    def digest(self) -> str:
        """sha256 of program.json: identifies the conversion."""
        return str(self.manifest["members"]["program.json"]["sha256"])

    @property
    def hollow(self) -> bool:
        """Whether it has no weights."""
        return bool(self.manifest["kind"] == HOLLOW)

    @property
    def is_mapped(self) -> bool:
        return (self.path / MAPPING).exists()

    def read_mapping(self) -> dict[str, Any]:
        """The JSON form of the mapping; ND2005 if there is none, ND5002 damaged, ND5010 of another conversion."""
        if not self.is_mapped:
            fix = f"run: neurodeploy map {self.path} --system NAME"
            raise UserError("ND2005", self.path, "has not been mapped", fix)
        return self._read_added(MAPPING, "mapping", "map the bundle again")

    def write_mapping(self, body: dict[str, Any]) -> None:
        self._write_added(MAPPING, "mapping", body)

    def read_evaluation(self) -> dict[str, Any] | None:
        """What `eval --keep` has said last against the float model; None where it has not. Errors as of a mapping."""
        if not (self.path / EVALUATION).exists():
            return None
        return self._read_added(EVALUATION, "evaluation", "evaluate the bundle again, or remove the file")

    def write_evaluation(self, body: dict[str, Any]) -> None:
        self._write_added(EVALUATION, "evaluation", body)

    def _read_added(self, name: str, key: str, fix: str) -> dict[str, Any]:
        file = self.path / name
        value = read_json(file)
        body = value.get(key)
        if not isinstance(body, dict) or value.get("sha256") != hashlib.sha256(canonical(body)).hexdigest():
            raise BundleError("ND5002", file, "does not match its own digest", fix)
        if value.get("program_sha256") != self.digest:
            raise BundleError("ND5010", file, "belongs to another conversion", fix)
        return body

    def _write_added(self, name: str, key: str, body: dict[str, Any]) -> None:
        sha = hashlib.sha256(canonical(body)).hexdigest()
        write_aside(self.path / name, canonical({"sha256": sha, "program_sha256": self.digest, key: body}))


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest, checked: ND5001 not a bundle, ND5005 written by another version, ND5002 changed, ND5006 damaged."""
    file = path / "manifest.json"
    if not file.is_file():
        problem = "is not a bundle: it has no manifest.json" if path.exists() else "does not exist"
        fix = f"make one: neurodeploy convert MODEL --out {path}"
        for aside in [] if os.path.lexists(path) else leftovers(path):
            if aside.kind == OLD:
                problem = f"does not exist: a run that was killed while it replaced it has left it as {aside.path.name}"
                fix = f"take it back: mv {shlex.quote(str(aside.path))} {shlex.quote(str(path))}"
        raise BundleError("ND5001", path, problem, fix)
    manifest = read_json(file)
    try:
        version = integer(manifest, "format", 1)
        if version != FORMAT:
            fix = "update neurodeploy, or convert the model with this version" if version > FORMAT else AGAIN
            raise BundleError("ND5005", path, f"has format {version}, this version reads format {FORMAT}", fix)
        if text(manifest, "sha256") != manifest_digest(manifest):
            raise BundleError("ND5002", file, "does not match its own digest", AGAIN)
        if text(manifest, "kind") not in ALWAYS:
            raise ValueError(f"kind is {manifest['kind']!r:.40}, one of {sorted(ALWAYS)} is needed")
        source, members = table(manifest, "source"), table(manifest, "members")
        for entry in (*items(source, "files"), *members.values()):
            integer(entry, "size", 0, 1 << 50), text(entry, "sha256")
        for key in ("model", "path"):
            text(source, key)
        for entry in items(source, "files"):
            text(entry, "name")
        for name in members:
            if (
                PurePosixPath(name).as_posix() != name
                or not _PLAIN.fullmatch(name)
                or name == "."
                or ".." in name.split("/")
            ):
                raise ValueError(f"member {name!r:.80} is not a name inside the bundle")
    except ValueError as error:
        raise BundleError("ND5006", file, str(error), AGAIN) from None
    return manifest


def check_members(path: Path, manifest: dict[str, Any]) -> None:
    """ND5003 missing member, ND5006 a link, ND5007 wrong size (truncated), ND5002 wrong content (a flipped byte)."""
    for name in (*ALWAYS[manifest["kind"]], *manifest["members"]):
        file, entry = path / name, manifest["members"].get(name)
        if entry is None or not file.is_file():
            where = "bundle" if entry else "manifest"
            raise BundleError("ND5003", file, f"is missing from the {where}", AGAIN)
        if any((path / part).is_symlink() for part in (name, *list(PurePosixPath(name).parents)[:-1])):
            fix = "copy the bundle with its links followed (cp -rL), or convert the model again"
            raise BundleError("ND5006", file, "is a link; a bundle holds plain files", fix)
        size = file.stat().st_size
        if size != entry["size"]:
            raise BundleError("ND5007", file, f"has {size} bytes, the manifest says {entry['size']}", AGAIN)
        if digest(file) != entry["sha256"]:
            raise BundleError("ND5002", file, "is not what was written: its sha256 differs", AGAIN)


def open_bundle(path: AnyPath) -> Bundle:
    """Open and verify a bundle. Errors: ND5001 to ND5007, each naming the member and what to do."""
    path = Path(path)
    manifest = read_manifest(path)
    check_members(path, manifest)
    value, conversion = (read_json(path / name) for name in ("program.json", "conversion.json"))
    weights = SafetensorsStore(path / HOST_WEIGHTS) if HOST_WEIGHTS in manifest["members"] else None
    arrays = Arrays(path, manifest["members"])
    return Bundle(path, manifest, read_program(value, conversion, path, arrays, weights), weights)
