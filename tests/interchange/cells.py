"""The table of `docs/interchange.md`, computed: every recorded case of every framework against our reading of its file.

A case is read twice: as the file says (`read`), and as its framework meant it (`as_meant_by`, with what the user would
have to tell it where the file is silent: `TOLD`). Both run in real numbers, the second one as integers on the reference
runner too. Where the module itself was given to `convert`, its file and the options that its attributes said are recorded:
they are read and run here in the same two ways. `differing` is the share of (step, neuron) bins whose spikes are not those
that the framework itself recorded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking.options import QuantizeOptions
from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.errors import NeurodeployError
from neurodeploy.frontends.nir.conventions import as_meant_by, check_stable, read_as
from neurodeploy.frontends.nir.reader import read
from neurodeploy.ir.float_network import FloatNetwork, FloatResult
from simulators.float_network import run
from simulators.reference import ReferenceRunner
from tests.conversion.nets import fed

FIXTURES = Path(__file__).resolve().parent / "fixtures"
FRAMEWORKS = ("snntorch", "norse", "spikingjelly", "sinabs")
#: Membranes agree to this share of their largest value: the frameworks compute in float32.
MEMBRANE = 1e-5

_ZERO: dict[str, Any] = {"reset": "value"}
#: What a user has to tell where a network was not made with its framework's defaults, since no file holds it:
#: (framework, case) -> options of `as_meant_by`.
TOLD: dict[tuple[str, str], dict[str, Any]] = {
    **{("snntorch", case): _ZERO for case in (
        "lif", "lif_two_layers", "lif_zero_delayed", "lif_ties", "cuba", "conv", "recurrent", "recurrent_one_to_one",
        "recurrent_cuba_delayed",
    )},
    **{("sinabs", case): _ZERO for case in (
        "if", "if_floor", "if_ties", "lif", "lif_scalar", "lif_tau_syn", "lif_two_layers", "li_default", "conv_inferred",
    )},
    ("norse", "lif_leak_reset"): {"v_reset": -0.5},
    ("norse", "lif_subtract"): {"reset": "subtract"},
    ("sinabs", "lif_no_norm"): {**_ZERO, "unit_gain": True},
    ("sinabs", "li"): {**_ZERO, "unit_gain": False},
}  # fmt: skip
#: Why a case differs even then: nothing else may.
LIMITS: dict[tuple[str, str], str] = {
    ("snntorch", "lif_none"): "no option says that there is no reset",
    ("snntorch", "recurrent_cuba_delayed"): "no node of NIR loses its input in the step after a spike",
    ("sinabs", "if_default"): "no node of NIR sends several spikes in a step",
    ("sinabs", "lif_default"): "no node of NIR sends several spikes in a step",
    ("sinabs", "if_floor"): "no node of NIR has a floor",
    ("sinabs", "lif_tau_syn"): "the synapse is lost",
}


COLUMNS = (
    "case", "network", "as the file says", "as meant", "told", "integers", "module given directly", "said by its attributes",
    "its check", "remark",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One comparison: a coded error, or the share of differing bins and how far membranes are apart (of their largest)."""

    error: str = ""
    differing: float | None = None
    membrane: float | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.error:
            return self.error.split()[0]
        if self.differing is not None:
            return "exact" if self.differing == 0 else f"within {100 * self.differing:.2f} %"
        close = self.membrane is not None and self.membrane <= MEMBRANE
        return f"v within {MEMBRANE:g}" if close else f"v within {self.membrane:.2g}"


@dataclass(frozen=True)
class Cell:
    """One row of the table; `read` and `meant` are None where the framework's exporter fails. `network`: as it was read.
    `direct`, `check`: of the module itself, in real numbers and as `convert` checks it."""

    framework: str
    entry: dict[str, Any]
    read: Reading | None = None
    meant: Reading | None = None
    integers: Reading | None = None
    told: dict[str, Any] = field(default_factory=dict)
    network: FloatNetwork | None = None
    direct: Reading | None = None
    check: Reading | None = None

    @property
    def case(self) -> str:
        return str(self.entry["case"])

    @property
    def limit(self) -> str:
        return LIMITS.get((self.framework, self.case), "")


