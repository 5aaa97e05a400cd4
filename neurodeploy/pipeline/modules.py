"""`convert` of a spiking module of torch, or of a graph of NIR in memory, by way of the NIR file that it stands for.

A module is checked before its bundle appears: the chip's output against what the framework itself gives on the example.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.folders import folder_aside, refuse_others
from neurodeploy.errors import UserError
from neurodeploy.frontends.modules import slayer
from neurodeploy.frontends.modules.frameworks import framework_of, is_graph, layout_of
from neurodeploy.frontends.streams.reading import SAMPLE_FIRST
from neurodeploy.pipeline.reference import misread
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.spiking_file import convert_file

#: Options of a .nir file that a module answers by itself; `dt` where its framework has a step of its own.
ANSWERED = ("gain", "source", "reset", "v_reset", "unit_gain", "scheme", "compat")
STEPLESS = ("spikingjelly", slayer.NAME)
#: Of a .net, which has integers, besides.
INTEGERS = ("weight_bits", "calibration")
#: What stands first where the module is not what its attributes say.
UNEXPLAINED = (
    "{}: differs from the framework before any rounding; a layer computes something else than its attributes say, "
    "such as a forward pass of its own"
)
#: The same of a framework that has integers.
UNEQUAL = "{}: differs from the framework, whose integers it has; its forward pass does more than its blocks"


def is_spiking_module(model: object) -> bool:
    """Whether `convert_module` takes a model: a module with neurons of a known framework, or a `nir.NIRGraph`.

    Loads nothing. ND1275 for a module of two frameworks.
    """
    return is_graph(model) or framework_of(model) is not None


def convert_module(
    model: Any,
    out: Path,
    options: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    example_inputs: object = None,
    tolerance: float | None = None,
) -> dict[str, Any]:
    """See `convert`; `options` are those of .nir files, of a module without `ANSWERED`.

    Raises ND3261 for options that say nothing here, ND1275, ND1276 and ND1277 of `export_module`, ND1278 where more than
    `tolerance` of the example differs, and the errors of a .nir file.
    """
    name = framework_of(model)
    given: dict[str, object] = {"example_inputs": example_inputs, "tolerance": tolerance}
    if name is None:
        _refuse(given, "nir.NIRGraph", "no framework is there to run it")
        return _convert_graph(model, out, options, progress)
    more = [*([] if name in STEPLESS else ["dt"]), *(INTEGERS if name == slayer.NAME else [])]
    _refuse({key: options.get(key) for key in (*ANSWERED, *more)}, type(model).__name__, "the module says it")
    if tolerance is not None and not 0 <= tolerance <= 1:
        raise UserError("ND1278", "tolerance", f"{tolerance!r} is no share", "give one from 0 to 1")
    return _convert_checked(model, name, out, options, progress, _alone(example_inputs), tolerance)


def _refuse(options: Mapping[str, object], what: str, why: str) -> None:
    for key, value in options.items():
        if value is not None:
            raise UserError("ND3261", f"--{key.replace('_', '-')}", f"says nothing about {what}: {why}", "leave it out")


def _alone(example: object) -> object:
    """The only one of a tuple of inputs."""
    return example[0] if isinstance(example, tuple | list) and len(example) == 1 else example


@contextmanager
def _beside(model: object, out: Path) -> Iterator[Path]:
    """A folder for files that stand for an object; no message names it."""
    refuse_others(out)
    with TemporaryDirectory(prefix="neurodeploy-") as folder:
        try:
            yield Path(folder)
        except UserError as error:
            texts = (error.subject, error.problem, error.fix)
            made = str(Path(folder) / f"{type(model).__name__}.nd")
            told = (text.replace(made, str(out)).replace(f"{folder}/", "") for text in texts)
            raise type(error)(error.code, *told) from None


def _convert_graph(graph: Any, out: Path, options: Mapping[str, Any], progress: Progress | None) -> dict[str, Any]:
    from neurodeploy.frontends.modules.export import export_graph

    with _beside(graph, out) as folder:
        path = folder / "NIRGraph.nir"
        export_graph(graph, path)
        found = convert_file(path, out, options, progress)
    if found["command_as_meant"]:
        words = shlex.split(found["command_as_meant"])
        source = words[words.index("--source") + 1]
        found["command_as_meant"] = f"convert(graph, {str(out)!r}, source={source!r})"
    return found


def _convert_checked(
    module: Any, name: str, out: Path, options: Mapping[str, Any], progress: Progress | None, example: object,
    tolerance: float | None,
) -> dict[str, Any]:  # fmt: skip
    from neurodeploy.frontends.modules.export import export_module, export_slayer

    layout, integers = options.get("layout"), name == slayer.NAME
    order: dict[str, Any] = {"layout": layout, "dt": options.get("dt")}
    with _beside(module, out) as folder:
        kind = type(module).__name__
        ends = (".net" if integers else ".nir", ".input.npz", ".output.npz", ".nd")
        path, fed, theirs, made = (folder / f"{kind}{end}" for end in ends)
        if integers:
            given, exported = {}, export_slayer(module, example, path, **order)
        else:
            given, exported = dict(options), export_module(module, name, example, path, **order)
            if options.get("calibration") is None:
                given |= {"calibration": fed, "layout": SAMPLE_FIRST}
        np.savez(fed, input=_small(exported.example))
        np.savez(theirs, output=_small(exported.outputs))
        found = convert_file(path, made, {**given, **exported.options}, progress)
        check = _checked(made, fed, theirs)
        check = {
            "framework": name, "layout": layout or layout_of(name), "tolerance": tolerance, **check,
            "told": dict(exported.options),
        }  # fmt: skip
        if tolerance is not None and check["share"] > tolerance:
            problem = (
                f"differs from {name} in {check['share']:.4%} of the example, first in step {check['first_difference']}"
            )
            fix = "raise the tolerance, or convert without one and look at the check"
            raise UserError("ND1278", kind, f"{problem}; the tolerance is {tolerance:.4%}", fix)
        with folder_aside(out) as work:
            shutil.copytree(made, work, dirs_exist_ok=True)
    losses = [*exported.gaps, *found["losses"]]
    questions = [*found["open_questions"], *([] if exported.gaps else check["unexplained"])]
    del check["unexplained"]
    return {
        **found, "open_questions": questions, "losses": losses, "command_as_meant": None, "bundle": str(out), "check": check
    }  # fmt: skip


def _small(values: NDArray[Any]) -> NDArray[Any]:
    """Spikes in a byte each."""
    whole = bool(((values >= 0) & (values <= 255) & (values == np.trunc(values))).all())
    return values.astype(np.uint8) if whole else values


def _checked(bundle: Path, fed: Path, theirs: Path) -> dict[str, Any]:
    """The chip, and the float network before any rounding (None: of integers), against what the framework gave: "exact" or
    "within x"."""
    from neurodeploy.pipeline.evaluating import eval

    found = eval(bundle, input=fed, reference=theirs, layout=SAMPLE_FIRST)
    (row,) = found["reference"]
    graded, integers = bool(row["graded"]), row["float_differing"] is None
    share = float(row["worst"]) if graded else row["differing"] / max(1, row["compared"])
    unexplained = [UNEXPLAINED.format(row["population"])] if misread([row]) else []
    unrounded = None
    if integers and share > 0:
        unexplained = [UNEQUAL.format(row["population"])]
    if not integers:
        unrounded = said(row["float_worst"] if graded else row["float_differing"] / max(1, row["compared"]), graded)
    return {
        "samples": found["samples"], "steps": found["steps"], "compared": row["compared"], "differing": row["differing"],
        "framework_spikes": row["reference_spikes"], "chip_spikes": row["chip_spikes"], "latency": row["latency"],
        "first_difference": row["first_difference"], "graded": graded, "share": share, "result": said(share, graded),
        "before_rounding": unrounded, "unexplained": unexplained,
    }  # fmt: skip


def said(share: float, graded: bool) -> str:
    """ "exact", or "within x %" of the bins; of values that are no spikes "v within x" of the largest."""
    if graded:
        return f"v within {share:.2g}"
    return "exact" if share == 0 else f"within {100 * share:.2f} %"
