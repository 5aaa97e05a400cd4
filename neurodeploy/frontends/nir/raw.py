"""From the tree of an HDF5 file to nodes and edges as they stand there: types and fields known, nothing repaired."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path

from neurodeploy.errors import ModelError
from neurodeploy.frontends.hdf5_guard import Dataset, Group, printable, read_tree
from neurodeploy.frontends.hdf5_worker import Wanted
from neurodeploy.frontends.nir.schema import FIELDS, GRAPH, MAX_EDGES, MAX_NODES, MAX_VALUES
from neurodeploy.ir.float_network import Note, size_of

AGAIN = "export the file again"
#: The graph and no more, and of it the fields of NIR; whatever else is large is known by its name alone.
WANTED = Wanted(
    frozenset({"node", "version"}), frozenset({"type", "edges", "version"}).union(*map(frozenset, FIELDS.values()))
)


@dataclass(frozen=True, slots=True, eq=False)
class RawNode:
    """A node of a known type and its known fields. `where` is for errors: file and node."""

    name: str
    type: str
    fields: dict[str, Dataset]
    where: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class RawGraph:
    """A graph; names of `nodes` and `edges` are its own, without the names of the graphs around it."""

    name: str
    nodes: dict[str, RawNode | RawGraph]
    edges: list[tuple[str, str]]
    where: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Raw:
    """What a file holds. `version` is that of the nir package that wrote it, "" where the file does not say."""

    path: Path
    graph: RawGraph
    version: str
    notes: list[Note] = field(default_factory=list)


def load(path: Path) -> Raw:
    """Read a file. Raises ND1200..ND1203, ND1205, ND1210, ND1213 and the codes of `hdf5_guard`."""
    root = read_tree(path, wanted=WANTED)
    node = root.items.get("node")
    if not isinstance(node, Group):
        raise ModelError("ND1200", path, "is HDF5 without a group /node: not a NIR file", "give a file that nir wrote")
    notes: list[Note] = []
    version = root.items.get("version")
    text = version.texts[0] if isinstance(version, Dataset) and len(version.texts) == 1 else ""
    if not text:
        notes.append(Note(str(path), "does not say which version of nir wrote it", "read as the newest"))
    others = sorted(set(root.items) - {"node", "version"})
    if others:
        names = ", ".join(printable(name) for name in others[:5])
        notes.append(Note(str(path), f"has more than NIR beside the graph: {names}", "ignored, as nir does"))
    loader = _Loader(path, notes)
    if _type(node, str(path)) == GRAPH:
        graph = loader.graph(node, "")
    else:  # nir writes a node that is no graph, and cannot read it again
        notes.append(Note(str(path), "holds one node without a graph", "made a graph of it"))
        graph = RawGraph("", {"node": loader.node(node, "node")}, [], str(path))
    return Raw(path, graph, printable(text), notes)


def _type(group: Group, where: str) -> str:
    found = group.items.get("type")
    if not isinstance(found, Dataset) or len(found.texts) != 1:
        raise ModelError("ND1203", where, "has no type", AGAIN)
    return found.texts[0]


def _texts(group: Group | Dataset | None) -> dict[str, str]:
    """Metadata that is text; the rest is never needed ("do not rely on the metadata", NIR's primitives.md)."""
    if not isinstance(group, Group):
        return {}
    found = {}
    for name, item in group.items.items():
        if isinstance(item, Dataset) and len(item.texts) == 1:
            found[printable(name)] = item.texts[0]
    return found


@dataclass(slots=True, eq=False)
class _Loader:
    path: Path
    notes: list[Note]
    nodes: int = 0
    edges: int = 0
    values: int = 0

    def graph(self, group: Group, name: str) -> RawGraph:
        where = f"{self.path}:{printable(name)}" if name else str(self.path)
        unknown = sorted(set(group.items) - {"type", "nodes", "edges", "metadata"})
        if unknown:
            problem = f"is a graph with the unknown field {printable(unknown[0])}"
            raise ModelError("ND1202", where, problem, "write the graph with nir 1.0.8 or older")
        listed = group.items.get("nodes")
        if not isinstance(listed, Group):
            raise ModelError("ND1203", where, "is a graph without nodes", AGAIN)
        nodes: dict[str, RawNode | RawGraph] = {}
        for own, item in listed.items.items():
            self.nodes += 1
            if self.nodes > MAX_NODES:
                raise ModelError("ND1210", self.path, f"has more than {MAX_NODES} nodes", "split the network")
            full = f"{name}.{own}" if name else own
            if printable(own) != own or not own.strip():
                problem = "is a name with characters that cannot be printed, or longer than 200"
                raise ModelError("ND1213", f"{self.path}:{printable(full)}", problem, "use plain names")
            if not isinstance(item, Group):
                raise ModelError("ND1203", f"{self.path}:{printable(full)}", "is no node: it has no type", AGAIN)
            if "type" not in item.items and item.items and all(isinstance(i, Group) for i in item.items.values()):
                problem = "is no node but a folder of nodes: its name was written with a slash"
                fix = "name nodes without a slash"
                raise ModelError("ND1213", f"{self.path}:{printable(full)}", problem, fix)
            is_graph = _type(item, f"{self.path}:{printable(full)}") == GRAPH
            nodes[own] = self.graph(item, full) if is_graph else self.node(item, full)
        return RawGraph(name, nodes, self._edges(group, where), where, _texts(group.items.get("metadata")))

    def _edges(self, group: Group, where: str) -> list[tuple[str, str]]:
        data = group.items.get("edges")
        if not isinstance(data, Dataset):
            raise ModelError("ND1205", where, "is a graph without edges", AGAIN)
        if 0 in data.shape:  # nir writes an empty list as an array of no numbers
            return []
        if data.values is not None or len(data.shape) != 2 or data.shape[1] != 2:
            problem = f"has edges of shape {data.shape}, pairs of names are needed"
            raise ModelError("ND1205", where, problem, AGAIN)
        self.edges += len(data.texts) // 2
        if self.edges > MAX_EDGES:
            raise ModelError("ND1210", self.path, f"has more than {MAX_EDGES} edges", "split the network")
        return list(zip(data.texts[::2], data.texts[1::2], strict=True))

    def node(self, group: Group, name: str) -> RawNode:
        where = f"{self.path}:{printable(name)}"
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
        return RawNode(name, kind, fields, where, _texts(group.items.get("metadata")))