def index(framework: str) -> dict[str, Any]:
    """What the recording script wrote down."""
    found: dict[str, Any] = json.loads((FIXTURES / framework / "index.json").read_text())
    return found


def cells(framework: str) -> list[Cell]:
    """All rows of one framework."""
    return [_cell(framework, entry) for entry in index(framework)["cases"]]


def _cell(framework: str, entry: dict[str, Any]) -> Cell:
    place = FIXTURES / framework / f"{entry['case']}.npz"
    recorded = dict(np.load(place)) if place.exists() else {}
    direct, check = _direct(framework, entry, recorded)
    if "file" not in entry:
        return Cell(framework, entry, direct=direct, check=check)
    path = FIXTURES / framework / entry["file"]
    told = TOLD.get((framework, entry["case"]), {})
    network: FloatNetwork | None = None
    try:
        network = read(path, entry["dt_s"])
        meant = as_meant_by(network, framework, **told)
    except NeurodeployError as error:
        coded = _coded(error)
        found = _ran(_in_float, network, entry["nodes"], recorded) or coded
        return Cell(framework, entry, found, coded, None, told, network, direct, check)
    runs = (_in_float, network), (_in_float, meant), (_in_integers, meant)
    readings = [_ran(how, made, entry["nodes"], recorded) for how, made in runs]
    return Cell(framework, entry, *readings, told, network, direct, check)


def _direct(framework: str, entry: dict[str, Any], recorded: dict[str, NDArray[Any]]) -> tuple[Reading, Reading | None]:
    """The module itself: its recorded file, read with the options that its attributes said."""
    direct = entry["direct"]
    if "error" in direct:
        return Reading(error=direct["error"]), None
    options = dict(direct["options"])
    network = read_as(FIXTURES / framework / direct["file"], options.pop("dt"), options.pop("source"), **options)
    nodes = {layer: node for layer, node in direct["layers"].items() if _traced(layer, recorded)}
    real, integers = (_ran(how, network, nodes, recorded) for how in (_in_float, _in_integers))
    assert real is not None
    return real, integers


def _traced(layer: str, recorded: dict[str, NDArray[Any]]) -> bool:
    return f"spikes.{layer}" in recorded or f"v.{layer}" in recorded


def _coded(error: NeurodeployError) -> Reading:
    return Reading(error=f"{error.code} {error.problem}; {error.fix}")


def _ran(
    how: Callable[..., Reading], network: FloatNetwork | None, nodes: dict[str, str], recorded: dict[str, NDArray[Any]]
) -> Reading | None:
    """One comparison of a network, or why it does not run; None of a network that could not be read."""
    if network is None:
        return None
    try:
        check_stable(network)
        return how(network, nodes, recorded)
    except NeurodeployError as error:
        return _coded(error)


def _in_float(network: FloatNetwork, nodes: dict[str, str], recorded: dict[str, NDArray[Any]]) -> Reading:
    result = _run(network, nodes, recorded)
    wrong, bins, apart = 0, 0, 0.0
    for layer, node in nodes.items():
        trace = result.recorded[node]
        if f"spikes.{layer}" in recorded:
            theirs = recorded[f"spikes.{layer}"]
            wrong, bins = wrong + int((trace["out"][0] != theirs).sum()), bins + theirs.size
        if f"v.{layer}" in recorded and "v" in trace:
            apart = max(apart, _apart(trace["v"][0], recorded[f"v.{layer}"]))
    spiking = _last(nodes, recorded).startswith("spikes.")
    notes = tuple(f"{note.found}: {note.done}" for note in network.notes)
    return Reading(differing=wrong / bins if spiking else None, membrane=apart, notes=notes)


def _run(network: FloatNetwork, nodes: dict[str, str], recorded: dict[str, NDArray[Any]]) -> FloatResult:
    return run(network, {network.inputs[0]: recorded["input"]}, record=tuple(nodes.values()))


