"""Changing a bundle on purpose: by accident (a flipped byte) or by somebody who makes the digests right again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.files import digest, manifest_digest, readable
from neurodeploy.errors import BundleError

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


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def refused(bundle: Path, code: str, *says: str) -> BundleError:
    with pytest.raises(BundleError) as found:
        open_bundle(bundle)
    assert found.value.code == code, found.value
    assert len(found.value.fix) > 8
    for part in says:
        assert part in str(found.value)
    return found.value


def rewrite(bundle: Path, change: Callable[[dict[str, Any]], object], member: str = "program.json") -> None:
    """Change a JSON member and sign it."""
    value = json.loads((bundle / member).read_text())
    change(value)
    (bundle / member).write_text(json.dumps(value))
    sign(bundle, member)
