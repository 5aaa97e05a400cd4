"""`open`: a bundle as an object, with the verbs that take one as its methods."""

from __future__ import annotations

import os
from pathlib import Path

from neurodeploy.bundle import AnyPath
from neurodeploy.bundle.reader import MAPPING, read_manifest
from neurodeploy.pipeline import (
    checking,
    diffing,
    evaluating,
    exporting,
    fitting,
    generating,
    mapping,
    pricing,
    running,
)
from neurodeploy.pipeline import reporting as report_verb
from neurodeploy.reporting import units
from neurodeploy.reporting.answer import Result
from neurodeploy.reporting.html import el, fact_list

#: Kinds of bundles (entry "kind" of the manifest), as people call them.
_KINDS = {"model": "a language model", "network": "a spiking network", "hollow": "a model without weights"}


class Bundle(os.PathLike[str]):
    """A converted model on disk. Wherever a verb takes the path of a bundle, it takes one of these too.

    Parameters
    ----------
    path : the folder that `convert` has written (NAME.nd). Its manifest is checked at once, everything else by each verb
        when it reads it.

    Raises
    ------
    BundleError ND5001 not a bundle, ND5002 changed, ND5005 written by another version, ND5006 damaged.

    Each method is the verb of that name with the bundle as its first argument: ``b.map("oheo-gulch")`` is
    ``neurodeploy.map(b, "oheo-gulch")``, with the same options, units, result and errors.
    """

    def __init__(self, path: AnyPath) -> None:
        self.path = Path(path)
        self.manifest = read_manifest(self.path)

    map = mapping.map
    explain = mapping.explain
    run = running.run
    generate = generating.generate
    eval = evaluating.eval
    energy = pricing.energy
    report = report_verb.report
    verify = checking.verify
    export = exporting.export
    fit = fitting.fit
    diff = diffing.diff

    @property
    def is_mapped(self) -> bool:
        """Whether `map` has left a mapping in it."""
        return (self.path / MAPPING).exists()

    @property
    def size_bytes(self) -> int:
        """Bytes of all files that `convert` wrote, without the manifest."""
        return sum(int(entry["size"]) for entry in self.manifest["members"].values())

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        """One line: the path, what it was made of, its size, and whether it is mapped."""
        source, kind = self.manifest["source"]["model"], _KINDS[self.manifest["kind"]]
        mapped = "mapped" if self.is_mapped else "not mapped"
        return f"{self.path}: {kind} from {source}, {units.si(self.size_bytes, 'B')}, {mapped}"

    def _repr_html_(self) -> str:
        """For notebooks: the same as a list of facts."""
        facts = [
            ("Bundle", str(self.path)), ("Holds", _KINDS[self.manifest["kind"]]),
            ("Made of", self.manifest["source"]["model"]), ("Files", len(self.manifest["members"])),
            ("Size", units.si(self.size_bytes, "B")), ("Mapped", "yes" if self.is_mapped else "no"),
        ]  # fmt: skip
        return str(el("div", fact_list(facts)))

    def __eq__(self, other: object) -> bool:
        """Whether both are the same folder with the same members."""
        return isinstance(other, Bundle) and (self.path, self.manifest) == (other.path, other.manifest)

    def __hash__(self) -> int:
        return hash(self.path)


class Converted(Result):
    """What `convert` returns."""

    @property
    def bundle(self) -> Bundle:
        """The bundle that was written, opened. Raises what `open` raises where it has been moved or changed since."""
        return Bundle(self["bundle"])


def open(path: AnyPath) -> Bundle:
    """The bundle at `path` (a folder NAME.nd that `convert` has written) as an object with the verbs as its methods.

    Raises ND5001 not a bundle, ND5002 changed, ND5005 written by another version, ND5006 damaged.
    """
    return Bundle(path)