def _apart(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """Largest difference of the membranes that were kept, as a share of the largest."""
    kept = theirs.shape[1]
    return float(np.abs(ours[:, :kept] - theirs).max() / max(1e-9, float(np.abs(theirs).max())))


def _last(nodes: dict[str, str], recorded: dict[str, NDArray[Any]]) -> str:
    """What the last layer gives: its spikes, or its membrane where it does not spike."""
    layer = list(nodes)[-1]
    return f"spikes.{layer}" if f"spikes.{layer}" in recorded else f"v.{layer}"


def _in_integers(network: FloatNetwork, nodes: dict[str, str], recorded: dict[str, NDArray[Any]]) -> Reading:
    """The last layer as the chip would run it, shifted by its latency."""
    theirs = recorded[_last(nodes, recorded)]
    spikes = recorded["input"][None].astype(np.int64)
    chip, report = quantize(network, QuantizeOptions(peaks=_run(network, nodes, recorded).peaks))
    (output,) = report.outputs.values()
    payloads = fed(network, report, {network.inputs[0]: spikes})
    result = ReferenceRunner().run(chip, payloads, len(theirs) + output.latency)
    got = np.empty((len(theirs), len(output.order)))
    got[:, output.order] = result.outputs[output.population][0, output.latency :] * output.unit
    notes = tuple(f"{note.found}: {note.done}" for note in report.notes)
    if _last(nodes, recorded).startswith("v."):
        return Reading(membrane=_apart(got, theirs), notes=notes)
    return Reading(differing=float((got != theirs).mean()), notes=notes)


def table(rows: Iterable[Cell] | None = None) -> str:
    """The generated part of `docs/interchange.md`."""
    found = [cell for name in FRAMEWORKS for cell in cells(name)] if rows is None else list(rows)
    lines: list[str] = []
    for framework in FRAMEWORKS:
        versions = index(framework)["versions"]
        named = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "python")
        lines += ["", f"### {framework}", "", f"Recorded with {named}.", ""]
        lines += [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        lines += [_line(cell) for cell in found if cell.framework == framework]
    return "\n".join(lines[1:]) + "\n"


def _line(cell: Cell) -> str:
    entry, direct = cell.entry, cell.entry["direct"]
    name, network = f"`{cell.case}`", entry["network"].replace("|", "/")
    said = {key: value for key, value in direct.get("options", {}).items() if key not in ("source", "dt")}
    if "reset" in said:
        said["reset"] = ", ".join(dict.fromkeys(said["reset"].values())) or None
    given = (cell.direct, _options(said), cell.check or "-")
    gaps = [gap.partition(": ")[2] for gap in direct.get("gaps", ())] + [
        text for text in (direct.get("error"),) if text
    ]
    if cell.read is None:
        refusal = entry["export_error"]
        asked = not refusal.startswith("not asked")
        remarks = [text for text in (entry["note"], f"its exporter: {refusal}" if asked else refusal) if text]
        columns = (name, network, "-", "-", "-", "-", *given, _plain("; ".join([*remarks, *gaps])))
        return f"| {' | '.join(map(str, columns))} |"
    remarks = [text for text in (cell.limit, entry["note"]) if text]
    errors = [
        reading.error for reading in (cell.read, cell.meant, cell.integers) if reading is not None and reading.error
    ]
    remarks += [*dict.fromkeys(errors), *gaps]
    if "nir_read_error" in entry:
        remarks.append(f"nir's own reader: {entry['nir_read_error']}")
    told = _options(cell.told)
    columns = (name, network, cell.read, cell.meant, told, cell.integers or "-", *given, _plain("; ".join(remarks)))
    return f"| {' | '.join(map(str, columns))} |"


def _options(told: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in told.items()) or "-"


def _plain(text: str) -> str:
    return text.replace("|", "/").replace("<", "(").replace(">", ")") if "<class" in text else text.replace("|", "/")
