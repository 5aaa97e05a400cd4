"""What verbs read of conversion.json, checked before any of them relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from neurodeploy.conversion.tensors.coding import CODES, STEPS_MAX
from neurodeploy.errors import BundleError
from neurodeploy.ir.float_network import size_of
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Encode
from neurodeploy.ir.tensors import FORMAT
from neurodeploy.ir.typed import Row, as_integer, as_text, get, integer, items, number, table, text, texts
from neurodeploy.synapses.hollow import Facts

#: Longest latency of an output in steps: far more synapses in a row than any network has.
LATENCY_MAX = 1 << 16
#: How weights are stored, as `conversion.presets` names it.
FORMS = ("rows", "groups", "file")
#: What stands for entries that a conversion without rounding does not have.
_ABSENT: Mapping[str, Any] = {
    "format": "", "shapes": {}, "inputs": {}, "outputs": {}, "graded": [], "warnings": [], "errors": [], "options": {},
    "pure_nir": True, "open_questions": [], "losses": [], "states": {},
}  # fmt: skip


def conversion_of(value: dict[str, Any], program: Program, path: Path) -> dict[str, Any]:
    """The conversion of a program with all that verbs read of it, checked; ND5006 where something is not there or not of its
    type: of a calibration where a text is read, of rounding where streams are."""
    return _rounded(value, program, path) if program.streamed else _calibrated(value, path)


def _calibrated(value: dict[str, Any], path: Path) -> dict[str, Any]:
    try:
        if "hollow" in value:
            _hollow(table(value, "hollow"))
        preset, calibration = table(value, "preset"), table(value, "calibration")
        text(preset, "name"), integer(preset, "payload_bits"), integer(preset, "weight_bits")
        text(calibration, "text"), integer(calibration, "tokens")
        if "bits_a_weight" in value:
            means = table(value, "bits_a_weight")
            for key in ("body", "with_head"):
                _positive(means, key, zero=True)
        if "synaptic_events_sent" in value:
            _positive(value, "synaptic_events_sent", zero=True)
        if "weights" in preset and preset["weights"] not in FORMS:
            raise ValueError(f"weights is {preset['weights']!r:.40}, one of {FORMS} is needed")
        for site in items(value, "sites"):
            text(site, "path")
            for key in ("payload_bits", "wide_channels"):
                integer(site, key)
            for key in ("input_scale", "weight_sqnr_db", "output_sqnr_db"):
                number(site, key)
    except ValueError as error:
        raise BundleError("ND5006", path, str(error), "convert the model again") from None
    return value


def _hollow(told: Row) -> None:
    """What was told of a model without weights."""
    [integer(told, key) for key in ("small", "positions", "width")], text(told, "activity_source")
    [texts(told, key) for key in ("notes", "left_out")]
    activity = number(told, "activity")
    if set(told) != {entry.name for entry in fields(Facts)} or activity is None or not 0 < activity <= 1:
        raise ValueError(f"{sorted(told)} are not what is told of a model without weights")


def _rounded(value: dict[str, Any], program: Program, path: Path) -> dict[str, Any]:
    found = {**_ABSENT, **value}
    try:
        [texts(found, key) for key in ("open_questions", "losses", "warnings")], text(found, "format")
        if type(get(found, "pure_nir")) is not bool:
            raise ValueError("pure_nir is not true or false")
        for row in items(found, "errors"):
            text(row, "where"), text(row, "parameter"), number(row, "relative")
            _positive(row, "absolute", zero=True)
        if found["format"] in ("NIR", FORMAT):
            _with_units(found, program)
        if found["format"] == FORMAT and "code" in found:
            _coded(table(found, "code"))
        if unknown := set(table(found, "states")) - set(program.network.populations):
            raise ValueError(f"its states {sorted(unknown)!s:.80} are no populations")
        if found["format"] == "NIR":
            options = table(found, "options")
            text(options, "scheme")
            _positive(options, "dt")
    except ValueError as error:
        raise BundleError(
            "ND5006", path, f"is not the conversion of this network: {error}", "convert the network again"
        ) from None
    return found


def _with_units(found: Row, program: Program) -> None:
    network = program.network
    names = set(network.inputs) - {step.population for step in program.host if isinstance(step, Encode)}
    shapes, inputs, outputs = (table(found, key) for key in ("shapes", "inputs", "outputs"))
    if set(shapes) != names or set(inputs) != names or not names.issuperset(texts(found, "graded")):
        raise ValueError("its inputs are not those of the network")
    for name in names:
        sides = [as_integer(side, "shape", 1) for side in items(shapes, name)]
        if not sides or size_of(sides) != network.populations[name].size:
            raise ValueError(f"the shape of {name!r:.40} is {sides!s:.40}")
        _positive(get(inputs, name), "unit")
    for row in outputs.values():
        if as_text(get(row, "population"), "population") not in network.outputs:
            raise ValueError(f"{row['population']!r:.40} is no output of the network")
        integer(row, "latency", 0, LATENCY_MAX)
        _positive(row, "unit")


def _coded(told: Row) -> None:
    """How the values of a network of tensors are sent."""
    if text(told, "kind") not in CODES or any(told["sites"][site] not in CODES for site in table(told, "sites")):
        raise ValueError(f"{told['kind']!r:.40} is no code of values")
    integer(told, "steps", 1, STEPS_MAX)


def _positive(row: Row, key: str, zero: bool = False) -> None:
    value = number(row, key)
    if value is None or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{key} is {value}, a positive number is needed")
