"""From the tree of an HDF5 file to one level of nodes and edges: types and fields known, subgraphs dissolved.

Nodes of subgraphs get dotted names. An edge to a subgraph means to its Input, an edge from it from its Output; with several
of them the edge must say which ("sub.input", as nirtorch writes it). A port is left out by joining its edges. Where that
would join two nodes twice (a sum counts both), it stays as a `Scale` of one.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path

from neurodeploy.errors import ModelError
from neurodeploy.frontends.hdf5_guard import Dataset, Group, printable, read_tree
from neurodeploy.frontends.hdf5_worker import Wanted
from neurodeploy.frontends.nir.schema import FIELDS, GRAPH, KIND_OF, MAX_EDGES, MAX_NODES, MAX_VALUES
from neurodeploy.ir.float_network import Floats, Note, Option, size_of

AGAIN = "export the file again"
PORTS = ("Input", "Output")
#: The graph and no more, and of it the fields of NIR; whatever else is large is known by its name alone.
WANTED = Wanted(
    frozenset({"node", "version"}), frozenset({"type", "edges", "version"}).union(*map(frozenset, FIELDS.values()))
)
Shape = tuple[int, ...]


@dataclass(slots=True, eq=False)
class Draft:
    """A node of a known type on its way: its fields as they stand in the file, then (`shapes`) what they say.

    where : for errors, file and node. declared : the shape of its input, None where its fields do not say.
    """

    name: str
    type: str
    fields: dict[str, Dataset]
    where: str
    metadata: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    values: dict[str, Floats] = field(default_factory=dict)
    options: dict[str, Option] = field(default_factory=dict)
    declared: Shape | None = None
    in_shape: Shape | None = None
    shape: Shape | None = None

    def __post_init__(self) -> None:
        self.kind = KIND_OF[self.type]


@dataclass(frozen=True, slots=True, eq=False)
class RawGraph:
    """A graph; names of `nodes` are its own, without the names of the graphs around it."""

    nodes: dict[str, Draft | RawGraph]
    where: str


@dataclass(slots=True, eq=False)
class Raw:
    """What a file holds. `version` is that of the nir package that wrote it, "" where the file does not say.

    Nodes by dotted name, and edges from both ends, each once, in the order of the file; `metadata` of the outermost graph.
    """

    path: Path
    notes: list[Note]
    version: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, Draft] = field(default_factory=dict)
    targets: dict[str, dict[str, None]] = field(default_factory=dict)
    sources: dict[str, dict[str, None]] = field(default_factory=dict)
    edges: int = 0

    def join(self, source: str, target: str) -> None:
        """Add an edge."""
        self.targets.setdefault(source, {})[target] = None
        self.sources.setdefault(target, {})[source] = None
        self.edges += 1


def load(path: Path) -> Raw:
    """Read a file. Raises ND1200..ND1203, ND1205, ND1206, ND1210, ND1213 and the codes of `hdf5_guard`."""
    root = read_tree(path, wanted=WANTED)
    node = root.items.get("node")
    if not isinstance(node, Group):
        raise ModelError("ND1200", path, "is HDF5 without a group /node: not a NIR file", "give a file that nir wrote")
    raw = Raw(path, [])
    version = root.items.get("version")
    raw.version = printable(version.texts[0]) if isinstance(version, Dataset) and len(version.texts) == 1 else ""
    if not raw.version:
        raw.notes.append(Note(str(path), "does not say which version of nir wrote it", "read as the newest"))
    others = sorted(set(root.items) - {"node", "version"})
    if others:
        names = ", ".join(printable(name) for name in others[:5])
        raw.notes.append(Note(str(path), f"has more than NIR beside the graph: {names}", "ignored, as nir does"))
    loader = _Loader(raw)
    if _type(node, str(path)) == GRAPH:
        loader.graph(node, "")
        raw.metadata = _texts(node.items.get("metadata"))
    else:  # nir writes a node that is no graph, and cannot read it again
        raw.notes.append(Note(str(path), "holds one node without a graph", "made a graph of it"))
        raw.nodes["node"] = loader.node(node, "node")
    for name in [name for name, found in raw.nodes.items() if name in loader.inner and found.type in PORTS]:
        _dissolve(raw, name)
    return raw


def _type(group: Group, where: str) -> str:
    found = group.items.get("type")
    if not isinstance(found, Dataset) or len(found.texts) != 1:
        raise ModelError("ND1203", where, "has no type", AGAIN)
    return found.texts[0]


def _texts(group: Group | Dataset | None) -> dict[str, str]:
    """Metadata that is text; the rest is never needed ("do not rely on the metadata", NIR's primitives.md)."""
    items = group.items if isinstance(group, Group) else {}
    texts = {name: item.texts for name, item in items.items() if isinstance(item, Dataset)}
    return {printable(name): found[0] for name, found in texts.items() if len(found) == 1}


@dataclass(slots=True, eq=False)
class _Loader:
    """Fills `raw`. inner : names of nodes of subgraphs."""

    raw: Raw
    inner: set[str] = field(default_factory=set)
    count: int = 0
    pairs: int = 0
    values: int = 0

    def where(self, name: str) -> str:
        return f"{self.raw.path}:{printable(name)}" if name else str(self.raw.path)

    def graph(self, group: Group, name: str) -> RawGraph:
        where, prefix = self.where(name), f"{name}." if name else ""
        unknown = sorted(set(group.items) - {"type", "nodes", "edges", "metadata"})
        if unknown:
            problem = f"is a graph with the unknown field {printable(unknown[0])}"
            raise ModelError("ND1202", where, problem, "write the graph with nir 1.0.8 or older")
        listed = group.items.get("nodes")
        if not isinstance(listed, Group):
            raise ModelError("ND1203", where, "is a graph without nodes", AGAIN)
        made = RawGraph({}, where)
        for own, item in listed.items.items():
            self.count += 1
            if self.count > MAX_NODES:
                raise ModelError("ND1210", self.raw.path, f"has more than {MAX_NODES} nodes", "split the network")
            full = f"{prefix}{own}"
            if printable(own) != own or not own.strip():
                problem = "is a name with characters that cannot be printed, or longer than 200"
                raise ModelError("ND1213", self.where(full), problem, "use plain names")
            if not isinstance(item, Group):
                raise ModelError("ND1203", self.where(full), "is no node: it has no type", AGAIN)
            if "type" not in item.items and item.items and all(isinstance(i, Group) for i in item.items.values()):
                problem = "is no node but a folder of nodes: its name was written with a slash"
                raise ModelError("ND1213", self.where(full), problem, "name nodes without a slash")
            if _type(item, self.where(full)) == GRAPH:
                made.nodes[own] = self.graph(item, full)
                continue
            if full in self.raw.nodes:
                fix = "give the nodes of graphs and subgraphs different names"
                problem = "has a name that another node has too, or none"
                raise ModelError("ND1213", self.where(full), problem, fix)
            made.nodes[own] = self.raw.nodes[full] = self.node(item, full)
            self.inner |= {full} if prefix else set()
        self._join(made, self._edges(group, where), prefix)
        return made

    def _edges(self, group: Group, where: str) -> list[tuple[str, str]]:
        data = group.items.get("edges")
        if not isinstance(data, Dataset):
            raise ModelError("ND1205", where, "is a graph without edges", AGAIN)
        if 0 in data.shape:  # nir writes an empty list as an array of no numbers
            return []
        if data.values is not None or len(data.shape) != 2 or data.shape[1] != 2:
            problem = f"has edges of shape {data.shape}, pairs of names are needed"
            raise ModelError("ND1205", where, problem, AGAIN)
        self.pairs += len(data.texts) // 2
        if self.pairs > MAX_EDGES:
            raise ModelError("ND1210", self.raw.path, f"has more than {MAX_EDGES} edges", "split the network")
        return list(zip(data.texts[::2], data.texts[1::2], strict=True))

    def _join(self, graph: RawGraph, edges: list[tuple[str, str]], prefix: str) -> None:
        seen: set[tuple[str, str]] = set()
        for pair in edges:
            again = pair in seen
            seen.add(pair)
            ends = pair if again else (_end(graph, pair[0], prefix, "Output"), _end(graph, pair[1], prefix, "Input"))
            if again or ends[1] in self.raw.targets.get(ends[0], ()):
                edge = f"the edge {printable(ends[0])} -> {printable(ends[1])}"
                found = f"has {edge} twice" if again else f"has {edge} under two names"
                self.raw.notes.append(Note(graph.where, found, "counted once"))
            else:
                self.raw.join(*ends)

    def node(self, group: Group, name: str) -> Draft:
        where = self.where(name)
        kind = _type(group, where)
        if kind not in FIELDS:
            close = difflib.get_close_matches(kind, FIELDS, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            problem = f"is of the unknown type {printable(kind)!r}"
            raise ModelError("ND1201", where, problem, f"{hint}NIR 1.0.8 has {', '.join(FIELDS)}")
        fields: dict[str, Dataset] = {}
        for key, item in group.items.items():
            if key in ("type", "metadata"):
                continue
            if key not in FIELDS[kind]:
                problem = f"is a {kind} with the unknown field {printable(key)}"
                raise ModelError("ND1202", where, problem, f"a {kind} has {', '.join(FIELDS[kind])}")
            if not isinstance(item, Dataset):
                problem = f"has a group where {key} should be an array"
                raise ModelError("ND1202", where, problem, AGAIN)
            self.values += size_of(item.shape)
            if self.values > MAX_VALUES:
                problem = f"takes the file beyond {MAX_VALUES} parameters"
                raise ModelError("ND1210", where, problem, "split the network")
            fields[key] = item
        lacking = [key for key, entry in FIELDS[kind].items() if entry.required and key not in fields]
        if lacking:
            raise ModelError("ND1203", where, f"is a {kind} without {lacking[0]}", AGAIN)
        return Draft(name, kind, fields, where, _texts(group.items.get("metadata")))


def _end(graph: RawGraph, end: str, prefix: str, port: str) -> str:
    """The node that one end of an edge means; `port` is the type of port for a subgraph."""
    here, name, rest = graph, prefix, end
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
        if isinstance(found, Draft):
            return name
        if own == rest:
            return f"{name}.{_port(found, port, end, graph)}"
        here, name, rest = found, f"{name}.", rest[len(own) + 1 :]


def _port(graph: RawGraph, port: str, end: str, outer: RawGraph) -> str:
    ports = [own for own, node in graph.nodes.items() if isinstance(node, Draft) and node.type == port]
    if len(ports) != 1:
        problem = f"has an edge at the subgraph {printable(end)}, which has {len(ports)} nodes of type {port}"
        fix = f"name the {port} in the edge, such as {printable(end)}.{ports[0] if ports else port.lower()}"
        raise ModelError("ND1206", outer.where, problem, fix)
    return ports[0]


def _dissolve(raw: Raw, port: str) -> None:
    """Leave a port out, or make it a `Scale` of one. Nothing arrives at or leaves one that is not connected."""
    sources, targets = raw.sources.get(port, {}), raw.targets.get(port, {})
    if not (sources and targets):
        found = "is a port of a subgraph with edges on one side alone" if sources or targets else "is not connected"
        raw.notes.append(Note(raw.nodes[port].where, found, "left out"))
    elif port in sources or any(not raw.targets[source].keys().isdisjoint(targets) for source in sources):
        raw.nodes[port].kind = "scale"
        return
    raw.edges += len(sources) * len(targets)
    if raw.edges > MAX_EDGES:
        raise ModelError("ND1210", raw.path, f"has more than {MAX_EDGES} edges", "split the network")
    for ends, others, instead in ((raw.targets, sources, targets), (raw.sources, targets, sources)):
        for name in others:  # in the place of the port: the order of edges decides which of a cycle is recurrent
            found_ends: dict[str, None] = {}
            for end in ends[name]:
                found_ends.update(instead if end == port else {end: None})
            ends[name] = found_ends
        ends.pop(port, None)
    del raw.nodes[port]
