"""Subgraphs dissolved: one level of nodes under dotted names, edges between nodes that compute, ports gone.

An edge to a subgraph means to its Input, an edge from it from its Output; with several of them the edge must say which
("sub.input", as nirtorch writes it). A port is left out by joining its edges. Where that would join two nodes twice (a sum
counts both), it stays as a `Scale` of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from neurodeploy.errors import ModelError
from neurodeploy.frontends.hdf5_guard import printable
from neurodeploy.frontends.nir.raw import Raw, RawGraph, RawNode
from neurodeploy.frontends.nir.schema import MAX_EDGES
from neurodeploy.ir.float_network import Note

PORTS = ("Input", "Output")


@dataclass(slots=True, eq=False)
class Flat:
    """Nodes by dotted name, and edges from both ends, each once, in the order of the file. `through` are ports kept."""

    nodes: dict[str, RawNode] = field(default_factory=dict)
    targets: dict[str, dict[str, None]] = field(default_factory=dict)
    sources: dict[str, dict[str, None]] = field(default_factory=dict)
    through: set[str] = field(default_factory=set)
    edges: int = 0

    def join(self, source: str, target: str) -> None:
        """Add an edge."""
        self.targets.setdefault(source, {})[target] = None
        self.sources.setdefault(target, {})[source] = None
        self.edges += 1


def flatten(raw: Raw) -> Flat:
    """Raises ND1205, ND1206, ND1210, ND1213."""
    flat, inner = Flat(), list[str]()
    _collect(raw, raw.graph, "", flat, inner)
    for port in inner:
        _dissolve(raw, flat, port)
    return flat


def _collect(raw: Raw, graph: RawGraph, prefix: str, flat: Flat, inner: list[str]) -> None:
    for own, node in graph.nodes.items():
        name = f"{prefix}{own}"
        if isinstance(node, RawGraph):
            _collect(raw, node, f"{name}.", flat, inner)
            continue
        if name in flat.nodes or not own:
            fix = "give the nodes of graphs and subgraphs different names"
            raise ModelError("ND1213", node.where, "has a name that another node has too, or none", fix)
        flat.nodes[name] = node
        if prefix and node.type in PORTS:
            inner.append(name)
    seen: set[tuple[str, str]] = set()
    for source, target in graph.edges:
        if (source, target) in seen:
            found = f"has the edge {printable(source)} -> {printable(target)} twice"
            raw.notes.append(Note(graph.where, found, "counted once"))
            continue
        seen.add((source, target))
        ends = _end(graph, source, prefix, "Output"), _end(graph, target, prefix, "Input")
        if ends[1] in flat.targets.get(ends[0], ()):
            found = f"has the edge {printable(ends[0])} -> {printable(ends[1])} under two names"
            raw.notes.append(Note(graph.where, found, "counted once"))
            continue
        flat.join(*ends)


def _end(graph: RawGraph, end: str, prefix: str, port: str) -> str:
    """The node that one end of an edge means; `port` is the type of port for a subgraph."""
    here: RawGraph = graph
    name, rest = prefix, end
    while True:
        if rest in here.nodes:
            own = rest
        else:  # the longest name that is a subgraph and is followed by a dot
            parts = rest.split(".")
            joined = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
            own = next((name for name in joined if isinstance(here.nodes.get(name), RawGraph)), "")
        found = here.nodes.get(own)
        if found is None:
            problem = f"has an edge at {printable(end)}, which is no node"
            raise ModelError("ND1205", graph.where, problem, "remove the edge, or add the node")
        name += own
        if isinstance(found, RawNode):
            return name
        if own == rest:
            return _port(found, name, port, end, graph)
        here, name, rest = found, f"{name}.", rest[len(own) + 1 :]


def _port(graph: RawGraph, name: str, port: str, end: str, outer: RawGraph) -> str:
    ports = [own for own, node in graph.nodes.items() if isinstance(node, RawNode) and node.type == port]
    if len(ports) != 1:
        problem = f"has an edge at the subgraph {printable(end)}, which has {len(ports)} nodes of type {port}"
        fix = f"name the {port} in the edge, such as {printable(end)}.{ports[0] if ports else port.lower()}"
        raise ModelError("ND1206", outer.where, problem, fix)
    return f"{name}.{ports[0]}"


def _dissolve(raw: Raw, flat: Flat, port: str) -> None:
    """Leave a port out. Nothing arrives at or leaves one that is not connected."""
    sources, targets = flat.sources.get(port, {}), flat.targets.get(port, {})
    if not (sources and targets):
        found = "is a port of a subgraph with edges on one side alone" if sources or targets else "is not connected"
        raw.notes.append(Note(flat.nodes[port].where, found, "left out"))
    elif port in sources or any(not flat.targets[source].keys().isdisjoint(targets) for source in sources):
        flat.through.add(port)
        return
    flat.edges += len(sources) * len(targets)
    if flat.edges > MAX_EDGES:
        raise ModelError("ND1210", raw.path, f"has more than {MAX_EDGES} edges", "split the network")
    for source in sources:
        flat.targets[source] = _replaced(flat.targets[source], port, targets)
    for target in targets:
        flat.sources[target] = _replaced(flat.sources[target], port, sources)
    flat.targets.pop(port, None)
    flat.sources.pop(port, None)
    del flat.nodes[port]


def _replaced(names: dict[str, None], port: str, by: dict[str, None]) -> dict[str, None]:
    """Names with others in the place of one: the order of edges decides which of a cycle is recurrent."""
    found: dict[str, None] = {}
    for name in names:
        found.update(by if name == port else {name: None})
    return found
