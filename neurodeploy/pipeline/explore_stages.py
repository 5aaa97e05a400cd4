"""The stages of an exploration: convert, its loss, map, price. Each is done once for all points that share it, and kept.

    convert-KEY   a bundle                                   of the model and the options of `convert`
    loss-KEY      what the conversion loses                  of a bundle and a text or input
    map-KEY       the same bundle with a mapping             of a bundle and the options of `map`
    price-KEY     joules and seconds on that mapping         of a mapped bundle and what is run

KEY is the digest of all that the stage depends on (`storage.stage_files`), so a stage whose file is there is not done again,
whoever did it. A stage that a user's input makes impossible is finished too: its file holds the error. Whatever else fails
is told and not kept. A mapped bundle shares its files with the one that it is of, by hard links where the disk has them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.folders import folder_aside
from neurodeploy.errors import BundleError, DoesNotFit, Interrupted, NeurodeployError, UserError
from neurodeploy.pipeline import converting, evaluating, mapping, pricing
from neurodeploy.pipeline.counts import left_to_host
from neurodeploy.pipeline.explore_workers import Call, Workers, one_thread, stop_if_left
from neurodeploy.pipeline.session import Progress, read_mapping
from neurodeploy.pipeline.tensor_runs import coding_of
from neurodeploy.reporting.derive import PHASE_TEXT, headline_phase
from neurodeploy.storage.stage_files import Result, StageFiles

Facts = dict[str, Any]
#: Errors of this machine at this time, not of the point.
PASSING = ("ND3007", "ND1109", "ND2022")
#: By kind of model: what the loss is.
TEXTS, STREAMS, TENSORS = "language model", "spiking network", "network of tensors"
LOSS = {
    TEXTS: "bits per byte", STREAMS: "share of the outputs' bins that differ from float",
    TENSORS: "largest error of an output, relative to the largest output",
}  # fmt: skip


class Common(NamedTuple):
    """What all points share. options : of `convert`, beside those of the axes. run : by verb those of "eval", "energy"."""

    model: Any
    kind: str
    work: Path
    data: Path | None
    options: Mapping[str, Any]
    run: Mapping[str, Mapping[str, Any]]
    host: str
    powered: str


class _NotKeptError(Exception):
    """Carries the facts of a stage that failed for a passing reason."""


def bundle_of(work: Path, stage: str, key: str) -> Path:
    return work / f"{stage}-{key[:32]}.nd"


def whole(work: Path, stage: str, key: str) -> Callable[[Facts], bool]:
    """Whether the bundle of a finished stage is still there."""
    manifest = bundle_of(work, stage, key) / "manifest.json"
    return lambda facts: stage not in ("convert", "map") or "error" in facts or manifest.exists()


def finished(work: Path, stage: str, key: str, compute: Callable[[], Facts]) -> Facts:
    """What a stage finds, or its error under "error"."""

    def result() -> Result:
        try:
            facts = compute()
        except Interrupted:
            raise
        except Exception as error:
            facts = {"error": _first_line(error)}
            if not _lasting(error):
                raise _NotKeptError(facts) from error
        return np.zeros(0), facts

    stop_if_left()
    try:
        with one_thread():
            return StageFiles(work).run(stage, lambda: key, result, whole(work, stage, key))[1]
    except _NotKeptError as error:
        found: Facts = error.args[0]
        return found


def _lasting(error: Exception) -> bool:
    """Whether the point itself is at fault, so that another try would say the same."""
    told = isinstance(error, DoesNotFit | UserError) and not isinstance(error, BundleError)
    return told and error.code not in PASSING  # type: ignore[attr-defined]


def _first_line(error: Exception) -> str:
    name = "" if isinstance(error, NeurodeployError) else f"{type(error).__name__}: "
    return f"{name}{error}".splitlines()[0]


def converted(asked: Common, key: str, options: Mapping[str, Any]) -> list[tuple[str, Facts]]:
    def compute() -> Facts:
        made = converting.convert(asked.model, bundle_of(asked.work, "convert", key), **asked.options, **options)
        check = made.get("check")
        return {"loss": check["largest_relative"]} if check else {}

    return [(key, finished(asked.work, "convert", key, compute))]


def lost(asked: Common, key: str, of: str) -> list[tuple[str, Facts]]:
    bundle = bundle_of(asked.work, "convert", of)

    def compute() -> Facts:
        if asked.kind == TEXTS:
            assert asked.data is not None
            found = evaluating.eval(bundle, asked.data, **asked.run["eval"])
            own, real = found["chip"]["bits_per_byte"], found["float"] and found["float"]["bits_per_byte"]
            kept = ("bits_per_byte_change", "kl_per_token", "top1_agreement")
            return {"loss": own, "float": real, **{name: found[name] for name in kept}}
        if str(asked.model).lower().endswith(".net"):
            return {"loss": 0.0}  # its integers are taken as they are
        rows = evaluating.eval(bundle, input=asked.data, **asked.run["eval"])["comparison"]
        return {"loss": sum(row["differing"] for row in rows) / max(1, sum(row["compared"] for row in rows))}

    return [(key, finished(asked.work, "loss", key, compute))]


def mapped(asked: Common, key: str, of: str, options: Mapping[str, Any]) -> list[tuple[str, Facts]]:
    def compute() -> Facts:
        with folder_aside(bundle_of(asked.work, "map", key)) as aside:
            source = bundle_of(asked.work, "convert", of)
            shutil.copytree(source, aside, copy_function=_linked, dirs_exist_ok=True)
            found = mapping.map(aside, host=asked.host, **options)
        if found["violations"]:
            return {"error": f"{found['system']}: {found['violations'][0]}"}
        return {name: found[name] for name in ("system", "chips_used", "cores_used", "host_islands", "verdict")}

    return [(key, finished(asked.work, "map", key, compute))]


def _linked(source: str, target: str) -> None:
    """A second name of a file: nothing in a bundle is changed in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def priced(asked: Common, of: str, wanted: Sequence[tuple[str, str]]) -> list[tuple[str, Facts]]:
    """Of the (key, key of the mapped bundle) of one conversion: what is run is counted once for all its mappings
    that leave the same populations to the host."""
    counts: dict[frozenset[str], pricing.Counts] = {}

    def compute(map_key: str) -> Facts:
        opened = open_bundle(bundle_of(asked.work, "map", map_key))
        left = left_to_host(opened)
        if left not in counts:
            read = pricing.count_stream if opened.program.streamed else pricing.count_text
            counts[left] = read(opened, asked.data, "fast", None, **asked.run["energy"])  # type: ignore[arg-type]
        plan, system = read_mapping(opened)
        profile = pricing.host_profile(asked.host, False)
        found = pricing.price(opened.program, plan, system, counts[left].phases, profile, asked.powered)
        phase, name = headline_phase(found)
        if coding_of(opened.program.conversion).in_time:  # a frame, as with the codes of which a frame is a sample
            phase, name = found["step"], "step"
        assert phase is not None
        joules = {boundary: phase["joules_per_token"][boundary] for boundary in ("board", "wall")}
        return {"unit": PHASE_TEXT[name], "joules": joules, "seconds": phase["seconds_per_token"]}

    return [(key, finished(asked.work, "price", key, lambda m=map_key: compute(m))) for key, map_key in wanted]  # type: ignore[misc]


