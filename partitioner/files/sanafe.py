"""A mapped spiking network in SANA-FE's own description (version 2: YAML), so that an outside simulator can price it.

SANA-FE (Boyle et al., IEEE TCAD 44(8), 2025; GPL-3.0, a program of its own: nothing of it is imported here) has no mapper:
it takes a place for every neuron and prices energy, time and the network on chip, step by step. Two files::

    arch.yaml     all chips as one flat mesh of tiles (a tile is a router with its cores), costs of Loihi 1
    network.yaml  populations as groups, projections as edges, the core of every neuron

What the format does not say is lost: chip borders (a message between chips crosses the flat mesh, nothing more), the
integers' rounding and wrapping. Inputs sit on a core of their own at tile (0, 0), where the host's port is taken to be.
Tiles are numbered column by column there, routers row by row here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping as Table

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.neurons.arithmetic import ALIGN_BITS
from neurodeploy.synapses import Conv, Dense

#: Costs of a Loihi 1, with their sources: energies in J, times in s. SANA-FE's were fitted to a Nahuku board.
_HOP = "Davies et al. 2018, Table 2; Boyle et al. 2025"
_FIT = "Boyle et al. 2025, fitted to a Nahuku board"
TILE = {
    "energy_east_hop": (3.0e-12, _HOP), "energy_west_hop": (3.0e-12, _HOP),
    "energy_north_hop": (4.2e-12, _HOP), "energy_south_hop": (4.2e-12, _HOP),
    "latency_east_hop": (4.1e-9, _HOP), "latency_west_hop": (4.1e-9, _HOP),
    "latency_north_hop": (6.5e-9, _HOP), "latency_south_hop": (6.5e-9, _HOP),
}  # fmt: skip
SOMA = {
    "energy_access_neuron": (51.2e-12, _FIT), "latency_access_neuron": (6.0e-9, _FIT),
    "energy_update_neuron": (21.6e-12, _FIT), "latency_update_neuron": (3.7e-9, _FIT),
    "energy_spike_out": (69.3e-12, _FIT), "latency_spike_out": (30.0e-9, _FIT),
}  # fmt: skip
#: name of the unit -> joules and seconds of one synaptic operation.
SYNAPSES = {"dense": (35.5e-12, 3.8e-9), "sparse": (33.6e-12, 4.7e-9), "conv": (24.0e-12, 3.1e-9)}
MESSAGE_IN_S, MESSAGE_OUT_J, MESSAGE_OUT_S = 16.0e-9, 111.0e-12, 5.1e-9
#: Time of the barrier by number of tiles (s), same source.
BARRIER = {1: 0.6e-6, 2: 1.0e-6, 4: 1.4e-6, 29: 1.8e-6}

#: Our neuron models that SANA-FE's leaky integrate-and-fire can stand for, and how they reset.
MODELS = {"lif": "hard", "lif_subtract": "soft"}


def export(mapping: Mapping, network: Network, system: SystemSpec, spikes: Table[str, Ints]) -> dict[str, str]:
    """Name -> text of the two files.

    spikes : input population -> (steps, size) 0 or 1, what its neurons send; a population that is missing is silent.

    Raises
    ------
    UserError ND2080 : a neuron model that SANA-FE does not have. ND2081 : a projection with graded payloads, delays, or
        without synapses (direct).
    DoesNotFit ND2083 : columns of a population are cut: a neuron there has all its synapses on its own core.
    """
    check(mapping, network)
    inputs = sum(network.populations[name].size for name in network.inputs)
    held: Counter[tuple[int, int]] = Counter()
    for shard in mapping.shards:
        held[shard.chip, shard.core] += shard.row_count
    return {
        "arch.yaml": "".join(_arch(system, inputs, max(held.values(), default=1))),
        "network.yaml": "".join(_network(mapping, network, system, spikes)),
    }


def check(mapping: Mapping, network: Network) -> None:
    """Refuse what SANA-FE cannot say; see `export`."""
    for name, population in network.populations.items():
        if population.model not in (INPUT, *MODELS):
            problem = f"has neurons of the model {population.model!r}, SANA-FE has leaky integrate-and-fire"
            raise UserError("ND2080", name, problem, f"export networks of {', '.join(MODELS)} only")
    for p in network.projections:
        wrong = _unsayable(p)
        if wrong:
            raise UserError("ND2081", p.name, f"{wrong}, which SANA-FE's edges do not have", "export without it")
    for shard in mapping.shards:
        if shard.kind == "reducer":
            need = "its neurons receive partial sums, SANA-FE keeps all synapses of a neuron on its own core"
            raise DoesNotFit(
                "ND2083",
                shard.island,
                need,
                f"map it with its columns whole (--pin {shard.island}=blocks:1), or to a chip with larger cores",
            )


def _unsayable(p: Projection) -> str:
    if p.synapse.wire:
        return "connects without a synapse"
    if p.delay is not None and p.delay.any():
        return "has delays"
    return p.beyond_lava or ("sends graded payloads" if p.graded else "")


def group_names(network: Network) -> dict[str, str]:
    """Population -> a name of letters, digits and _ that no other has: SANA-FE reads dots and brackets as its own."""
    found: dict[str, str] = {}
    for name in network.populations:
        plain = base = "".join(c if c.isascii() and c.isalnum() else "_" for c in name) or "_"
        number = 1
        while plain in found.values():
            number += 1
            plain = f"{base}_{number}"
        found[name] = plain
    return found


def tile_of(chip: int, core: int, system: SystemSpec) -> tuple[int, int]:
    """(tile, core of the tile) on the flat mesh of all chips; tiles count down each column."""
    columns, rows = system.chip.mesh
    router, place = divmod(core, system.chip.cores_per_router)
    x = chip % system.grid[0] * columns + router % columns
    y = chip // system.grid[0] * rows + router // columns
    return x * system.grid[1] * rows + y, place


def _number(value: float) -> str:
    """As YAML reads a float: with a point or an exponent."""
    return repr(float(value))


def _attributes(table: Table[str, tuple[float, str]], indent: str) -> Iterator[str]:
    for name, (value, source) in table.items():
        yield f"{indent}{name}: {_number(value)}  # {source}\n"


def _arch(system: SystemSpec, inputs: int, neurons: int) -> Iterator[str]:
    chip = system.chip
    width, height = system.grid[0] * chip.mesh[0], system.grid[1] * chip.mesh[1]
    yield f"# {system.name}: {system.chips} chips {chip.name} as one flat mesh, priced as Loihi 1. Written by neurodeploy.\n"
    yield "architecture:\n"
    yield f"  name: {system.name.replace('-', '_')}\n"
    yield "  attributes:\n"
    yield f"    topology: mesh\n    width: {width}\n    height: {height}\n    link_buffer_size: 16\n"
    barrier = ", ".join(f"{tiles}: {_number(seconds)}" for tiles, seconds in BARRIER.items())
    yield f"    sync_model: table\n    latency_sync: {{{barrier}}}\n"
    yield "  tile:\n"
    ranges = [("port_tile", chip.cores_per_router, inputs)]
    if width * height > 1:
        last = width * height - 2
        ranges.append((f"tile[0..{last}]" if last else "tile", chip.cores_per_router, 0))
    for name, cores, own in ranges:
        yield f"    - name: {name}\n      attributes:\n"
        yield from _attributes(TILE, "        ")
        yield "      core:\n"
        yield from _core(f"core[0..{cores - 1}]" if cores > 1 else "core", 0, neurons)
        if own:
            yield from _core("host", own, own)


def _core(name: str, inputs: int, neurons: int) -> Iterator[str]:
    yield f"        - name: {name}\n          attributes:\n"
    yield "            buffer_position: soma\n            buffer_inside_unit: false\n"
    yield f"            max_neurons_supported: {neurons}\n"  # it takes memory for as many on every core
    yield "          axon_in:\n            - name: axon_in\n              attributes:\n"
    yield f"                energy_message_in: 0.0\n                latency_message_in: {_number(MESSAGE_IN_S)}\n"
    yield "          soma:\n"
    if inputs:
        yield f"            - name: inputs[0..{inputs - 1}]\n" if inputs > 1 else "            - name: inputs\n"
        yield "              attributes:\n                model: input\n"
        yield from _attributes(dict.fromkeys(SOMA, (0.0, "outside")), "                ")
    else:
        yield "            - name: lif\n              attributes:\n                model: leaky_integrate_fire\n"
        yield from _attributes(SOMA, "                ")
    yield "          dendrite:\n            - name: dendrites\n              attributes:\n"
    yield "                model: accumulator\n                energy_update: 0.0\n                latency_update: 0.0\n"
    yield "          synapse:\n"
    for kind, (energy, latency) in SYNAPSES.items():
        yield f"            - name: {kind}_synapse\n              attributes:\n                model: current_based\n"
        yield f"                energy_process_spike: {_number(energy)}  # {_FIT}\n"
        yield f"                latency_process_spike: {_number(latency)}  # {_FIT}\n"
    yield "          axon_out:\n            - name: axon_out\n              attributes:\n"
    yield f"                energy_message_out: {_number(MESSAGE_OUT_J)}  # {_FIT}\n"
    yield f"                latency_message_out: {_number(MESSAGE_OUT_S)}  # {_FIT}\n"


def _network(mapping: Mapping, network: Network, system: SystemSpec, spikes: Table[str, Ints]) -> Iterator[str]:
    names = group_names(network)
    yield "network:\n  name: network\n  groups:\n"
    for name, population in network.populations.items():
        yield f"    - name: {names[name]}\n"
        if population.model == INPUT:
            yield "      attributes: [log_spikes: true]\n      neurons:\n"
            trains = np.asarray(spikes.get(name, np.zeros((1, population.size))), np.int64) != 0
            for neuron in range(population.size):
                train = ", ".join(str(int(sent)) for sent in trains[:, neuron])
                yield f"        - {neuron}: [soma: {{spikes: [{train}]}}]\n"
        else:
            yield f"      attributes: [log_spikes: true, synapse_hw_name: {_unit(network, name)}]\n      neurons:\n"
            yield from _neurons(population)
    yield "  edges:\n"
    for p in network.projections:
        yield f"    - {names[p.source]} -> {names[p.target]}: [{_edges(p)}]\n"
    yield "mappings:\n"
    placed = mapping.by_island()
    unit = 0
    for name, population in network.populations.items():
        if population.model == INPUT:
            alone = sum(network.populations[other].size for other in network.inputs) == 1
            for neuron in range(population.size):
                soma = "inputs" if alone else f"inputs[{unit}]"
                yield f'  - {names[name]}.{neuron}: [core: 0.{system.chip.cores_per_router}, soma: "{soma}"]\n'
                unit += 1
            continue
        for shard in placed.get(name, []):
            tile, core = tile_of(shard.chip, shard.core, system)
            for first, last in _runs(shard, mapping.orders.get(name)):
                span = f"{first}..{last}" if last > first else f"{first}"
                yield f"  - {names[name]}.{span}: [core: {tile}.{core}, soma: lif]\n"


def _unit(network: Network, name: str) -> str:
    """The synapse unit of a population: that of its widest projection."""
    kinds = {Dense: "dense", Conv: "conv"}
    into = sorted(network.into(name), key=lambda p: -p.synapse.columns)
    found = next((kind for p in into[:1] for cls, kind in kinds.items() if isinstance(p.synapse, cls)), None)
    return f"{found or ('sparse' if into else 'dense')}_synapse"


def _neurons(population: Population) -> Iterator[str]:
    """Parameters of the leaky integrate-and-fire neuron, equal neighbours on one line."""
    size = population.size

    def each(name: str, default: int = 0) -> Ints:
        return np.broadcast_to(np.asarray(population.params.get(name, default), np.int64), (size,))

    du, dv, vth, mantissa, exponent = (each(name) for name in ("du", "dv", "vth", "bias_mant", "bias_exp"))
    bias = np.floor(mantissa * 2.0**exponent) / (1 << ALIGN_BITS)
    table = np.stack([(4095 - du) / 4096, (4096 - dv) / 4096, vth.astype(float), bias], axis=1)
    starts = np.flatnonzero(np.concatenate(([True], (table[1:] != table[:-1]).any(axis=1))))
    for first, stop in zip(starts.tolist(), [*starts[1:].tolist(), size], strict=True):
        current, keep, threshold, constant = (_number(value) for value in table[first])
        span = f"{first}..{stop - 1}" if stop - first > 1 else f"{first}"
        yield (
            f"        - {span}: [soma: {{threshold: {threshold}, leak_decay: {keep}, input_decay: {current}, "
            f"bias: {constant}, reset: 0.0, reset_mode: {MODELS[population.model]}}}]\n"
        )


def _edges(p: Projection) -> str:
    scale = 2.0**p.weight_exp
    if isinstance(p.synapse, Dense):
        weights = (p.synapse.weight.T.astype(np.float64) * scale).reshape(-1)
        return f"type: dense, weight: [{_list(weights)}]"
    row, column, weight = p.synapse.coo()[:3]
    pairs = ", ".join(f"[{s}, {t}]" for s, t in zip(column.tolist(), row.tolist(), strict=True))
    weights = _list(np.asarray(weight, np.float64) * scale)
    return f"type: sparse, source_target_pairs: [{pairs}], weight: [{weights}]"


def _list(values: NDArray[np.float64]) -> str:
    return ", ".join(map(repr, values.tolist()))


def _runs(shard: Shard, order: Ints | None) -> Iterator[tuple[int, int]]:
    """Neurons of a shard as ranges (first, last)."""
    if order is None:
        yield shard.rows[0], shard.rows[1] - 1
        return
    neurons = np.sort(np.asarray(order[slice(*shard.rows)], np.int64))
    starts = np.flatnonzero(np.diff(neurons, prepend=-2) != 1)
    stops = np.append(starts[1:], len(neurons))
    for first, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        yield int(neurons[first]), int(neurons[stop - 1])
