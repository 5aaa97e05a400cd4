"""Which folder a bundle may replace, and that there is a whole bundle whenever the process is killed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neurodeploy.bundle import folders, open_bundle
from neurodeploy.bundle.folders import folder_aside
from neurodeploy.errors import BundleError
from tests.bundle.changes import sign
from tests.bundle.test_network_bundle import write
from tests.networks.random_networks import random_network
from tests.refusals import refused
from tests.tiny import Cli, environment, snapshot

Change = Callable[[Path], object]


def _beside(name: str) -> Change:
    def add(bundle: Path) -> None:
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text("precious")

    return add


def _replaced(**manifest: object) -> Change:
    """By a folder with this manifest and something else."""

    def replace(bundle: Path) -> None:
        shutil.rmtree(bundle)
        bundle.mkdir()
        (bundle / "manifest.json").write_text(json.dumps(manifest))
        (bundle / "work.js").write_text("precious")

    return replace


def _linked(name: str) -> Change:
    def link(bundle: Path) -> None:
        (bundle / name).rename(bundle.parent / "elsewhere")
        (bundle / name).symlink_to(bundle.parent / "elsewhere")

    return link


def _whole_link(bundle: Path) -> None:
    bundle.rename(bundle.parent / "elsewhere")
    bundle.symlink_to("elsewhere")


def _file(bundle: Path) -> None:
    shutil.rmtree(bundle)
    bundle.write_text("precious")


def _empty(bundle: Path) -> None:
    shutil.rmtree(bundle)
    bundle.mkdir()


#: The manifest of a browser extension, and that of a data set that has our fields by chance and no digest of itself.
_EXTENSION = _replaced(name="my extension", manifest_version=3)
_ALIKE = _replaced(format=1, tool="x", kind="model", contract="x", source={}, members={}, sha256="0" * 64)
#: what is done to the folder of a bundle -> what the refusal names
FOREIGN: dict[str, tuple[Change, str]] = {
    "a browser extension": (_EXTENSION, "manifest.json is none of ours"),
    "a data set with fields like ours": (_ALIKE, "manifest.json is none of ours"),
    "a manifest of a newer version": (lambda b: sign(b, format=99), "manifest.json is none of ours (has format 99"),
    "a note in a bundle": (_beside("notes.txt"), "it holds notes.txt, which its manifest does not name"),
    "a note beside islands": (_beside("islands/notes.txt"), "it holds islands/notes.txt"),
    "a folder in a bundle": (_beside("mine/notes.txt"), "it holds mine, which its manifest does not name"),
    "an empty folder in a bundle": (lambda b: (b / "mine").mkdir(), "it holds mine"),
    "a report in a bundle": (_beside("report.html"), "it holds report.html"),
    "what vim keeps of a file": (_beside(".program.json.swp"), "it holds .program.json.swp"),
    "what emacs keeps of a file": (_beside("program.json~"), "it holds program.json~"),
    "a git repository": (_beside(".git/config"), "it holds .git"),
    "a link for a member": (_linked("host.safetensors"), "it holds host.safetensors, which is no plain file"),
    "a link for a folder": (_linked("islands"), "it holds islands, which is no plain file"),
    "a pipe": (lambda b: os.mkfifo(b / "pipe"), "it holds pipe, which is no plain file"),
    "a link to a bundle": (_whole_link, "is a link to elsewhere"),
    "a file": (_file, "it is no folder"),
    "an empty folder": (_empty, "it is empty"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_only_a_bundle_is_refused_and_untouched(name: str, bundle: Path, llama: Path, cli: Cli) -> None:
    change, says = FOREIGN[name]
    change(bundle)
    before = snapshot(bundle.parent)
    arguments = ["convert", str(llama), "--out", str(bundle), "--preset", "quick", "--calibration-tokens", "64"]
    found = cli(*arguments)
    assert (found.status, found.out) == (2, "")
    assert found.err.startswith(f"error ND5004 {bundle}: ") and says in found.err, found.err
    assert snapshot(bundle.parent) == before


@pytest.mark.parametrize("name", ["a browser extension", "a note in a bundle", "a link to a bundle"])
def test_spiking_networks_too(name: str, tmp_path: Path) -> None:
    change, says = FOREIGN[name]
    bundle = tmp_path / "x.nd"
    write(bundle, random_network(3)[0])
    change(bundle)
    before = snapshot(tmp_path)
    refused(BundleError, f"ND5004 .*{says}", write, bundle, random_network(4)[0])
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("out", [".", "..", "x.nd/.."])
def test_places_without_a_name(out: str, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle)
    before = snapshot(bundle.parent)
    refused(BundleError, "ND5004", folder_aside(Path(out)).__enter__)
    assert snapshot(bundle.parent) == before


def _damaged(bundle: Path) -> None:
    (bundle / "program.json").write_text("{")
    (bundle / "tokenizer.json").unlink()


NOT_FOREIGN: dict[str, Change] = {
    "as it was": lambda b: None,
    "without its mapping": lambda b: (b / "mapping.json").unlink(),
    "members damaged or gone: convert again is what helps": _damaged,
    "what the Finder leaves": _beside(".DS_Store"),
    "what the Finder leaves on other file systems": _beside("islands/._x.nir"),
    "what the Explorer leaves": _beside("Thumbs.db"),
    "what a killed map leaves": _beside(".mapping.json.01234567-4000000-01234567.89abcdef.part"),
}


@pytest.mark.parametrize("name", NOT_FOREIGN)
def test_a_bundle_is_replaced(name: str, bundle: Path) -> None:
    NOT_FOREIGN[name](bundle)
    with folder_aside(bundle) as work:
        (work / "new").write_text("new")
    assert list(bundle.parent.iterdir()) == [bundle] and list(bundle.iterdir()) == [bundle / "new"]


@pytest.mark.parametrize("swaps", [True, False])
def test_a_file_that_appears_while_the_new_bundle_is_written(
    swaps: bool, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not swaps:
        monkeypatch.setattr(folders, "exchange", lambda one, other: False)
    with pytest.raises(BundleError) as found, folder_aside(bundle) as work:
        (work / "new").write_text("new")
        (bundle / "notes.txt").write_text("precious")
        before = snapshot(bundle)
    assert str(bundle) in str(found.value) and "it holds notes.txt" in str(found.value)
    assert snapshot(bundle) == before and list(bundle.parent.iterdir()) == [bundle]


#: Replaces the bundle sys.argv[1] by a network of its own and kills itself before call sys.argv[3] of a change on the disk;
#: with "no" in sys.argv[2] as on a system where nothing can change places.
KILLED = """
import os, signal, sys
from pathlib import Path
from neurodeploy.bundle import folders
from tests.bundle.test_network_bundle import write
from tests.networks.random_networks import random_network
left = [int(sys.argv[3])]
def counted(call):
    def wrapper(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)
    return wrapper
