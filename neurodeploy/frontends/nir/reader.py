"""`read`: a NIR file as a `FloatNetwork`."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir import gains
from neurodeploy.frontends.nir.frameworks import CONVENTIONS, recognise
from neurodeploy.frontends.nir.raw import Draft, Raw, load
from neurodeploy.frontends.nir.schema import MAX_DELAY_STEPS
from neurodeploy.frontends.nir.shapes import infer, understand
from neurodeploy.ir.float_network import (
    KINDS,
    RESETS,
    FloatEdge,
    FloatNetwork,
    FloatNode,
    Note,
    size_of,
    topological,
)

#: Metadata by which our own writer says what NIR has no field for.
RESET_KEY = "neurodeploy_reset"
GAIN_KEY = "neurodeploy_gain"
DT_KEY = "neurodeploy_dt"


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


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A file before its time step is known; `build` consumes it. source : the framework that it looks like, "" for none.
    spoken : the time step that its R and time constants speak of with one voice."""

    raw: Raw
    source: str
    spoken: gains.Spoken | None

    @property
    def own(self) -> bool:
        """Written by `writer.write`: what NIR leaves open is in its metadata."""
        return DT_KEY in self.raw.metadata

    @property
    def looks(self) -> str:
        """The framework and its marks, in words."""
        return f"it looks written by {self.source} ({CONVENTIONS[self.source].marks})"


def read(path: Path | str, dt: float | None, *, gain: str = "auto", reset: str | None = None) -> FloatNetwork:
    """Read a NIR file at its word, for a time step of `dt` seconds.

    gain : "physical", "per-step" or "auto", see `gains`. reset : "value" (NIR's) or "subtract" for all spiking neurons;
    None: what a file of ours says, otherwise "value". Every repair and decision is in the network's `notes`.
    Raises ND1200..ND1213 (see the package), each naming the node, and the codes of `hdf5_guard`.
    """
    return build(open_file(path), dt, gain=gain, reset=reset)


def open_file(path: Path | str) -> Opened:
    """The nodes of a file with their numbers. Errors are those of `read`, without ND1212."""
    raw = load(Path(path))
    for made in raw.nodes.values():
        understand(made, raw.notes)
    spoken = gains.step_meant(raw.nodes.values())
    source = recognise(raw.nodes, spoken.step if spoken else None)
    own = _own_step(raw)  # such a file says itself what it means, whatever it was converted from
    return Opened(raw, "" if own else source, own or spoken)


def _own_step(raw: Raw) -> gains.Spoken | None:
    """The time step in the metadata of a file of ours."""
    try:
        step = float(raw.metadata.get(DT_KEY, "").removesuffix(" s"))
    except ValueError:
        return None
    return gains.Spoken(step, DT_KEY, [str(raw.path)]) if math.isfinite(step) and step > 0 else None


def build(
    opened: Opened, dt: float | None, *, gain: str = "auto", reset: str | None = None, call: Call | None = None
) -> FloatNetwork:
    """The network of an opened file, as `read`. call : the command that ND1212 completes where `dt` is missing."""
    raw = opened.raw
    path, notes = raw.path, raw.notes
    if gain not in gains.GAINS or reset not in (None, *RESETS):
        problem = f"gain {gain!r} or reset {reset!r} is not known"
        raise ModelError("ND1212", path, problem, f"use a gain of {gains.GAINS} and a reset of {RESETS}")
    if dt is None or not (isinstance(dt, float | int) and math.isfinite(dt) and dt > 0):
        raise _no_step(opened, dt, call or Call())
    _complete(raw)
    roots = [name for name, made in raw.nodes.items() if made.type == "Input"]
    back = back_edges([*roots, *raw.nodes], raw.targets)
    forward = [(s, t) for s in raw.targets for t in raw.targets[s] if (s, t) not in back]
    order = topological(raw.nodes, forward)[0]
    _refuse_linear_cycles(raw)
    flattened = infer(raw, order, back)
    gains.check_step(raw.nodes.values(), dt, notes)
    unsaid = "physical" if opened.own and gain == "auto" else gain  # our writer says where a gain is per step
    nodes = {name: _node(raw.nodes[name], dt, gain, unsaid, reset, notes) for name in order}
    edges: list[FloatEdge] = []
    for source in order:
        for target in raw.targets.get(source, ()):
            edge = FloatEdge(source, target, (source, target) in back)
            if edge.recurrent:
                notes.append(Note(f"{path}:{target}", f"is reached again from {source}", "that edge takes one step"))
            edges += _through_flatten(nodes, edge, flattened.get((source, target)))
    provenance: dict[str, object] = {"format": "NIR", "file": path.name, "version": raw.version, "gain": gain}
    if raw.metadata:
        provenance["metadata"] = raw.metadata
    network = FloatNetwork(path.stem, nodes, tuple(edges), float(dt), tuple(notes), provenance)
    network.check()
    return network


