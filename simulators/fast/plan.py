"""The order in which a network runs, and for how many steps at a time each part of it can.

An instant projection leads to a population that runs later in the same step, any other delivers one step later at the
earliest. So a population that takes no part in a cycle can run many steps
before the next population runs any: *layer-major*. The populations of a cycle (a strongly connected part of the
graph) take turns after ``1 + shortest delay`` steps of what leads back within it. The order changes nothing in what
is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from neurodeploy.ir.network import Network, Projection
from neurodeploy.synapses import Conv, Dense, Sparse
from neurodeploy.synapses.build import listed
from simulators.fast.conv import ConvWiring
from simulators.fast.lane import Lane, Room
from simulators.fast.memory import Arena
from simulators.fast.walk import Making, walkable
from simulators.fast.wiring import DenseWiring, SparseWiring, Wiring

#: In which layout the kernels read a kind of synapses; any other as lists.
KINDS: Mapping[type, type[Wiring]] = {Dense: DenseWiring, Sparse: SparseWiring, Conv: ConvWiring}
#: Steps that a part without a cycle may run at once, before the limit of memory.
ANY = 1 << 30


class Part(NamedTuple):
    """Populations that run together, in order, `block` steps at a time; projections among them, and those that
    leave."""

    populations: tuple[str, ...]
    block: int
    inner: tuple[Projection, ...]
    outer: tuple[Projection, ...]


class Plan:
    """What the runs of a network share: parts, lanes, and synapses in the layout of the kernels, made when asked for."""

    def __init__(self, network: Network, room: Room, arena: Arena) -> None:
        self.parts = parts(network)
        lanes = {name: Lane.of(network, name, room) for name in network.populations}
        self.lanes = {name: lane for name, lane in lanes.items() if lane is not None}
        self._wirings: dict[str, Wiring] = {}
        #: The whole network in one walk, where it can be.
        self.walk = (
            Making(network, self.lanes, self.wiring, arena).walk(arena) if walkable(network, self.lanes) else None
        )

    def wiring(self, p: Projection) -> Wiring | None:
        """Of payloads that are raised already where axons have exponents; None for a kind without kernels."""
        if p.name not in self._wirings and type(p.synapse) in KINDS:
            plain = p if p.axon_exp is None else replace(p, graded=True, axon_exp=None)
            kind = KINDS.get(type(p.synapse))
            wiring = self._wirings[p.name] = SparseWiring(listed(plain)) if kind is None else kind(plain)
            wiring.bits = p.wrap_bits
        return self._wirings.get(p.name)


def parts(network: Network) -> tuple[Part, ...]:
    """Parts so that every projection stays within one or leads to a later one."""
    position = {name: i for i, name in enumerate(network.order())}
    followers: dict[str, list[str]] = {name: [] for name in network.populations}
    for p in network.projections:
        followers[p.source].append(p.target)
    found = []
    for members in reversed(_components(followers)):
        names = tuple(sorted(members, key=position.__getitem__))
        leaving = [p for p in network.projections if p.source in members]
        inner = tuple(p for p in leaving if p.target in members)
        back = [p.latency + _shortest(p) for p in inner if position[p.target] <= position[p.source]]
        outer = tuple(p for p in leaving if p.target not in members)
        found.append(Part(names, min(back, default=ANY), inner, outer))
    return tuple(found)


def _shortest(p: Projection) -> int:
    return 0 if p.delay is None or not p.delay.size else int(p.delay.min())


def _components(followers: Mapping[str, Sequence[str]]) -> list[set[str]]:
    """Strongly connected components, every one before those that lead to it (Tarjan 1972, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    open_: list[str] = []
    is_open: set[str] = set()
    components: list[set[str]] = []
    for root in followers:
        if root in index:
            continue
        work = [(root, iter(followers[root]))]
        index[root] = low[root] = len(index)
        open_.append(root)
        is_open.add(root)
        while work:
            node, rest = work[-1]
            step = next(rest, None)
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component: set[str] = set()
                    while node not in component:
                        component.add(open_.pop())
                    is_open -= component
                    components.append(component)
            elif step not in index:
                index[step] = low[step] = len(index)
                open_.append(step)
                is_open.add(step)
                work.append((step, iter(followers[step])))
            elif step in is_open:
                low[node] = min(low[node], index[step])
    return components