exchange = folders.exchange if sys.argv[2] == "yes" else lambda one, other: False
folders.exchange, folders.remove = counted(exchange), counted(folders.remove)
Path.rename = counted(Path.rename)
write(Path(sys.argv[1]), random_network(4)[0])
"""


@pytest.mark.parametrize(("swaps", "call"), [("yes", 1), ("yes", 2), ("no", 1), ("no", 2), ("no", 3), ("no", 4)])
def test_a_process_that_is_killed_loses_no_bundle(swaps: str, call: int, tmp_path: Path) -> None:
    bundle = tmp_path / f"{'n' * 240}.nd"
    write(bundle, random_network(3)[0])
    before, names = snapshot(bundle), {random_network(seed)[0].name for seed in (3, 4)}
    assert len(names) == 2
    command = [sys.executable, "-c", KILLED, str(bundle), swaps, str(call)]
    assert subprocess.run(command, env=environment(), timeout=600).returncode == -9
    left = [path for path in tmp_path.iterdir() if path != bundle]
    assert left and all(path.name.startswith(".n") for path in left)
    if (swaps, call) == ("no", 3):  # between the two renames
        (aside,) = (path for path in left if path.name.endswith(".old"))
        error = refused(BundleError, "ND5001", open_bundle, bundle)
        assert aside.name in error.problem
        assert error.fix == f"take it back: mv {shlex.quote(str(aside))} {bundle}"
        with pytest.raises(ZeroDivisionError), folder_aside(bundle):  # it comes back before anything else is done
            assert snapshot(bundle) == before
            raise ZeroDivisionError
    assert open_bundle(bundle).program.network.name in names  # type: ignore[union-attr]
    write(bundle, random_network(4)[0])
    assert open_bundle(bundle).program.network.name == random_network(4)[0].name  # type: ignore[union-attr]
    assert list(tmp_path.iterdir()) == [bundle]