def _no_step(opened: Opened, dt: object, call: Call) -> ModelError:
    """ND1212 with the whole command: of the framework that the file looks like, the step that it speaks of, or a pattern."""
    spoken, path = opened.spoken, opened.raw.path
    problem = "NIR files do not say their time step" if dt is None else f"{dt!r} s is no time step"
    said = f"{spoken.why} in it suggests {spoken.step:.6g} s; " if spoken else ""
    if opened.source and call.verb == "convert":
        said += f"{opened.looks}; "
        line = call.line(path, {"--source": opened.source})
    elif spoken:
        line = call.line(path, {"--dt": spoken.step})
    else:
        said = "give dt, the seconds that one step of its training stood for; for 1 ms "
        line = call.line(path, {"--dt": 1e-3})
    return ModelError("ND1212", path, problem, f"{said}type: {line}")


def _complete(raw: Raw) -> None:
    """An Input before every node that nothing reaches, an Output behind every node that reaches nothing (as nir does)."""
    for name, made in list(raw.nodes.items()):
        if made.kind == "input" and raw.sources.get(name):
            problem = f"is an Input that {next(iter(raw.sources[name]))} leads into"
            raise ModelError("ND1205", made.where, problem, "remove the edge into the Input")
        if made.kind == "output" and raw.targets.get(name):
            problem = f"is an Output that leads into {next(iter(raw.targets[name]))}"
            raise ModelError("ND1205", made.where, problem, "start that edge at the node before the Output")
        if made.kind == "input" or raw.sources.get(name):
            continue
        if made.kind == "output":
            raw.notes.append(Note(made.where, "is an Output that nothing reaches", "left out"))
            del raw.nodes[name]
            continue
        _add_port(raw, name, "Input")
    for name, made in list(raw.nodes.items()):
        if made.kind not in ("output", "input") and not raw.targets.get(name):
            _add_port(raw, name, "Output")
        elif made.kind == "input" and not raw.targets.get(name):
            raw.notes.append(Note(made.where, "is an Input that nothing reads", "kept without effect"))
    if not any(made.kind == "output" for made in raw.nodes.values()):
        problem = f"has no output: {len(raw.nodes)} nodes, none of them leads out"
        raise ModelError("ND1211", raw.path, problem, "give the graph an Output")


def _add_port(raw: Raw, name: str, port: str) -> None:
    own, where = f"{port.lower()}_{name}", raw.nodes[name].where
    while own in raw.nodes:
        own += "_"
    found = "is reached by nothing" if port == "Input" else "reaches nothing"
    raw.notes.append(Note(where, found, f"joined with a new {port} {own}"))
    raw.nodes[own] = Draft(own, port, {}, where)
    raw.join(*((own, name) if port == "Input" else (name, own)))


