"""`map_network`: cut the populations of a spiking network, place the tiles, and say how far the plan is from the bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.mapping import Assignment, Mapping, Reason, Shard
from neurodeploy.ir.network import INPUT, Direct, Network, Sparse
from neurodeploy.neurons.registry import get_model
from neurodeploy.synapses.structure import axons

from .mapper import check_arguments
from .network_cost import Segment, Sends, format_of, home_demand, neuron_bytes, one_tile, segments, sends_of, width
from .network_cut import Cut
from .network_split import levelled, split_network, tiles_of
from .place import Group, Placement, place
from .remedies import remedies
from .split import GAIN
from .usage import RESOURCES, add, core_limits

CHIP = Reason("neurons", "its neurons and the synapses into them live on cores", "")
HOST = Reason("outside", "its payloads come from outside and enter over the host border", "")


def map_network(
    network: Network,
    system: SystemSpec,
    *,
    max_rows: int | None = None,
    chips: int | None = None,
    alternatives: Sequence[SystemSpec] = (),
    weight_bits: int | None = None,
) -> Mapping:
    """Map a network to the cores of a system: a shard's `island` is its population, its columns run over the axons of all
    projections into it one after another (`Network.into`). Inputs are not placed.

    Parameters
    ----------
    max_rows : at most this many neurons a core: more cores, shorter steps.
    chips : use at most this many of the system's chips.
    alternatives : systems that the error may name where this one is too small.
    weight_bits : plan as if every weight took this many bits (1 to 8): "what if".

    `Mapping.binding_resource` is the budget that ended most tiles, or where every population fits one core the one that
    asks for most cores ("none" where there are no neurons).

    Raises
    ------
    DoesNotFit ND2010 : more chips are needed than there are.
    DoesNotFit ND2011 : one neuron exceeds a core, however its columns are cut.
    DoesNotFit ND2012 : the chip's weights or messages are narrower than the network's.
    DoesNotFit ND2013 : the tables of destinations exceed the cores.
    UserError ND2003 : an argument out of range.
    """
    available = check_arguments(system, weight_bits, max_rows, chips)
    check_widths(network, system.chip, weight_bits)
    cuts, placed, groups = _placed(network, system, weight_bits, max_rows, available)
    bound, asks = lower_bound(network, system.chip, weight_bits)
    stopped: Counter[str] = sum((cut.stopped for cut in cuts.values()), start=Counter())
    binding = stopped.most_common(1)[0][0] if stopped else asks
    if placed.chips > available:
        raise _too_small(network, system, placed, available, binding, weight_bits, max_rows, alternatives)
    tiles = [tile for group in groups for tile in group.tiles]
    return Mapping(
        system=system.name,
        chips_available=available,
        cores_per_chip=system.chip.cores,
        shards=tuple(
            Shard(tile.island, tile.kind, tile.rows, tile.cols, chip, core, tile.group)
            for tile, (chip, core) in zip(tiles, placed.places, strict=True)
        ),
        assignments=_assignments(network, system.chip),
        lower_bound=bound,
        binding_resource=binding,
        unknown_limits=tuple(name for name, limit in system.chip.budget.limits().items() if limit.value is None),
    )


def check_widths(network: Network, chip: ChipSpec, weight_bits: int | None = None) -> None:
    """Refuse a chip that cannot carry the network's weights and payloads. State has no such width: it is charged in bytes.

    Raises
    ------
    DoesNotFit ND2012 : names the projection or population, the bits it needs and the bits the chip has.
    """
    message = 8 * chip.formats["message_bytes"]
    for p in network.projections:
        bits = p.weight_bits if weight_bits is None else weight_bits
        if not isinstance(p.synapse, Direct) and bits > chip.formats["weight_bits"]:
            raise DoesNotFit(
                "ND2012",
                p.name,
                f"has weights of {bits} bits, a synapse of {chip.name} has {chip.formats['weight_bits']}",
                f"quantise them to {chip.formats['weight_bits']} bits and a weight exponent",
            )
    for name, population in network.populations.items():
        bits = 0 if population.model == INPUT else get_model(population.model).out_bits
        if bits > message:
            raise DoesNotFit(
                "ND2012",
                name,
                f"sends payloads of {bits} bits, a message of {chip.name} has {message}",
                "scale them down",
            )


def lower_bound(network: Network, chip: ChipSpec, weight_bits: int | None = None) -> tuple[int, str]:
    """The least number of cores of any cut into shards by these formats, and the resource that asks for them.

    Every population as one shard without limits: further cuts repeat lists, headers and entries and save nothing.
    """
    form, total = format_of(chip, weight_bits), (0, 0, 0, 0, 0)
    ones = {
        part.projection.name: np.where(_units_touched(part), 1, 0)
        for name in network.populations
        for part in segments(network, name)
    }
    for name, population in network.populations.items():
        if population.model == INPUT:
            continue
        parts = segments(network, name)
        sends: Sends = sends_of(network, name, ones)
        rows = (0, population.size)
        costs = []
        for part in parts:
            if isinstance(part.projection.synapse, Sparse):
                fan = np.diff(part.projection.synapse.indptr.astype(np.int64))
                lists = form.header + -(-fan * (form.bits(part.projection) + form.index_bits) // 8)
                costs.append((int(lists[fan > 0].sum()), int((fan > 0).sum())))
            else:
                costs.append(one_tile(part, rows, (0, width(parts)), form))
        stored, axons = sum(c[0] for c in costs), sum(c[1] for c in costs)
        neuron = neuron_bytes(network, population)
        total = add(total, home_demand(population.size, stored, axons, sends.count(rows), neuron, form))
    best, binding = 0, "none"
    for name, used, limit in zip(RESOURCES, total, core_limits(chip), strict=True):
        if limit and -(-used // limit) > best:
            best, binding = -(-used // limit), name
    return best, binding


def _units_touched(part: Segment) -> NDArray[np.bool_]:
    synapse = part.projection.synapse
    if isinstance(synapse, Sparse):
        return np.diff(synapse.indptr.astype(np.int64)) > 0
    if isinstance(synapse, Direct):
        return np.ones(synapse.columns, np.bool_)
    return np.asarray(axons(synapse).reshape(-1, part.unit).any(axis=1))


def _placed(
    network: Network, system: SystemSpec, weight_bits: int | None, max_rows: int | None, available: int
) -> tuple[dict[str, Cut], Placement, list[Group]]:
    """Tiles of equal length, unless they take `GAIN` more cores, or a chip more, than tiles as long as they can be."""
    limits = core_limits(system.chip, max_rows)
    cuts = split_network(network, system.chip, limits, weight_bits)
    groups = [Group(name, tuple(tiles_of(name, cut)), kept=False) for name, cut in cuts.items()]
    placed = place(groups, limits, system.chip.cores, available)
    even = levelled(network, system.chip, limits, cuts, weight_bits)
    if even is None:
        return cuts, placed, groups
    even_groups = [Group(name, tuple(tiles_of(name, cut)), kept=False) for name, cut in even.items()]
    even_placed = place(even_groups, limits, system.chip.cores, available)
    if even_placed.cores > (1.0 + GAIN) * placed.cores or even_placed.chips > placed.chips:
        return cuts, placed, groups
    return even, even_placed, even_groups


def _assignments(network: Network, chip: ChipSpec) -> tuple[Assignment, ...]:
    """Every population and its device; bytes a time step over the host border where every neuron sends."""
    size, found = chip.formats["message_bytes"], []
    for name, population in network.populations.items():
        outside = population.model == INPUT
        crosses = outside or name in network.outputs
        path, device, reason = f"populations.{name}", "host" if outside else "chip", HOST if outside else CHIP
        found.append(Assignment(path, population.model, device, reason, population.size * size if crosses else 0))
    return tuple(found)


def _too_small(
    network: Network,
    system: SystemSpec,
    placed: Placement,
    available: int,
    binding: str,
    weight_bits: int | None,
    max_rows: int | None,
    alternatives: Sequence[SystemSpec],
) -> DoesNotFit:
    """The error with what would help: chips of this system left out, a larger system, narrower weights, no cap."""
    chip = system.chip
    stored = [p.weight_bits for p in network.projections if not isinstance(p.synapse, Direct)]
    now = weight_bits if weight_bits is not None else max(stored, default=0)
    bits = now if binding == "synapse_bytes" else 0

    def chips(width: int | None, most_rows: int | None) -> int:
        return _placed(network, system, width, most_rows, available)[1].chips

    return DoesNotFit(
        "ND2010",
        network.name,
        f"needs {placed.chips} chips ({placed.cores} cores), {system.name} offers {available} "
        f"({available * chip.cores} cores); {binding} binds",
        remedies(system, placed, available, alternatives, bits, weight_bits, max_rows, chips),
    )
