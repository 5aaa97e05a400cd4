"""Changing a bundle on purpose: by accident (a flipped byte) or by somebody who makes the digests right again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.files import digest, manifest_digest, readable
from neurodeploy.errors import BundleError
from tests import refusals

Change = Callable[[dict[str, Any]], object]
ISLAND = "layers.0.self_attn.q_k_v"


def sign(bundle: Path, *members: str, **changes: Any) -> None:
    """Make the manifest agree with what the members are now: damage that no digest finds."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    for name in members:
        file = bundle / name
        manifest["members"][name] = {"size": file.stat().st_size, "sha256": digest(file)}
    manifest.update(changes)
    manifest["sha256"] = manifest_digest(manifest)
    (bundle / "manifest.json").write_bytes(readable(manifest))


def flip(path: Path, share: float) -> None:
    """A bit of the byte at this share of a file."""
    data = bytearray(path.read_bytes())
    data[int(share * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)


def cut(path: Path, left: int) -> None:
    """What is left of a file, in bytes; negative: that many are gone."""
    os.truncate(path, left if left >= 0 else path.stat().st_size + left)


def refused(bundle: Path, code: str, *says: str) -> None:
    error = refusals.refused(BundleError, code, open_bundle, bundle)
    assert len(error.fix) > 8
    assert all(part in str(error) for part in says), error


def rewrite(bundle: Path, change: Change, member: str = "program.json") -> None:
    """Change a JSON member, or the manifest, and sign it."""
    value = json.loads((bundle / member).read_text())
    change(value)
    (bundle / member).write_text(json.dumps(value))
    sign(bundle, *{member} - {"manifest.json"})