def back_edges(roots: Iterable[str], targets: Mapping[str, Iterable[str]]) -> set[tuple[str, str]]:
    """Edges that close a cycle on a walk in depth from the roots in their order, along edges in their order.

    The reader starts at the inputs, then at all nodes, both in the order of names (HDF5's).
    """
    back: set[tuple[str, str]] = set()
    state: dict[str, int] = {}  # 1: on the way here, 2: done
    for root in roots:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(targets.get(root, ())))]
        while stack:
            name, rest = stack[-1]
            child = next(rest, None)
            if child is None:
                state[name] = 2
                stack.pop()
            elif state.get(child) == 1:
                back.add((name, child))
            elif child not in state:
                state[child] = 1
                stack.append((child, iter(targets.get(child, ()))))
    return back


def _refuse_linear_cycles(raw: Raw) -> None:
    linear = {name for name, made in raw.nodes.items() if KINDS[made.kind].role == "linear"}
    edges = [(s, t) for s in linear for t in raw.targets.get(s, ()) if t in linear]
    stuck = topological(linear, edges)[1]
    if stuck:
        among = set(stuck)  # what lies behind a cycle too, which seen from the other end is free
        stuck = topological(stuck, [(t, s) for s, t in edges if s in among and t in among])[1]
        name = min(stuck)
        problem = f"lies on a cycle of {len(stuck)} linear nodes without a neuron or a delay"
        raise ModelError("ND1209", raw.nodes[name].where, problem, "put a neuron or a delay into the cycle")


def _node(made: Draft, dt: float, gain: str, unsaid: str, reset: str | None, notes: list[Note]) -> FloatNode:
    """unsaid : the gain where the node's metadata has none, or `gain` was told."""
    kind, metadata = KINDS[made.kind], made.metadata
    assert made.in_shape is not None and made.shape is not None  # `infer` has set them
    if made.kind == "delay":
        _check_delay(made, dt, notes)
    for array in made.values.values():
        array.setflags(write=False)
    own = metadata.get(GAIN_KEY)
    chosen = own if own in gains.GAINS[:2] and gain == "auto" else unsaid
    chosen = gains.decide(made, dt, chosen, notes)
    how = reset or metadata.get(RESET_KEY, "value") if kind.spikes and made.kind != "threshold" else "value"
    if how not in RESETS:
        raise ModelError("ND1204", made.where, f"has the reset {how!r} in its metadata", f"use one of {RESETS}")
    if how == "subtract":
        notes.append(Note(made.where, "reset", "by subtracting the threshold, which NIR has no field for"))
    return FloatNode(made.name, made.kind, made.in_shape, made.shape, made.values, made.options, how, chosen)


def _check_delay(made: Draft, dt: float, notes: list[Note]) -> None:
    steps = made.values["delay"] / dt
    longest = float(steps.max())
    if longest > MAX_DELAY_STEPS or longest * size_of(made.in_shape or ()) > 1 << 27:
        problem = f"delays {size_of(made.in_shape or ())} values by up to {longest:.6g} steps"
        raise ModelError("ND1210", made.where, problem, "use a longer time step or shorter delays")
    off = float(np.abs(steps - np.rint(steps)).max())
    if off > 1e-6 * max(1.0, longest):
        notes.append(Note(made.where, f"delays are up to {off:.3g} steps off whole steps", "rounded when run"))


def _through_flatten(nodes: dict[str, FloatNode], edge: FloatEdge, to: tuple[int, ...] | None) -> list[FloatEdge]:
    """An edge, with a flatten in between where its target needs one."""
    if to is None:
        return [edge]
    name = f"{edge.source}.flat.{edge.target}"
    while name in nodes:
        name += "_"
    shape = nodes[edge.source].shape
    options = {"start_dim": 0, "end_dim": len(shape) - 1}
    nodes[name] = FloatNode(name, "flatten", shape, to, {}, options)
    return [FloatEdge(edge.source, name), edge._replace(source=name)]
