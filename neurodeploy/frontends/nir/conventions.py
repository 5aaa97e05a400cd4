"""What four frameworks mean by the files that they export: NIR says neither the scheme, nor > or >=, nor the kind of reset.

`as_meant_by` turns a network as it was read (forward Euler, v > threshold, reset to a value) into the network that the
framework ran, where that can be said in the same terms, and notes everything that its exporter leaves out. All of it was
measured: `docs/interchange.md` compares every case with the framework's own spikes.

Membranes that stand exactly on the threshold, as they do with whole-number weights, fire or not as in the framework: a
threshold is moved by 2**-40 of itself, down for >= and up for >, so that rounding in float64 decides nothing; and a gain
``R dt / tau`` that is 1 but for the float32 of the file is made 1.

==============  ========  ===========  =======  =====================================================================
source          step      scheme       fires    what its exporter gets wrong or leaves out
==============  ========  ===========  =======  =====================================================================
snntorch        1e-4 s    Euler        v > th   kind and delay of the reset; tau = r = inf for beta = 1
norse           any       Euler        v > th   tau = dt * tau unless it was told dt = 1; w_in of a `CubaLIF`; v_reset
spikingjelly    any       Euler        v >= th  -
sinabs          1 s       exponential  v >= th  several spikes a step, subtraction, min_v_mem, norm_input, tau_syn
==============  ========  ===========  =======  =====================================================================

(snntorch 1.0.0 ``export_nir.py``, norse 1.1.0 ``torch/utils/export_nir.py``, spikingjelly 2.0.0 ``nir_exchange/to_nir.py``,
sinabs 3.1.3 ``nir.py``, and the neurons of each.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.reader import read
from neurodeploy.ir.float_network import FloatEdge, FloatNetwork, FloatNode, Floats, Note

#: How far a threshold is moved, as a share of itself: far beyond the rounding of float64, far below that of float32.
NUDGE = 2.0**-40
#: A gain as close to 1 as this is 1: the file holds R and tau in float32.
UNIT = 1e-6
#: "subtract-next": the threshold is taken off one step later, before the leak (snnTorch's default).
RESETS = ("value", "subtract", "subtract-next")
_TAUS = ("tau", "tau_syn", "tau_mem")


@dataclass(frozen=True, slots=True)
class Convention:
    """step : the time step of its files in seconds, None: what the exporter was told. silent : what no file of it says."""

    step: float | None
    exponential: bool
    at_threshold: bool
    silent: str
    repair: Callable[[FloatNode, float, list[Note]], FloatNode] | None = None


def _norse(node: FloatNode, dt: float, notes: list[Note]) -> FloatNode:
    """tau in the file is dt / tau_inv = dt * tau (norse#411): repaired where it is shorter than a step."""
    p = dict(node.params)
    short = [key for key in _TAUS if key in p and bool((p[key] < dt).all())]
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
        1e-4, False, False, "whether a reset is to zero or a subtraction, at once or in the next step"
    ),
    "norse": Convention(None, False, False, "v_reset: it is 0 in its files whatever it was", _norse),
    "spikingjelly": Convention(None, False, True, ""),
    "sinabs": Convention(
        1.0,
        True,
        True,
        "several spikes in one step, reset by subtraction (both are its defaults), min_v_mem, norm_input=False and tau_syn",
    ),
}


#: The note of a file whose source is not known.
UNSAID = "NIR does not say how a step is solved, whether v = threshold fires, and what a reset is"
TAKEN = f"forward Euler, v > threshold, reset to a value unless told; the source can be {', '.join(CONVENTIONS)}"


def read_as(
    path: Path | str,
    dt: float | None,
    source: str | None = None,
    *,
    gain: str = "auto",
    reset: str | None = None,
    v_reset: float | None = None,
    unit_gain: bool = False,
) -> FloatNetwork:
    """Read a NIR file (`reader.read`) as `source` meant it; `reset`, `v_reset`, `unit_gain` are those of `as_meant_by`.

    Without a source the file is taken at its word, and a note says what that is; of the options only ``reset="value"`` and
    ``"subtract"`` make sense then. Either way a time constant that is shorter than the time step is refused: ND1271.
    Other errors are those of `read` and of `as_meant_by`.
    """
    if source is not None:
        meant = read(path, dt, gain=gain)
        network = as_meant_by(meant, source, reset=reset, v_reset=v_reset, unit_gain=unit_gain)
    elif reset == "subtract-next" or v_reset is not None or unit_gain:
        problem = "reset='subtract-next', v_reset and unit_gain repair what a framework left out, and none is named"
        raise ModelError("ND1270", path, problem, f"give a source of {', '.join(CONVENTIONS)}")
    else:
        network = read(path, dt, gain=gain, reset=reset)
        if any(node.spikes for node in network.nodes.values()):
            network = replace(network, notes=(*network.notes, Note(Path(path).name, UNSAID, TAKEN)))
    check_stable(network)
    return network


