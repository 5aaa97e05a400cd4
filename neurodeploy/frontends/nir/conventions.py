"""What four frameworks mean by the files that they export: NIR says neither the scheme, nor > or >=, nor the kind of reset.

`as_meant_by` turns a network as it was read (forward Euler, v > threshold, reset to a value) into the network that the
framework ran, where that can be said in the same terms, and notes everything that its exporter leaves out. All of it was
measured: `docs/interchange.md` compares every case with the framework's own spikes.

Membranes that stand exactly on the threshold, as they do with whole-number weights, fire or not as in the framework: a
threshold is moved by 2**-40 of itself, down for >= and up for >, so that rounding in float64 decides nothing; and a gain
``R dt / tau`` that is 1 but for the float32 of the file is made 1.

`frameworks` has what each of them does. With a source that is all; what its exporter leaves out is taken as its default.

snnTorch's reset has no node in NIR and is made of nodes that it has: the threshold taken off one step later. Subtracted in
the next step, before or after its leak, a spike leaves ``keep v + x - threshold`` (keep: what the leak leaves of v in one
step); subtracted at once, ``keep v + x - keep threshold``. The difference, ``(1 - keep) threshold``, comes off through a
synapse of the neuron on itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir import gains
from neurodeploy.frontends.nir.frameworks import CONVENTIONS, TAUS, Convention
from neurodeploy.frontends.nir.reader import Call, Opened, build, open_file
from neurodeploy.ir.float_network import FloatEdge, FloatNetwork, FloatNode, Floats, Note, Question

#: How far a threshold is moved, as a share of itself: far beyond the rounding of float64, far below that of float32.
NUDGE = 2.0**-40
#: A gain as close to 1 as this is 1: the file holds R and tau in float32.
UNIT = 1e-6
#: "subtract-next": the threshold is taken off one step later, before the leak (snnTorch's default).
RESETS = ("value", "subtract", "subtract-next")
#: One kind for all neurons, or a kind for each by its name, from whoever knows them; None: not told.
Reset = str | Mapping[str, str] | None


#: The note of a file whose source is not known.
UNSAID = "NIR does not say how a step is solved, whether v = threshold fires, and what a reset is"
TAKEN = f"forward Euler, v > threshold, reset to a value unless told; the source can be {', '.join(CONVENTIONS)}"


def read_as(
    path: Path | str,
    dt: float | None,
    source: str | None = None,
    *,
    gain: str = "auto",
    reset: Reset = None,
    v_reset: float | None = None,
    unit_gain: bool | None = None,
    scheme: str = "euler",
    call: Call | None = None,
) -> FloatNetwork:
    """Read a NIR file as `source` meant it; `reset`, `v_reset`, `unit_gain` are those of `as_meant_by`.

    With a source, `dt` may be None: its files' own step. Without one the file is taken at its word: `dt` must then not
    contradict R and tau unless `gain` is given (ND1214), a `Question` in the notes says how the file was taken and which
    framework it looks like, and of the options only ``reset="value"`` and ``"subtract"`` make sense. Either way a time
    constant that is shorter than the time step is refused where the network is run by `scheme` "euler": ND1271. call :
    the command that errors complete. Other errors are those of `read` and of `as_meant_by`.
    """
    opened, call = open_file(path), call or Call()
    if source is None:
        if (
            not isinstance(reset, str | None)
            or reset == "subtract-next"
            or v_reset is not None
            or unit_gain is not None
        ):
            problem = "reset='subtract-next', v_reset and unit_gain repair what a framework left out, and none is named"
            raise ModelError("ND1270", path, problem, f"give a source of {', '.join(CONVENTIONS)}")
        network = _with_unsaid(opened, build(opened, dt, gain=gain, reset=reset, call=call), reset)
    elif opened.own:
        problem = (
            "was written by neurodeploy, with all that NIR leaves open: a framework's conventions would come twice"
        )
        raise ModelError("ND1270", path, problem, "leave the source out")
    else:
        step, notes = _step(opened, dt, source)
        network = build(opened, step, gain=gain, call=call)
        network = replace(network, notes=(*network.notes, *notes))
        network = as_meant_by(network, source, reset=reset, v_reset=v_reset, unit_gain=unit_gain)
    if scheme == "euler":
        check_stable(network, _better(opened, call) if source is None else "")
    if source is None and gain == "auto":
        _check_step(opened, network.dt, call)
    return network


def _check_step(opened: Opened, dt: float, call: Call) -> None:
    """ND1214 where the step contradicts what R and the time constants say."""
    meant = opened.spoken
    if meant is None or not gains.contradicts(meant, opened.raw.nodes.values(), dt):
        return
    first, more = meant.where[0].removeprefix(f"{opened.raw.path}:"), len(meant.where) - 1
    what = f"{meant.why} in {first}" + (f" and {more} more" if more else "")
    looks = f"; {opened.looks}" if opened.source else ""
    problem = f"{what} speaks of a time step of {meant.step:.6g} s: with dt = {dt:.6g} s it would be another network"
    fix = f"type: {_better(opened, call)}"
    if call.verb == "convert":
        at_its_word = call.line(opened.raw.path, {"--dt": dt, "--gain": "physical"})
        fix += f"; to have it with {dt:.6g} s all the same: {at_its_word}"
    raise ModelError("ND1214", opened.raw.path, problem + looks, fix)


def _better(opened: Opened, call: Call) -> str:
    """The command that reads a file as it seems to be meant; "" where nothing speaks for one."""
    if opened.source and call.verb == "convert":
        return call.line(opened.raw.path, {"--source": opened.source})
    return call.line(opened.raw.path, {"--dt": opened.spoken.step}) if opened.spoken else ""


def _with_unsaid(opened: Opened, network: FloatNetwork, reset: str | None) -> FloatNetwork:
    """How a file without a source was taken: a question, unless it was answered or the file is ours."""
    if opened.own or not any(node.spikes for node in network.nodes.values()):
        return network
    found, source = UNSAID, opened.source
    if source:
        found += f"; {opened.looks}: then read it with --source {source}"
    note = (Question if reset is None or source else Note)(opened.raw.path.name, found, TAKEN)
    provenance = {**network.provenance, **({"looks_like": source} if source else {})}
    return replace(network, notes=(*network.notes, note), provenance=provenance)


def _step(opened: Opened, dt: float | None, source: str) -> tuple[float | None, list[Note]]:
    """The time step of a file of `source`: as given, what the file speaks of, or the framework's own."""
    convention, name = CONVENTIONS.get(source), opened.raw.path.name
    if dt is not None or convention is None:
        return dt, []
    if not convention.told:
        return convention.step, []
    if opened.spoken:
        found = f"{opened.spoken.why} for dt = {opened.spoken.step:.6g} s"
        return opened.spoken.step, [Note(name, found, "taken as its time step")]
    found = f"does not say the time step that {source} was told"
    return convention.step, [Question(name, found, f"taken as {source}'s default, {convention.step:g} s; else --dt")]


