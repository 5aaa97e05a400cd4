"""What four frameworks mean by the NIR files that they export: step, scheme, > or >=, kind of reset, gaps of the exporter;
and the marks by which a file of each is known.

==============  ========  ===========  =======  =====================================================================
source          step      scheme       fires    what its exporter gets wrong or leaves out
==============  ========  ===========  =======  =====================================================================
snntorch        1e-4 s    Euler        v > th   kind and delay of the reset; tau = r = inf for beta = 1
norse           1e-3 s *  Euler        v > th   tau = dt * tau unless it was told dt = 1; w_in of a `CubaLIF`; v_reset
spikingjelly    1e-4 s *  Euler        v >= th  -
sinabs          1 s       exponential  v >= th  several spikes a step, subtraction, min_v_mem, norm_input, tau_syn
==============  ========  ===========  =======  =====================================================================

(*: unless its exporter was told another.) What a file leaves out is taken as the framework's own default: snnTorch takes the
threshold off one step later, sinabs at once, and its `ExpLeak` has a gain of 1.

No exporter signs its files. Names of nodes come from the tracer (torch.fx renames ``0`` to ``_0`` and ``input`` to
``input_1``, nirtorch's older one keeps them), R and the time constants from the exporter's formulas; sinabs writes nir
1.0.4, a format without v_reset. A mark is no proof: what it says is asked, never assumed.

(snntorch 1.0.0 ``export_nir.py``, norse 1.1.0 ``torch/utils/export_nir.py``, spikingjelly 2.0.0 ``nir_exchange/to_nir.py``,
sinabs 3.1.3 ``nir.py``, and the neurons of each.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from neurodeploy.frontends.nir.raw import Draft
from neurodeploy.ir.float_network import KINDS, FloatNode, Note

#: Time constants from here on are no seconds: they count steps, as those of sinabs.
COUNTED = 1.0
#: Parameters that are time constants, and those that scale what comes in.
TAUS, INWARD = ("tau", "tau_syn", "tau_mem"), ("r", "w_in")


class Marks(NamedTuple):
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

    def numbered(self, pattern: str) -> bool:
        return all(re.fullmatch(pattern, name.partition(".")[0]) for name in self.names)


@dataclass(frozen=True, slots=True)
class Convention:
    """step : the time step of its files in seconds; `told`: unless its exporter was told another. reset : its default.
    marks, fits : of its files, in words, and what looks for them. unit_gain : kinds of neurons whose gain is 1 by default.
    silent : what no file of it says; `ask`: options that say it."""

    step: float
    told: bool
    exponential: bool
    at_threshold: bool
    marks: str
    fits: Callable[[Marks], bool]
    silent: str = ""
    ask: str = ""
    reset: str | None = None
    unit_gain: tuple[str, ...] = ()
    repair: Callable[[FloatNode, float, list[Note]], FloatNode] | None = None


def _norse(node: FloatNode, dt: float, notes: list[Note]) -> FloatNode:
    """tau in the file is dt / tau_inv = dt * tau (norse#411): repaired where it is shorter than a step."""
    p = dict(node.params)
    short = [key for key in TAUS if key in p and bool((p[key] < dt).all())]
    for key in short:
        p[key] = p[key] / dt
    if short:
        found = f"{' and '.join(short)} shorter than a step of {dt:.6g} s"
        notes.append(Note(node.name, found, "divided by dt: Norse exports dt * tau"))
    if node.kind == "cubalif" and bool((p["w_in"] == 1).all()):
        p["w_in"] = p["tau_syn"] / dt
        notes.append(Note(node.name, "w_in = 1", "tau_syn / dt: Norse adds the whole weight to the current"))
    return replace(node, params=p)


#: No file has the marks of two of them.
CONVENTIONS = {
    "snntorch": Convention(
        1e-4, False, False, False, "R = tau / 1e-4 s, v_leak = v_reset = 0 in every neuron",
        lambda m: m.inputs == {"input"} and m.rest and m.step is not None and abs(m.step - 1e-4) < 1e-7,
        "whether a reset is to zero or a subtraction, at once or in the next step",
        "--reset value (for reset_mechanism='zero') or --reset subtract (for reset_delay=False)", "subtract-next",
    ),
    "norse": Convention(
        1e-3, True, False, False, "R = 1 and v_reset = 0 in every neuron, nodes named 0, 1, ..",
        lambda m: m.inputs == {"input"} and m.unit and m.v_reset and m.numbered(r"\d+"),
        "v_reset and reset_method: 0 and reset_value in its files whatever they were", "--v-reset or --reset subtract",
        repair=_norse,
    ),
    "spikingjelly": Convention(
        1e-4, True, False, True, "its nodes are named _0, _1, .. behind an Input input_1",
        lambda m: m.inputs == {"input_1"} and m.numbered(r"_\d+"),
    ),
    "sinabs": Convention(
        1.0, False, True, True, "R = 1, no v_reset, and time constants that count steps, if any",
        lambda m: m.inputs == {"input"} and m.unit and m.counted and not m.v_reset,
        "several spikes in one step, reset by subtraction (both are its defaults), min_v_mem, norm_input and tau_syn",
        "--reset value (for MembraneReset), --unit-gain or --no-unit-gain (for norm_input)", "subtract", ("li",),
    ),
}  # fmt: skip


def recognise(drafts: Mapping[str, Draft], step: float | None) -> str:
    """The framework whose marks a file has, "" for none. step : that its R speak of with one voice (`gains.step_meant`)."""
    neurons = [made for made in drafts.values() if KINDS[made.kind].role == "neuron"]
    values = [(key, value) for made in neurons for key, value in made.values.items()]
    spiking = [made for made in neurons if KINDS[made.kind].spikes]
    if not any(key == "r" for key, _ in values) or not spiking:
        return ""
    kinds = {name: made.kind for name, made in drafts.items()}
    marks = Marks(
        inputs=frozenset(name for name, kind in kinds.items() if kind == "input"),
        names=tuple(name for name, kind in kinds.items() if kind not in ("input", "output")),
        step=step,
        unit=all(bool((value == 1).all()) for key, value in values if key in INWARD),
        counted=all(bool((value >= COUNTED).all()) for key, value in values if key in TAUS),
        v_reset=any("v_reset" in made.fields for made in spiking),
        rest=not any(bool(value.any()) for key, value in values if key in ("v_leak", "v_reset")),
    )
    return next((source for source, convention in CONVENTIONS.items() if convention.fits(marks)), "")
