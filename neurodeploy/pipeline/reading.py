"""From a NIR file (real numbers, quantised here) or a lava-dl .net (integers already) to a `Network`, with all notes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurodeploy.errors import UserError
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.float_network import FloatNetwork, Loss, Note, Question
from neurodeploy.ir.network import Network
from neurodeploy.pipeline.silence import out_of_phase
from neurodeploy.pipeline.streams import GRADED_PAYLOAD

if TYPE_CHECKING:
    from neurodeploy.conversion.spiking.options import QuantizeOptions
    from neurodeploy.conversion.spiking.report import QuantizationReport

#: The two ways of the published bridge from NIR, by what it makes of the neurons.
BRIDGES = ("lava", "lava-dl")
NET_OPTIONS = (
    "dt", "num_layers", "skip_layers", "input_message_bits", "input_shape", "reset_interval", "reset_offset", "spike_exp"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NirOptions:
    """What NIR files do not say, and how they become integers; see `convert_network`. verb, kept : the call so far, which an
    error completes."""

    dt: float | None = None
    gain: str = "auto"
    source: str | None = None
    reset: str | Mapping[str, str] | None = None
    v_reset: float | None = None
    unit_gain: bool | None = None
    scheme: str | None = None
    weight_bits: int | None = None
    calibration: str | Path | None = None
    layout: str | None = None
    compat: str | None = None
    verb: str = "convert"
    kept: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Read:
    """A network in integers with what is known of its origin. `questions`: what its source leaves open, `losses`: what
    integers cannot hold at all, both before all other warnings; `command`: that which reads it as the framework that it
    looks like. `save_nir` writes the float network, where there is one."""

    network: Network
    family: str
    conversion: dict[str, Any]
    questions: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    command: str | None = None
    warnings: list[str] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    save_nir: Callable[[Path], None] | None = None


def read_net_file(path: Path, dt: float | None = None, **options: Any) -> Read:
    """With `options` of netx's `Network` that matter for the integers (`NET_OPTIONS`), and `dt` for events in seconds and
    reports. ND3267 for a time step that is none; otherwise the errors of `frontends.lavadl`."""
    from neurodeploy.frontends.lavadl.reader import read_net

    if dt is not None and not (math.isfinite(dt) and dt > 0):
        raise UserError("ND3267", "--dt", f"{dt!r} s is no time step", "give seconds above 0, such as 1e-3")
    network = read_net(path, **options)
    if dt is not None:
        network = replace(network, dt=Dyadic.nearest(dt, 53))
    notes = network.provenance
    warnings = [str(line) for key in ("host", "repairs", "ignored") for line in _lines(notes.get(key))]
    conversion = {"format": "lava-dl .net", "shapes": {}, "inputs": {}, "outputs": {}, "graded": []}
    return Read(network, "lava-dl", conversion, warnings=[without_folder(line, path) for line in warnings])


def _lines(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def without_folder(line: str, path: Path) -> str:
    """The file by its name alone: the same file gives the same bundle wherever it lies."""
    return line.replace(str(path), path.name)


def read_nir_file(path: Path, given: NirOptions, tick: Callable[[int, int], None] | None = None) -> Read:
    """`tick` as of `quantize`. Raises ND3261 for options without effect beside others, ND3265, and what `frontends.nir` and
    `conversion.spiking` do.
    """
    from neurodeploy.conversion.spiking.options import QuantizeOptions

    _check_together(given)
    real = _float_network(path, given)
    options = QuantizeOptions(
        scheme=given.scheme or "euler", weight_bits=8 if given.weight_bits is None else given.weight_bits
    )
    options.check(real)
    peaks, units, asked = _calibrate(real, given, options.scheme)
    network, report = _integers(real, replace(options, peaks=peaks, graded_inputs=units), given.compat, tick)
    found = report.to_json()
    conversion = {
        "format": "NIR",
        "shapes": {name: list(real.nodes[name].shape) for name in real.inputs},
        "graded": sorted(units),
        "options": _recorded(given, real.dt, options.scheme),
        **found,
    }
    read = Read(network, "NIR", conversion, asked, errors=_errors(found), command=_better(path, given, real))
    if given.compat is None:
        read.losses += out_of_phase(real, network, report, options.scheme)
    lines: dict[type[Note], list[str]] = {Question: read.questions, Loss: read.losses, Note: read.warnings}
    for note in (*real.notes, *report.notes):
        lines[type(note)].append(_line(note, path))
    read.save_nir = lambda target: _save_nir(real, target, path, read)
    return read


def _check_together(given: NirOptions) -> None:
    """ND3261 where one option leaves another without effect."""
    quantizing = {
        "--scheme": given.scheme, "--weight-bits": given.weight_bits, "--calibration": given.calibration
    }  # fmt: skip
    reasons: list[tuple[str, Mapping[str, object]]] = []
    if given.compat is not None:
        reasons.append(("has no effect with --compat, whose rules are fixed", quantizing))
    if given.source is not None:
        reasons.append((f"has no effect with --source {given.source}, which implies it", {"--scheme": given.scheme}))
    else:
        only = {"--v-reset": given.v_reset, "--unit-gain": given.unit_gain}
        reasons.append(("is a repair of a framework's files", only))
    if given.calibration is None:
        reasons.append(("has no effect without --calibration, whose axes it orders", {"--layout": given.layout}))
    for reason, options in reasons:
        for name, value in options.items():
            if value is not None:
                fix = "leave it out" if "effect" in reason else "say which with --source"
                raise UserError("ND3261", name, reason, fix)


def _float_network(path: Path, given: NirOptions) -> FloatNetwork:
    """The network as the file says, or as the framework that wrote it means."""
    from neurodeploy.frontends.nir.conventions import read_as
    from neurodeploy.frontends.nir.reader import Call

    return read_as(
        path, given.dt, given.source, gain=given.gain, reset=given.reset, v_reset=given.v_reset,
        unit_gain=given.unit_gain, scheme=given.scheme or "euler", call=Call(given.verb, given.kept),
    )  # fmt: skip


def _better(path: Path, given: NirOptions, real: FloatNetwork) -> str | None:
    """The command with the source that a file looks like, where none was given."""
    from neurodeploy.frontends.nir.reader import Call

    source = real.provenance.get("looks_like")
    return None if source is None else Call(given.verb, given.kept).line(path, {"--source": source})


def _integers(
    real: FloatNetwork, options: QuantizeOptions, compat: str | None, tick: Callable[[int, int], None] | None
) -> tuple[Network, QuantizationReport]:
    from neurodeploy.conversion.spiking.compat import quantize_as_published
    from neurodeploy.conversion.spiking.quantize import quantize

    if compat is None:
        return quantize(real, options, tick)
    kinds = sorted({node.kind for node in real.nodes.values() if node.role == "neuron"})
    meant = BRIDGES[0] if kinds == ["lif"] else BRIDGES[1]
    if compat not in BRIDGES:
        raise UserError("ND3265", f"--compat {compat}", "names no published bridge", f"use one of {', '.join(BRIDGES)}")
    if compat != meant:
        problem = f"is not where the published bridge takes neurons of the kinds {', '.join(kinds)}"
        raise UserError("ND3265", f"--compat {compat}", problem, f"use --compat {meant}, or leave it out")
    return quantize_as_published(real)


def _recorded(given: NirOptions, dt: float, scheme: str) -> dict[str, Any]:
    """The options as JSON, to say in a report how the integers came about."""
    return {
        "dt": dt, "gain": given.gain, "source": given.source, "reset": given.reset, "v_reset": given.v_reset,
        "unit_gain": given.unit_gain, "scheme": scheme, "weight_bits": given.weight_bits, "compat": given.compat,
        "calibration": None if given.calibration is None else Path(given.calibration).name,
    }  # fmt: skip


def _line(note: Note, path: Path) -> str:
    return without_folder(f"{note.where}: {note.found}; {note.done}", path)


def _save_nir(real: FloatNetwork, target: Path, path: Path, read: Read) -> None:
    """Write the float network; what plain NIR cannot hold of it, or `nir.read` would refuse, is a warning.

    `conversion["pure_nir"]` says whether any reader of NIR takes the file, or ours alone.
    """
    from neurodeploy.frontends.nir.writer import write

    try:
        notes = write(real, target)
        read.conversion["pure_nir"] = True
    except UserError as error:
        if error.code != "ND1220":
            raise
        notes = write(real, target, strict=False)
        read.conversion["pure_nir"] = False
        read.warnings.append(f"{error.subject}: {error.problem}; source.nir in the bundle is for neurodeploy alone")
    read.warnings += [_line(note, path) for note in notes]


def _errors(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The worst rounding of every parameter of populations and weight of projections, relative to its own row."""
    rows = [
        (entry["name"], parameter, worst)
        for entry in report["populations"]
        for parameter, worst in entry["errors"].items()
    ]
    rows += [(entry["name"], "weight", entry["worst"]) for entry in report["projections"]]
    return [
        {
            "where": where,
            "parameter": parameter,
            "absolute": abs(worst["got"] - worst["wanted"]),
            "relative": worst["by_row"] if np.isfinite(worst["by_row"]) else None,
        }
        for where, parameter, worst in rows
    ]


def _calibrate(real: FloatNetwork, given: NirOptions, scheme: str) -> tuple[Any, dict[str, float], list[str]]:
    """Largest currents and voltages of the float network on a typical input, units of inputs that are no spikes, and what
    that input may mean otherwise.

    The unit of an input of whole numbers is a power of two that leaves them whole: nothing of them is rounded.
    """
    if given.calibration is None:
        return None, {}, []
    from neurodeploy.frontends.streams.reading import read_values
    from simulators import float_network

    sizes = {name: real.nodes[name].shape for name in real.inputs}
    values = read_values(given.calibration, real.name, sizes, real.dt, given.layout)
    limit = float(GRADED_PAYLOAD)
    units = {}
    for name, array in values.arrays.items():
        if ((array != 0) & (array != 1)).any():
            largest = float(np.abs(array).max())
            whole = largest <= limit and bool((array == np.trunc(array)).all())
            units[name] = 2.0 ** -math.floor(math.log2(limit / largest)) if whole else largest / limit
    return float_network.run(real, values.arrays, scheme=scheme).peaks, units, values.questions