def as_meant_by(
    network: FloatNetwork,
    source: str,
    *,
    reset: Reset = None,
    v_reset: float | None = None,
    unit_gain: bool | None = None,
) -> FloatNetwork:
    """The network that `source` ran, given the one that its file says. Notes are added for every change and every gap.

    source : a key of `CONVENTIONS`. reset : of `RESETS` for all spiking neurons, or for each by name, which says all that a
    file leaves out. v_reset : the value after a spike, for
    files that do not hold it. unit_gain : whether an input of 1 adds 1 to a leaky membrane (``norm_input=False`` of
    sinabs). None takes the framework's default, and a `Question` says so. Raises ND1270 for what is not known.
    """
    kinds = set(reset.values()) if isinstance(reset, Mapping) else {reset}
    if source not in CONVENTIONS or not kinds <= {None, *RESETS}:
        wrong = repr(source) if source not in CONVENTIONS else f"reset {reset!r}"
        fix = f"use a source of {', '.join(CONVENTIONS)} and a reset of {', '.join(RESETS)}"
        raise ModelError("ND1270", network.name, f"{wrong} is not known", fix)
    convention, notes = CONVENTIONS[source], list(network.notes)
    if not convention.told and abs(network.dt - convention.step) > 1e-9 * convention.step:
        told = f"files of {source} are written for {convention.step:g} s; with this one gains differ: leave --dt out"
        notes.append(Question(network.name, f"time step {network.dt:g} s", told))
    if convention.silent and not isinstance(reset, Mapping):
        notes.append(_gap(network.name, source, reset, answered=(reset, v_reset, unit_gain) != (None, None, None)))
    nodes, edges = dict(network.nodes), list(network.edges)
    for name, node in network.nodes.items():
        if node.role == "neuron":
            unit = node.kind in convention.unit_gain if unit_gain is None else unit_gain
            nodes[name] = _neuron(node, convention, network.dt, unit, notes)
            if node.spikes and node.kind != "threshold":
                how = reset.get(name) if isinstance(reset, Mapping) else reset or convention.reset
                nodes[name] = _reset(nodes[name], how, v_reset, notes)
                if how == "subtract-next":
                    _subtract_later(nodes, edges, name, network.dt)
    kept = dict(reset) if isinstance(reset, Mapping) else reset or convention.reset
    provenance = {**network.provenance, "source": source, **({"reset": kept} if kept else {})}
    made = replace(network, nodes=nodes, edges=tuple(edges), notes=tuple(notes), provenance=provenance)
    made.check()
    return made