def as_meant_by(
    network: FloatNetwork,
    source: str,
    *,
    reset: str | None = None,
    v_reset: float | None = None,
    unit_gain: bool = False,
) -> FloatNetwork:
    """The network that `source` ran, given the one that its file says. Notes are added for every change and every gap.

    source : a key of `CONVENTIONS`. reset : of `RESETS` for all spiking neurons, None leaves what was read. v_reset : the
    value after a spike, for files that do not hold it. unit_gain : an input of 1 adds 1 to a leaky membrane (``norm_input=
    False`` of sinabs). Raises ND1270 for what is not known.
    """
    if source not in CONVENTIONS or reset not in (None, *RESETS):
        wrong = repr(source) if source not in CONVENTIONS else f"reset {reset!r}"
        fix = f"use a source of {', '.join(CONVENTIONS)} and a reset of {', '.join(RESETS)}"
        raise ModelError("ND1270", network.name, f"{wrong} is not known", fix)
    convention, notes = CONVENTIONS[source], list(network.notes)
    if convention.step is not None and abs(network.dt - convention.step) > 1e-9 * convention.step:
        told = f"files of {source} are written for {convention.step:g} s"
        notes.append(Note(network.name, f"time step {network.dt:g} s", told))
    if convention.silent:
        notes.append(Note(network.name, f"written by {source}", f"its files do not say {convention.silent}"))
    nodes, edges = dict(network.nodes), list(network.edges)
    for name, node in network.nodes.items():
        if node.role == "neuron":
            nodes[name] = _neuron(node, convention, network.dt, unit_gain, notes)
            if node.spikes and node.kind != "threshold":
                nodes[name] = _reset(nodes[name], reset, v_reset, notes)
                if reset == "subtract-next":
                    _subtract_later(nodes, edges, name, network.dt)
    provenance = {**network.provenance, "source": source, **({"reset": reset} if reset else {})}
    made = replace(network, nodes=nodes, edges=tuple(edges), notes=tuple(notes), provenance=provenance)
    made.check()
    return made


def check_stable(network: FloatNetwork) -> None:
    """ND1271 where a time constant is shorter than the time step: forward Euler overshoots, beyond twice it diverges."""
    for name, node in network.nodes.items():
        for key in _TAUS:
            if key in node.params and bool((node.params[key] < network.dt * (1 - 1e-6)).any()):
                shortest = float(node.params[key].min())
                raise ModelError(
                    "ND1271",
                    name,
                    f"{key} = {shortest:.6g} s is shorter than the time step of {network.dt:.6g} s",
                    "give a shorter time step; for a file of Norse, which writes dt * tau, say source='norse'",
                )


def _neuron(node: FloatNode, convention: Convention, dt: float, unit_gain: bool, notes: list[Note]) -> FloatNode:
    if convention.repair is not None:
        node = convention.repair(node, dt, notes)
    p = dict(node.params)
    taus = [key for key in _TAUS if key in p]
    if convention.exponential and taus:
        for key in taus:  # Euler with this one loses 1 - exp(-dt / tau) in a step
            p[key] = dt / -np.expm1(-dt / p[key])
        notes.append(Note(node.name, f"exponential decay with {', '.join(taus)}", "the same as Euler, tau adapted"))
    for tau, gain in (("tau", "r"), ("tau_mem", "r"), ("tau_syn", "w_in")):
        if tau in p and gain in p:
            unit = p[tau] / dt
            if unit_gain and gain == "r":
                p[gain] = unit
                notes.append(Note(node.name, "gain", "1, as told"))
            p[gain] = np.where(np.abs(p[gain] - unit) < UNIT * unit, unit, p[gain])
    for key in ("v_threshold", "threshold"):
        if key in p:
            p[key] = p[key] + np.abs(p[key]) * (-NUDGE if convention.at_threshold else NUDGE)
            if convention.at_threshold:
                notes.append(Note(node.name, "fires at v >= threshold", "threshold lowered by 2**-40 of itself"))
    for array in p.values():
        array.setflags(write=False)
    return replace(node, params=p)


def _reset(node: FloatNode, reset: str | None, v_reset: float | None, notes: list[Note]) -> FloatNode:
    if v_reset is not None:
        value = np.full(node.shape, float(v_reset))
        value.setflags(write=False)
        node = replace(node, params={**node.params, "v_reset": value})
        notes.append(Note(node.name, "v_reset", f"{v_reset:g}, as told"))
    if reset is None:
        return node
    notes.append(Note(node.name, "reset", f"{reset}, as told"))
    return replace(node, reset="value" if reset == "value" else "subtract")


def _subtract_later(nodes: dict[str, FloatNode], edges: list[FloatEdge], name: str, dt: float) -> None:
    """Take ``(1 - keep) threshold`` off in the step after a spike: with the subtraction at once, ``keep v + x - threshold``.

    keep is what the leak leaves of v in one step; a synapse of a neuron on itself does it, through the gain of its input.
    """
    node = nodes[name]
    lost, gain = _leak_and_gain(node, dt)
    weight = -lost * node.params["v_threshold"] / gain
    weight.setflags(write=False)
    own = f"{name}.later"
    while own in nodes:
        own += "_"
    nodes[own] = FloatNode(own, "scale", node.shape, node.shape, {"scale": weight})
    edges += [FloatEdge(name, own), FloatEdge(own, name, recurrent=True)]


def _leak_and_gain(node: FloatNode, dt: float) -> tuple[Floats, Floats]:
    """What a membrane loses of itself in a step, and what it takes of a current of one step."""
    p = node.params
    if node.kind == "if":
        return np.zeros(node.shape), p["r"] * (1.0 if node.gain == "per-step" else dt)
    if node.kind == "lif":
        return dt / p["tau"], p["r"] * dt / p["tau"]
    fix = "use reset='subtract', or a network whose neurons have no synaptic current"
    raise ModelError("ND1270", node.name, f"reset 'subtract-next' is not known for {node.kind}", fix)
