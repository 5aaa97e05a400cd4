"""How good a mapping is: traffic, loads of links, time of a step, each beside what no placement could beat.

All of it follows from three things: the mapping, the messages between its cores (`Nets`), and the system. Counts are
messages a step (a token of a language model) at the rates of the nets. The routes and their two counts (unicast, as the
chip does it, and multicast) are those of `flow.links`; energies and times are the nominal values of the chip's table,
modelled, never measured. A figure whose cost the chip's table lacks is None.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.flow.links import LinkLoads, Routed, route
from neurodeploy.flow.loads import COLUMNS, loads_of
from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.flow.streams import Streams
from neurodeploy.ir.chip import ChipSpec, SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping
from partitioner.bound.cores import lower_bound
from partitioner.bound.traffic import HopCost, traffic_bounds
from partitioner.cost.population import View

NOT_PRICED = "not priced: export the mapping and run SANA-FE on it (neurodeploy export --format sanafe)"


@dataclass(frozen=True, eq=False)
class Places:
    """The logical cores of a mapping in the order in which its shards name them: `chip`, `core` (cores,), and which of
    them holds each shard."""

    chip: Ints
    core: Ints
    of_shard: Ints

    @property
    def cores(self) -> int:
        return len(self.chip)


def places_of(mapping: Mapping) -> Places:
    """Logical cores, numbered as they first occur among the shards: as they were packed."""
    numbers: dict[tuple[int, int], int] = {}
    of_shard = [numbers.setdefault((shard.chip, shard.core), len(numbers)) for shard in mapping.shards]
    where = np.array(list(numbers), np.int64).reshape(-1, 2)
    return Places(where[:, 0], where[:, 1], np.array(of_shard, np.int64))


def traffic_metrics(nets: Nets, places: Places, system: SystemSpec) -> dict[str, Any]:
    """Metrics 3 to 6: km1 and cut, spikes times hops, loads of links, packets between chips; then their bounds."""
    routed = route(nets, places.chip, places.core, system)
    tree = route(nets, places.chip, places.core, system, multicast=True)
    cost = HopCost.of(system.chip)
    return {
        **_cuts(nets, places),
        "hops": {"unicast": _hops(routed, nets.per, cost), "multicast": _hops(tree, nets.per, cost)},
        "links": {**_links(routed, nets.per, system), "multicast": _links(tree, nets.per, system)},
        "interchip": {**_interchip(routed, nets.per, system), "multicast": _interchip(tree, nets.per, system)},
        "bounds": _bounds(nets, places, system, routed, cost),
    }


def _cuts(nets: Nets, places: Places) -> dict[str, Any]:
    """Messages times further cores (chips), and messages of nets that leave their core (chip) at all; the host apart."""
    fan = np.diff(nets.indptr)
    net = np.repeat(np.arange(len(fan)), fan)
    source = nets.source[net]
    inside = (source != HOST) & (nets.pins != HOST)
    net, source, target = net[inside], source[inside], nets.pins[inside]
    apart = places.chip[source] != places.chip[target]
    chips = int(places.chip.max(initial=0)) + 1
    chip_net = np.unique(net[apart] * chips + places.chip[target[apart]]) // chips
    weight, per = nets.weight, nets.per
    return {
        "km1": {
            "cores": int(weight[net].sum()) / per,
            "chips": int(weight[chip_net].sum()) / per,
            "unit": "messages",
        },
        "cut": {
            "cores": int(weight[np.unique(net)].sum()) / per,
            "chips": int(weight[np.unique(chip_net)].sum()) / per,
            "nets": len(fan),
            "unit": "messages",
        },
    }


def transport(routed: Routed, cost: HopCost) -> int:
    """Femtojoules of all hops and chip-to-chip links of `Nets.per` steps."""
    mesh = routed.mesh
    return cost.east_west * mesh.hops_ew + cost.north_south * mesh.hops_ns + cost.link * routed.packets


def _hops(routed: Routed, per: int, cost: HopCost | None) -> dict[str, Any]:
    mesh = routed.mesh
    on_mesh = None if cost is None else (cost.east_west * mesh.hops_ew + cost.north_south * mesh.hops_ns) * 1e-15 / per
    return {
        "east_west": mesh.hops_ew / per,
        "north_south": mesh.hops_ns / per,
        "total": (mesh.hops_ew + mesh.hops_ns) / per,
        "hop_energy_j": on_mesh,
        "transport_energy_j": None if cost is None else transport(routed, cost) * 1e-15 / per,
        "unit": "messages x hops",
    }


def _links(routed: Routed, per: int, system: SystemSpec) -> dict[str, Any]:
    """LinkLoads of the directed mesh links of the chips in use, and of their ports."""
    loads = np.sort(routed.mesh.flat())
    mesh, source, target, most = routed.mesh.busiest()
    bound = routed.mesh.cut / per
    port = int(routed.ports.argmax())
    return {
        "max": most / per,
        "p99": (int(loads[-(-99 * len(loads) // 100) - 1]) if len(loads) else 0) / per,
        "mean": int(loads.sum()) / max(1, len(loads)) / per,
        "lower_bound": bound,
        "ratio": most / per / bound if bound else None,
        "busiest": {"chip": int(routed.chips[mesh]), "from": list(source), "to": list(target)} if most else None,
        "seconds": _seconds(most / per, system.chip, "bw_link_b_per_s"),
        "busiest_port": {"chip": int(routed.chips[port]), "messages": int(routed.ports[port]) / per},
        "port_seconds": _seconds(int(routed.ports[port]) / per, system.chip, "bw_link_b_per_s"),
        "unit": "messages",
    }


def _interchip(routed: Routed, per: int, system: SystemSpec) -> dict[str, Any]:
    grid, size, columns = routed.grid, system.chip.formats["message_bytes"], system.grid[0]
    _, (x0, y0), (x1, y1), most = grid.busiest()
    loads = grid.flat()
    bandwidth = system.chip.costs.get("bw_interchip_b_per_s")
    return {
        "packets": routed.packets / per,
        "bytes": routed.packets * size / per,
        "links_used": int((loads > 0).sum()),
        "lower_bound": grid.cut / per,
        "busiest": {
            "from": y0 * columns + x0, "to": y1 * columns + x1, "messages": most / per, "bytes": most * size / per,
            "seconds": _seconds(most / per, system.chip, "bw_interchip_b_per_s"),
        } if most else None,
        "bandwidth_b_per_s": bandwidth.nominal if bandwidth else None,
        "unit": "messages x chip-to-chip links",
    }  # fmt: skip


def _seconds(messages: float, chip: ChipSpec, bandwidth: str) -> float | None:
    rate = chip.costs.get(bandwidth)
    return messages * chip.formats["message_bytes"] / rate.nominal if rate is not None else None


def _bounds(nets: Nets, places: Places, system: SystemSpec, routed: Routed, cost: HopCost | None) -> dict[str, Any]:
    chips, per = len(np.unique(places.chip)), nets.per
    plain = traffic_bounds(nets, system, HopCost(1, 1, 0), chips)
    priced = None if cost is None else traffic_bounds(nets, system, cost, chips).unicast * 1e-15 / per
    return {
        "unicast_hops": plain.unicast / per,
        "multicast_hops": plain.multicast_hops / per,
        "transport_energy_j": priced,
        "ratio": None if cost is None or not priced else transport(routed, cost) * 1e-15 / per / priced,
        "text": "ring bound with the cores of a router, rearrangement bound for the host's messages",
    }


def core_loads(streams: Streams, places: Places) -> Ints:
    """(cores, 8): what each logical core does in `streams.per` steps, as `flow.loads` numbers it."""
    loads = np.zeros((places.cores, COLUMNS), np.int64)
    np.add.at(loads, places.of_shard, loads_of(streams))
    return loads


def makespan(loads: Ints, nets: Nets, places: Places, system: SystemSpec, links: Table[str, Any]) -> dict[str, Any]:
    """Metric 7: the busiest core, plus floor and barrier, against the busiest link, for one step in which every core does
    its mean work: ``max over cores (synops t_synop + updates t_neuron + messages t_spike_out)``.

    `loads` are of `core_loads`; messages to a core's own tiles take no time. `links` are `traffic_metrics`' sections "links"
    and "interchip".
    """
    chip = system.chip
    names = ("t_synop_fc_s", "t_synop_conv_s", "t_neuron_s", "microcode_factor", "t_spike_out_s", "t_step_floor_s")
    if any(name not in chip.costs for name in (*names, "t_barrier_multichip_s")):
        return {"step_s": None, "note": f"{chip.name} has no table of times"}
    synop, conv, neuron, factor, out, floor = (chip.costs[name].nominal for name in names)
    fan, inside = np.diff(nets.indptr), nets.source != HOST
    sent = np.zeros(places.cores, np.int64)
    np.add.at(sent, nets.source[inside], (nets.weight * fan)[inside])
    times = np.array([synop, conv, synop, neuron, neuron * factor])  # of the first columns of a table of loads
    seconds = (loads[:, : len(times)] @ times + out * sent) / nets.per
    busiest = int(seconds.argmax()) if len(seconds) else 0
    cores = float(seconds[busiest]) if len(seconds) else 0.0
    hop, between = links["links"], links["interchip"]["busiest"]
    link = max(hop["seconds"] or 0.0, hop["port_seconds"] or 0.0, (between or {}).get("seconds") or 0.0)
    overhead = floor + (chip.costs["t_barrier_multichip_s"].nominal if len(np.unique(places.chip)) > 1 else 0.0)
    parts = {"cores": cores, "links": link, "floor and barrier": overhead}
    return {
        "cores_s": cores,
        "mean_core_s": float(seconds.mean()) if len(seconds) else 0.0,
        "links_s": link,
        "barrier_s": overhead,
        "step_s": max(cores, link) + overhead,
        "bound_by": max(parts, key=lambda name: parts[name]),
        "busiest": {"chip": int(places.chip[busiest]), "core": int(places.core[busiest])} if places.cores else None,
    }


def layers_of(mapping: Mapping, views: Table[str, View], chip: ChipSpec) -> list[dict[str, Any]]:
    """Metric 1 by layer: cores that hold a shard of it, and the least that it needs by itself."""
    held: dict[str, set[tuple[int, int]]] = {}
    for shard in mapping.shards:
        held.setdefault(views[shard.island].layer, set()).add((shard.chip, shard.core))
    found, placed = [], mapping.by_island()
    for layer, cores in held.items():
        bound, binding = lower_bound((views[n] for n in placed if views[n].layer == layer), chip)
        ratio = len(cores) / bound if bound else None
        found.append(
            {"layer": layer, "cores": len(cores), "lower_bound": bound, "ratio": ratio, "binding_resource": binding}
        )
    return found


def fallback(mapping: Mapping, crossings: float, text: str) -> dict[str, Any]:
    """Metric 10: how often a token (step) crosses the border between chips and host, and the bytes that cross."""
    devices = [entry.device for entry in mapping.assignments]
    return {
        "crossings": crossings,
        "host_operations": devices.count("host"),
        "chip_operations": devices.count("chip"),
        "bytes": sum(entry.bytes_per_token for entry in mapping.assignments if entry.device == "chip"),
        "text": text,
    }


def picture(nets: Nets, places: Places, system: SystemSpec) -> dict[str, Any]:
    """What a drawing of the mapping needs: messages over every mesh link of the chips in use and over the links between
    chips, as lists in `LinkLoads`' order (east, west, south, north); loads of ports."""
    routed = route(nets, places.chip, places.core, system)
    return {
        "grid": list(system.grid), "mesh": list(system.chip.mesh), "per": nets.per,
        "chips": routed.chips.tolist(), "ports": routed.ports.tolist(),
        "links": [_directions(routed.mesh, index) for index in range(len(routed.chips))],
        "between": _directions(routed.grid, 0),
    }  # fmt: skip


def _directions(loads: LinkLoads, index: int) -> list[list[int]]:
    return [part[index].reshape(-1).tolist() for part in (loads.east, loads.west, loads.south, loads.north)]
