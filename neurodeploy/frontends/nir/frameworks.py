"""What four frameworks mean by the NIR files that they export: step, scheme, > or >=, kind of reset, gaps of the exporter.

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

(snntorch 1.0.0 ``export_nir.py``, norse 1.1.0 ``torch/utils/export_nir.py``, spikingjelly 2.0.0 ``nir_exchange/to_nir.py``,
sinabs 3.1.3 ``nir.py``, and the neurons of each.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from neurodeploy.frontends.nir.writers import TAUS
from neurodeploy.ir.float_network import FloatNode, Note


@dataclass(frozen=True, slots=True)
class Convention:
    """step : the time step of its files in seconds; `told`: unless its exporter was told another. reset : its default.
    unit_gain : kinds of neurons whose gain is 1 by default. silent : what no file of it says; `ask`: options that say it."""

    step: float
    told: bool
    exponential: bool
    at_threshold: bool
    silent: str
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


CONVENTIONS = {
    "snntorch": Convention(
        1e-4, False, False, False, "whether a reset is to zero or a subtraction, at once or in the next step",
        "--reset value (for reset_mechanism='zero') or --reset subtract (for reset_delay=False)", "subtract-next",
    ),
    "norse": Convention(
        1e-3, True, False, False, "v_reset: it is 0 in its files whatever it was", "--v-reset", repair=_norse
    ),
    "spikingjelly": Convention(1e-4, True, False, True, ""),
    "sinabs": Convention(
        1.0, False, True, True,
        "several spikes in one step, reset by subtraction (both are its defaults), min_v_mem, norm_input and tau_syn",
        "--reset value (for MembraneReset), --unit-gain or --no-unit-gain (for norm_input)", "subtract", ("li",),
    ),
}  # fmt: skip