def _gap(name: str, source: str, reset: str | None, *, answered: bool) -> Note:
    """What no file of a framework says, and how it was taken."""
    convention = CONVENTIONS[source]
    done = f"its files do not say {convention.silent}"
    if reset is None and convention.reset:
        done += f"; taken as its default, reset {convention.reset}"
    kind = Note if answered else Question
    return kind(name, f"written by {source}", f"{done}; otherwise add {convention.ask}")


def check_stable(network: FloatNetwork, better: str = "") -> None:
    """ND1271 where a time constant is shorter than the time step: forward Euler overshoots, beyond twice it diverges.

    better : the command that reads the file as its marks say.
    """
    for name, node in network.nodes.items():
        for key in TAUS:
            if key in node.params and bool((node.params[key] < network.dt * (1 - 1e-6)).any()):
                shortest = float(node.params[key].min())
                fix = "give a shorter time step, such as the 1e-4 s of snnTorch and SpikingJelly; "
                fix += "for a file of Norse, which writes dt * tau, say source='norse'"
                raise ModelError(
                    "ND1271",
                    name,
                    f"{key} = {shortest:.6g} s is shorter than the time step of {network.dt:.6g} s",
                    fix + (f"; this one looks meant as: {better}" if better else ""),
                )


def _neuron(node: FloatNode, convention: Convention, dt: float, unit_gain: bool, notes: list[Note]) -> FloatNode:
    if convention.repair is not None:
        node = convention.repair(node, dt, notes)
    p = dict(node.params)
    taus = [key for key in TAUS if key in p]
    if convention.exponential and taus:
        for key in taus:  # Euler with this one loses 1 - exp(-dt / tau) in a step
            p[key] = dt / -np.expm1(-dt / p[key])
        notes.append(Note(node.name, f"exponential decay with {', '.join(taus)}", "the same as Euler, tau adapted"))
    for tau, gain in gains.PAIRS:
        if tau in p and gain in p:
            unit = p[tau] / dt
            if unit_gain and gain == "r":
                p[gain] = unit
                notes.append(Note(node.name, "gain", "1"))
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
    notes.append(Note(node.name, "reset", reset))
    return replace(node, reset="value" if reset == "value" else "subtract")


def _subtract_later(nodes: dict[str, FloatNode], edges: list[FloatEdge], name: str, dt: float) -> None:
    """Take ``(1 - keep) threshold`` off in the step after a spike of `name`, which is reset by subtraction.

    Where the synapse has a current that outlasts its step (share s of it), a second one takes s of it back a step later.
    """
    node = nodes[name]
    lost, gain, lasting = _leak_and_gain(node, dt)
    weight = -lost * node.params["v_threshold"] / gain
    own = _scale(nodes, f"{name}.later", node, weight)
    edges += [FloatEdge(name, own), FloatEdge(own, name, recurrent=True)]
    if lasting.any():
        late = _free(nodes, f"{name}.late")
        steps = np.full(node.shape, dt)
        steps.setflags(write=False)
        nodes[late] = FloatNode(late, "delay", node.shape, node.shape, {"delay": steps})
        back = _scale(nodes, f"{name}.back", node, -lasting * weight)
        edges += [FloatEdge(name, late), FloatEdge(late, back), FloatEdge(back, name, recurrent=True)]


def _free(nodes: dict[str, FloatNode], name: str) -> str:
    while name in nodes:
        name += "_"
    return name


def _scale(nodes: dict[str, FloatNode], wanted: str, node: FloatNode, weight: Floats) -> str:
    name = _free(nodes, wanted)
    weight.setflags(write=False)
    nodes[name] = FloatNode(name, "scale", node.shape, node.shape, {"scale": weight})
    return name


def _leak_and_gain(node: FloatNode, dt: float) -> tuple[Floats, Floats, Floats]:
    """What a membrane loses of itself in a step, what it takes of an input in its step, and the share of the current that is
    left in the next step."""
    p, none = node.params, np.zeros(node.shape)
    if node.kind == "if":
        return none, p["r"] * (1.0 if node.gain == "per-step" else dt), none
    if node.kind == "lif":
        return dt / p["tau"], p["r"] * dt / p["tau"], none
    if node.kind == "cubalif":
        gain = dt / p["tau_syn"] * p["w_in"] * dt / p["tau_mem"] * p["r"]
        return dt / p["tau_mem"], gain, 1 - dt / p["tau_syn"]
    raise ModelError("ND1270", node.name, f"reset 'subtract-next' is not known for {node.kind}", "use reset='subtract'")
