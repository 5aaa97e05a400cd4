"""A program cut into pieces: plain NIR where NIR has the nodes, what it lacks named between them.

A *part* is a graph of NIR whose values are real numbers, all of it computed at once::

    Linear or Affine -> Scale     a linear layer (`bundle.nir_graph`)
    Scale                         payloads in other units
    edges into a Scale of ones    the sum of two streams, each behind a Scale of its own where the units do not agree

A *cut* is what NIR has no node for: squares, roots, products, curves, thresholds, whatever has a state or a delay. Between
them stands what the host does; what it encodes with thresholds, or by a choice, names these parameters (`sent_by`). Pieces
are in an order in which each is fed by those before it: within a segment a population has a level, one more than that of
what feeds it across a cut or by a range of its neurons, and populations of one level that edges join are a piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from neurodeploy.bundle.nir_graph import layer_scales, synapses_of, units_of
from neurodeploy.frontends.nir.schema import NodeFields
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.payloads import Floats, Unit
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, Segment
from neurodeploy.ir.typed import Row
from neurodeploy.neurons.graded_choice import CHOICE


class Range(NamedTuple):
    """Neurons ``start:stop`` of a population."""

    population: str
    start: int
    stop: int


class Piece(NamedTuple):
    """Populations of a segment. part : whether NIR has them. reads : what it is fed with, by the name of its node; makes :
    populations that others read."""

    populations: tuple[str, ...]
    part: bool
    reads: Mapping[str, Range]
    makes: tuple[str, ...]


def pieces_of(program: Program) -> Iterator[Piece | HostOp]:
    """The program in order."""
    border = {step.population for step in program.host if isinstance(step, Decode)} | set(program.network.outputs)
    for item in program.schedule:
        if isinstance(item, Segment):
            yield from _pieces(program.network, item.network, border)
        else:
            yield item


def range_of(p: Projection, size: int) -> Range | None:
    """What a projection hands on as it is, neuron by neuron, of a source of `size`; None where it does more."""
    if not p.instant or p.weight_exp or p.axon_exp is not None:
        return None
    if p.synapse.wire:
        return Range(p.source, 0, size)
    if p.synapse.uniform or p.synapse.weight.size != p.synapse.rows or not p.graded:
        return None
    coo, places = p.synapse.coo(), np.arange(p.synapse.rows)
    order = np.argsort(coo.row, kind="stable")
    start = int(coo.column[order[0]])
    same = np.array_equal(coo.row[order], places) and np.array_equal(coo.column[order], start + places)
    return Range(p.source, start, start + len(places)) if same and (coo.weight == 1).all() else None


def _known(network: Network, name: str) -> bool:
    """Whether NIR has a population and what leads into it."""
    model, into = network.populations[name].model, network.into(name)
    ranges = [range_of(p, network.populations[p.source].size) for p in into]
    if model == "graded_sum":
        return len(into) == 2 and None not in ranges and {p.target_port for p in into} == {"a", "b"}
    if model != "graded_affine" or len(into) != 1 or np.any(network.populations[name].params.get("vth", 0)):
        return False
    layer = into[0].graded and into[0].synapse.uniform and into[0].instant and not into[0].weight_exp
    return layer or (ranges[0] is not None and "bias" not in network.populations[name].params)


def _pieces(whole: Network, network: Network, border: set[str]) -> list[Piece]:
    """Of one segment, whose network is `network`."""
    own = [name for name in network.order() if network.populations[name].model != INPUT]
    timed = any(not p.instant for p in network.projections)
    known = {name: not timed and _known(network, name) for name in own}
    level, first = dict.fromkeys(own, 0), {name: name for name in own}

    def root(name: str) -> str:
        while first[name] != name:
            name = first[name]
        return name

    def joins(p: Projection) -> bool:
        """Whether both ends may be in one piece."""
        same = p.source in known and known[p.source] == known[p.target]
        found = None if p.synapse.uniform else range_of(p, whole.populations[p.source].size)
        return same and (not known[p.target] or found is None or found.stop - found.start == p.synapse.columns)

    inner = [p for p in network.projections if p.source in level]
    if not timed:
        for name in own:
            for p in network.into(name):
                if p.source in level:
                    level[name] = max(level[name], level[p.source] + (not joins(p)))
    for p in inner:
        if joins(p) and level[p.source] == level[p.target]:
            first[root(p.target)] = root(p.source)
    groups: dict[str, list[str]] = {}
    for name in own:
        groups.setdefault(root(name), []).append(name)
    ordered = sorted(groups.values(), key=lambda names: min(level[name] for name in names))
    return [_piece(whole, names, known[names[0]], border) for names in ordered]


def _piece(network: Network, names: list[str], part: bool, border: set[str]) -> Piece:
    own, reads = set(names), dict[str, Range]()
    for name in names:
        for p in network.into(name):
            if p.source not in own:
                size = network.populations[p.source].size
                found = range_of(p, size) if part and not p.synapse.uniform else None
                read = found or Range(p.source, 0, size)
                reads[_node(read, size)] = read
    makes = [name for name in names if name in border or any(p.target not in own for p in network.out_of(name))]
    return Piece(tuple(names), part, reads, tuple(makes or names[-1:]))


def _node(read: Range, size: int) -> str:
    return read.population if read.stop - read.start == size else f"{read.population}[{read.start}:{read.stop}]"


def graph_of(program: Program, piece: Piece, units: Mapping[str, Unit]) -> tuple[dict[str, NodeFields], list[Edge]]:
    """Nodes and edges of a part; `units` are those of `nir_graph.units_of`."""
    network, nodes, edges = program.network, dict[str, NodeFields](), list[Edge]()
    for name, read in piece.reads.items():
        nodes[name] = {"type": "Input", "shape": np.array([read.stop - read.start])}
    for name in piece.populations:
        population = network.populations[name]
        unit = units[name].steps(population.size)
        scale = np.ones(population.size, np.float32)
        for p in network.into(name):
            size = network.populations[p.source].size
            source = units[p.source].steps(size)
            if p.synapse.uniform:
                base = units[p.source].scale.value
                exponent = np.zeros(size, np.int64) if p.axon_exp is None else p.axon_exp.astype(np.int64)
                last = _scaled(nodes, edges, p.source, f"{p.name}.units", np.ldexp(base, exponent) / source)
                nodes[p.name] = synapses_of(p, population, base)
                edges += [(last, p.name), (p.name, name)]
                scale = layer_scales(program, name, units)
                continue
            read = range_of(p, size) or Range(p.source, 0, size)
            source, given = source[read.start : read.stop], _node(read, size)
            if population.model == "graded_sum":
                shift = np.asarray(population.params.get("shift", 0), np.int64)
                shift = np.asarray(population.params.get(f"{p.target_port}_exp", 0), np.int64) - shift
                given = _scaled(nodes, edges, given, f"{p.name}.units", np.ldexp(unit, shift) / source)
            else:
                scale = scales_by_neuron(population.params, unit / source)
            edges.append((given, name))
        nodes[name] = {"type": "Scale", "scale": scale}
    for name in piece.makes:
        nodes[f"{name}.output"] = {"type": "Output", "shape": np.array([network.populations[name].size])}
        edges.append((name, f"{name}.output"))
    return nodes, edges


Edge = tuple[str, str]


def scales_by_neuron(params: Mapping[str, Any], unit: Floats) -> np.ndarray[Any, np.dtype[np.float32]]:
    """``multiplier 2**-shift 2**-acc_shift unit`` of a population that only changes units."""
    multiplier = np.asarray(params.get("multiplier", 1), np.float64)
    shift = sum(np.asarray(params.get(name, 0), np.int64) for name in ("shift", "acc_shift"))
    return np.asarray(np.ldexp(multiplier, -np.asarray(shift)) * unit, np.float32)


def _scaled(nodes: dict[str, NodeFields], edges: list[Edge], given: str, name: str, factor: Floats) -> str:
    """The node that has `given` times `factor`: `given` itself where that is 1."""
    factor = np.broadcast_to(factor, factor.shape).astype(np.float32)
    if (factor == 1).all():
        return given
    nodes[name] = {"type": "Scale", "scale": factor}
    edges.append((given, name))
    return name


def piece_row(program: Program, piece: Piece | HostOp, file: str) -> Row:
    """What the manifest says of a piece: its borders; `file` is where a part lies."""
    if isinstance(piece, HostOp):
        return {"host": piece.path, "op": piece.op, "reads": list(piece.inputs), "makes": list(piece.outputs)}
    network = program.network
    values: dict[str, list[str]] = {}
    for step in program.host:
        if isinstance(step, Encode | Decode):
            values[step.population] = list(step.values) if isinstance(step, Decode) else [step.value]

    def of(name: str) -> dict[str, Any]:
        if name not in values:
            return {}
        population = network.populations[name]
        chooses = sorted(population.params.keys() & {"vth", *CHOICE}) if population.model == INPUT else []
        return {"host_values": values[name], **({"sent_by": chooses} if chooses else {})}

    what: Row = (
        {"part": file} if piece.part else {"cut": {name: network.populations[name].model for name in piece.populations}}
    )
    reads = {node: {"neurons": list(read), **of(read.population)} for node, read in piece.reads.items()}
    return {
        **what,
        "reads": reads,
        "makes": {f"{name}.output": {"population": name, **of(name)} for name in piece.makes},
    }


__all__ = ["Piece", "graph_of", "piece_row", "pieces_of", "units_of"]
