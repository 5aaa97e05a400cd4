"""Which framework wrote a NIR file, by the marks of its exporter, and the command that reads the file as it was meant.

No exporter signs its files. Names of nodes come from the tracer (torch.fx renames ``0`` to ``_0`` and ``input`` to
``input_1``, nirtorch's older one keeps them), R and the time constants from the formulas in ``export_nir.py`` of snnTorch
1.0.0, ``torch/utils/export_nir.py`` of Norse 1.1.0, ``nir_exchange/to_nir.py`` of SpikingJelly 2.0.0 and ``nir.py`` of
sinabs 3.1.3, which writes nir 1.0.4: a format without v_reset. A mark is no proof: what it says is asked, never assumed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from neurodeploy.frontends.nir.shapes import Draft
from neurodeploy.ir.float_network import KINDS

#: Time constants from here on are no seconds: they count steps, as those of sinabs.
COUNTED = 1.0
#: Parameters that are time constants, and those that scale what comes in.
TAUS, INWARD = ("tau", "tau_syn", "tau_mem"), ("r", "w_in")


class Writer(NamedTuple):
    """source : a framework. marks : what was found of it."""

    source: str
    marks: str


@dataclass(frozen=True, slots=True)
class Call:
    """What the user typed, to be repeated with what was missing: the verb, and the options that stay as they are."""

    verb: str = "convert"
    kept: tuple[str, ...] = ()

    def line(self, path: Path, options: Mapping[str, object]) -> str:
        """The whole command; a number is printed so that it is read back as the same."""
        words = ["neurodeploy", self.verb, str(path)]
        for name, value in options.items():
            words += [name, f"{value:.6g}" if isinstance(value, float) else str(value)]
        words += self.kept
        if self.verb == "convert" and "--out" not in self.kept:
            words += ["--out", f"{path.stem}.nd"]
        return shlex.join(words)


class _Marks(NamedTuple):
    """inputs, names : of the Inputs and of all other nodes but Outputs. step : at which every R gives a gain of 1, if one
    does. unit : every R and w_in is 1. counted : no time constant is shorter than `COUNTED`. v_reset : in the file. rest :
    v_leak and v_reset are 0."""

    inputs: frozenset[str]
    names: tuple[str, ...]
    step: float | None
    unit: bool
    counted: bool
    v_reset: bool
    rest: bool


def _numbered(marks: _Marks, pattern: str) -> bool:
    return all(re.fullmatch(pattern, name.partition(".")[0]) for name in marks.names)


#: Framework -> its marks in words, and what looks for them. The first that fits is named.
_WRITERS: Mapping[str, tuple[str, Callable[[_Marks], bool]]] = {
    "spikingjelly": (
        "its nodes are named _0, _1, .. behind an Input input_1",
        lambda m: m.inputs == {"input_1"} and _numbered(m, r"_\d+"),
    ),
    "snntorch": (
        "R = tau / 1e-4 s, v_leak = v_reset = 0 in every neuron",
        lambda m: m.inputs == {"input"} and m.rest and m.step is not None and abs(m.step - 1e-4) < 1e-7,
    ),
    "sinabs": (
        "R = 1, no v_reset, and time constants that count steps, if any",
        lambda m: m.inputs == {"input"} and m.unit and m.counted and not m.v_reset,
    ),
    "norse": (
        "R = 1 and v_reset = 0 in every neuron, nodes named 0, 1, ..",
        lambda m: m.inputs == {"input"} and m.unit and m.v_reset and _numbered(m, r"\d+"),
    ),
}


def recognise(drafts: Mapping[str, Draft], step: float | None) -> Writer | None:
    """The framework whose marks a file has. step : that its R speak of with one voice (`gains.step_meant`)."""
    neurons = [made for made in drafts.values() if KINDS[made.kind].role == "neuron"]
    values = [(key, value) for made in neurons for key, value in made.values.items()]
    spiking = [made for made in neurons if KINDS[made.kind].spikes]
    if not any(key == "r" for key, _ in values) or not spiking:
        return None
    kinds = {name: made.kind for name, made in drafts.items()}
    marks = _Marks(
        inputs=frozenset(name for name, kind in kinds.items() if kind == "input"),
        names=tuple(name for name, kind in kinds.items() if kind not in ("input", "output")),
        step=step,
        unit=all(bool((value == 1).all()) for key, value in values if key in INWARD),
        counted=all(bool((value >= COUNTED).all()) for key, value in values if key in TAUS),
        v_reset=any("v_reset" in made.raw.fields for made in spiking),
        rest=not any(bool(value.any()) for key, value in values if key in ("v_leak", "v_reset")),
    )
    return next((Writer(source, text) for source, (text, fits) in _WRITERS.items() if fits(marks)), None)
