"""The border between host and chip, and the *segments* of a program: what lies between two host operations on the chip.

A segment is derived from the graph, never stored. Every population has a level, the number of times that what reaches it
has been on the chip and back on the host::

    level(population) >= level(source)       of every projection into it, whatever its latency
    level(population) >= level(value)        of every `Encode` into it
    level(value)      =  level(population) + 1 of the `Decode` that makes it, else the largest of its operation's inputs

A segment is a set of populations of one level that projections join. A projection from a lower level crosses no border: its
payload waits on the chip (`Segment.reads`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT


@dataclass(frozen=True, slots=True)
class Encode:
    """Payloads of the input population `population` from the host value `value`, in units of `scale`."""

    value: str
    population: str
    scale: Dyadic

    @property
    def path(self) -> str:
        return self.population

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.value,)

    @property
    def outputs(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Decode:
    """Host values from what `population` sends, in units of `scale`: one for each of its sections, or one of all."""

    population: str
    scale: Dyadic
    values: tuple[str, ...]

    @property
    def path(self) -> str:
        return self.population

    @property
    def inputs(self) -> tuple[str, ...]:
        return ()

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.values


#: What the host does, in order.
HostStep = HostOp | Encode | Decode


@dataclass(frozen=True, eq=False)  # no slots: runners keep what they prepare for one
class Segment:
    """A segment: its own network, whose inputs are what the host encodes, what streams in, and `reads`, populations of
    earlier segments whose payloads have stayed on the chip. Named like its first population that is no input."""

    name: str
    network: Network
    encodes: tuple[Encode, ...] = ()
    decodes: tuple[Decode, ...] = ()
    reads: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.name

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(encode.value for encode in self.encodes)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(value for decode in self.decodes for value in decode.values)

    @property
    def fed(self) -> bool:
        """Whether anything comes in over the border: what the host encodes, or a stream."""
        return bool(self.encodes) or any(name not in self.reads for name in self.network.inputs)


def behind_head(network: Network, host: Sequence[HostStep], values: Collection[str]) -> frozenset[str]:
    """Populations between the linear layer that makes logits, which has sections, and those that send these values."""
    found = {step.population for step in host if isinstance(step, Decode) and set(values) & set(step.values)}
    todo = list(found)
    while todo:
        for p in network.into(todo.pop()):
            if not network.populations[p.source].sections and p.source not in found:
                found.add(p.source)
                todo.append(p.source)
    return frozenset(found)


def segments_of(
    network: Network, host: Sequence[HostStep], output: str = "", chooses: Collection[str] = ()
) -> tuple[Segment, ...]:
    """All segments, in the order of their first populations; a network without a host is one. ND9004 where what a population
    sends comes back to it by way of the host.

    The population that makes the host value `output` (logits, which are computed for chosen ticks only) is a segment of its
    own where one other population feeds it, or all that it joins: it reads what has stayed on the chip. So is one whose
    logits the populations `chooses` read, and these are with it."""
    if not any(isinstance(step, Encode | Decode) for step in host):
        return (Segment(network.name, network),)
    level = _levels(network, host, output, chooses)
    first = _first_of_group(network, level)
    members: dict[str, list[str]] = {}
    for name in network.populations:
        members.setdefault(first(name), []).append(name)
    encodes = {step.population: step for step in host if isinstance(step, Encode)}
    decodes = {step.population: step for step in host if isinstance(step, Decode)}
    return tuple(_segment(network, names, encodes, decodes) for names in members.values())


def _levels(network: Network, host: Sequence[HostStep], output: str, chooses: Collection[str]) -> dict[str, int]:
    level, values = dict.fromkeys(network.populations, 0), dict[str, int]()
    heads = {step.population for step in host if isinstance(step, Decode) and output in step.values}
    if chooses:
        heads = {p.source for name in chooses for p in network.into(name) if p.source not in chooses}
    heads = _first_of_head(network, heads)
    raised = True
    while raised:
        raised = False

        def at_least(name: str, least: int) -> None:
            nonlocal raised
            if level[name] < least:
                level[name], raised = least, True

        for step in host:
            if isinstance(step, Encode):
                at_least(step.population, values.get(step.value, 0))
                for p in network.out_of(step.population):  # most of what the host encodes is read by one layer
                    at_least(p.target, level[step.population])
            elif isinstance(step, Decode):
                values.update(dict.fromkeys(step.values, level[step.population] + 1))
            else:
                most = max((values.get(name, 0) for name in step.inputs), default=0)
                values.update(dict.fromkeys(step.outputs, most))
        for p in network.projections:
            apart = (
                p.target in heads and network.populations[p.source].model != INPUT and len(network.into(p.target)) == 1
            )
            at_least(p.target, level[p.source] + apart)
        if max(level.values()) > len(level):
            raise InternalError("ND9004", network.name, "what a population sends comes back to it by way of the host")
    return level


def _first_of_head(network: Network, heads: set[str]) -> set[str]:
    """The populations with which the computation of logits begins: these, or, where they join what others send to nobody
    else, all of which begin with one population, the first of those."""
    first = heads
    while first:
        sources = {p.source for name in first for p in network.into(name)}
        if len(sources) == 1:
            return first
        own = all(p.target in first and p.instant for name in sources for p in network.out_of(name))
        if not own or any(network.populations[name].model == INPUT for name in sources):
            break
        first = sources
    return heads


def _first_of_group(network: Network, level: Mapping[str, int]) -> Callable[[str], str]:
    """Of a population that which stands for all of its level that projections join with it."""
    first = {name: name for name in level}

    def root(name: str) -> str:
        while first[name] != name:
            first[name] = first[first[name]]
            name = first[name]
        return name

    for p in network.projections:
        if level[p.source] == level[p.target]:
            first[root(p.target)] = root(p.source)
    return root


def _segment(
    network: Network, names: Sequence[str], encodes: Mapping[str, Encode], decodes: Mapping[str, Decode]
) -> Segment:
    own = dict.fromkeys(names)
    projections = tuple(p for name in names for p in network.into(name))
    reads = tuple(dict.fromkeys(p.source for p in projections if p.source not in own))
    read_later = {p.source for name in names for p in network.out_of(name) if p.target not in own}
    waiting = {name: replace(network.populations[name], model=INPUT, params={}, initial={}) for name in reads}
    populations = waiting | {name: network.populations[name] for name in names}
    leaving = tuple(name for name in names if name in network.outputs or name in decodes or name in read_later)
    outputs = leaving or tuple(names)  # what nobody reads runs too
    title = next((name for name in names if network.populations[name].model != INPUT), names[0])
    return Segment(
        title,
        Network(title, populations, projections, outputs, network.dt, network.provenance),
        tuple(encodes[name] for name in names if name in encodes),
        tuple(decodes[name] for name in names if name in decodes),
        reads,
    )