class Stages:
    """Finish stages, those that are not known, on workers. `found` has the facts of all by key."""

    def __init__(self, work: Path, workers: Workers, progress: Progress | None, of: int) -> None:
        self.files, self.work, self.workers = StageFiles(work), work, workers
        self.progress, self.of = progress, of
        self.found: dict[str, Facts] = {}
        self.computed = self.reused = 0

    def take_known(self, stage: str, keys: Sequence[str]) -> list[str]:
        """The keys of which nothing is known yet."""
        unknown = []
        for key in keys:
            known = self.files.known(stage, key, whole(self.work, stage, key))
            if known is None:
                unknown.append(key)
            else:
                self.found[key] = known[1]
                self.reused += 1
        self._tell()
        return unknown

    def run(self, calls: Sequence[Call]) -> None:
        """Of stages that do not wait for one another. Interrupted, ND3009 says how many are finished."""
        try:
            for made in self.workers.each(calls):
                self.found.update(made)
                self.computed += len(made)
                self._tell()
        except KeyboardInterrupt:
            problem = f"was interrupted after {self.computed + self.reused} of {self.of} stages"
            fix = f"run the same command again to go on from there: what is finished is kept in {self.work}"
            raise Interrupted("ND3009", "explore", problem, fix) from None

    def _tell(self) -> None:
        if self.progress:
            self.progress("explore", self.computed + self.reused, self.of)
