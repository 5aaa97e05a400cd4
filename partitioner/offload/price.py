"""What a population costs a generated token, or a time step, on the chips, on the host, or with its weights streamed in.

Joules, seconds, bytes. All figures are nominal and for full activity (every axon sends), at the wall less the supply's loss,
so that chip and host are compared at one boundary. While one is computed everything else waits, which is how a token is
generated (`accounting.timing`): what is powered anyway, the chips in use and the host at rest, draws W watts through every
second. A population of r rows and c columns that the host sends, seen by the fraction a of all tokens, with messages of m
bytes::

    chip    J = a (r c synop + r update + deliveries message + cores core_step + 8 m (chips c + r) host_link_bit + W s)
            s = steps (step_floor + barrier + busiest core) + t_host_link + m (chips c + r) / bw_host_link
    host    J = a (W s + active power r + launch power l)      r = max(flops / peak_flops, bytes / bandwidth), s = r + l
    stream  J = chip J + a (8 B host_link_bit + W B / bw_host_link),   B = bytes of its weights and list headers

with the work of `island_work` and l the start of an operation, where the host has one. Streaming writes the weights of an
island anew whenever it is called: the islands that are not resident take turns on the same cores. Hops and bits between
chips are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from neurodeploy.errors import UserError
from neurodeploy.flow.loads import EVENTS, PARTIALS, SENT, SYNOPS, loads_of
from neurodeploy.flow.streams import Streams
from neurodeploy.ir.chip import ChipSpec, HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.ops.host.linear import island_work
from partitioner.cost.population import View, views_of
from partitioner.cost.usage import demands_of

#: The chip's costs that a price is made of.
NEEDED = (
    "synop_fc_j", "neuron_update_j", "microcode_factor", "spike_out_j", "message_j", "core_step_j", "host_link_bit_j",
    "t_synop_fc_s", "t_neuron_s", "t_spike_out_s", "t_step_floor_s", "t_barrier_multichip_s", "t_host_link_s",
    "bw_host_link_b_per_s", "p_static_w", "p_infra_w",
)  # fmt: skip
#: Joules and seconds are whole numbers of this size where they decide.
PICO = 1e-12


@dataclass(frozen=True, slots=True)
class Price:
    """One way to run one island, or a sum of them, for a token: what flows beside the clock, seconds, border bytes."""

    joules: float
    seconds: float
    bytes: float

    def __add__(self, other: Price) -> Price:
        return Price(self.joules + other.joules, self.seconds + other.seconds, self.bytes + other.bytes)

    def whole(self, watts: float) -> float:
        """Joules with what is powered anyway."""
        return self.joules + watts * self.seconds


def total(prices: Iterable[Price]) -> Price:
    return sum(prices, start=Price(0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Prices:
    """The three ways of one island."""

    chip: Price
    host: Price
    stream: Price

    def gain(self, watts: float, objective: str = "energy") -> int:
        """What it costs to leave, as a whole number: joules, or with these objectives seconds or border bytes."""
        if objective == "latency":
            return round((self.host.seconds - self.chip.seconds) / PICO)
        if objective == "traffic":
            return round((self.host.bytes - self.chip.bytes) * 1000)
        return round((self.host.whole(watts) - self.chip.whole(watts)) / PICO)


def standing_watts(system: SystemSpec, chips: int, host: HostSpec) -> float:
    """What is powered whoever works: static and board power of the chips in use, the host at rest and what is around it."""
    costs = chip_costs(system.chip)
    around = 0.0 if host.around is None else host.around.nominal
    return chips * (costs["p_static_w"] + costs["p_infra_w"]) + host.idle_power.nominal + around


def chip_costs(chip: ChipSpec) -> dict[str, float]:
    """The nominal costs that a price needs. Raises ND2060 where the chip's table lacks one: nothing is filled in."""
    for key in NEEDED:
        if key not in chip.costs:
            fix = "add it with its source, or map without --chips"
            raise UserError("ND2060", chip.name, f"has no cost {key!r}, which pricing an offload needs", fix)
    return {key: chip.costs[key].nominal for key in NEEDED}


def price_view(
    network: Network, view: View, shards: Sequence[Shard], system: SystemSpec, host: HostSpec, chips: int,
    gone: Collection[str] = (),
) -> Prices:  # fmt: skip
    """`shards` are the population's in a mapping that holds it; `chips` how many are in use (more than one: a barrier);
    `gone` populations that the host computes."""
    costs, message, share = chip_costs(system.chip), system.chip.formats["message_bytes"], float(view.share)
    loads = loads_of(Streams(network, {view.name: replace(view, share=Fraction(1))}, shards, 1))
    rows = np.array([s.row_count for s in shards])
    added = loads[:, SYNOPS] + loads[:, PARTIALS]
    updates = (costs["microcode_factor"] if view.microcoded else 1.0) * rows
    seconds = added * costs["t_synop_fc_s"] + updates * costs["t_neuron_s"] + loads[:, SENT] * costs["t_spike_out_s"]
    sources = [s for s in shards if s.kind == "synapses"]
    into = (part.projection for part in view.segments)
    outside = (p for p in into if p.source in gone or network.populations[p.source].model == INPUT)
    returned, given = view.rows * view.outputs, sum(p.synapse.columns for p in outside)  # what the host reads and sends
    steps = 2 if len(sources) < len(shards) else 1
    crossing = len({s.chip for s in sources}) * given + returned
    link = message * crossing / costs["bw_host_link_b_per_s"]
    exchange = costs["t_host_link_s"] if crossing else 0.0
    barrier = costs["t_barrier_multichip_s"] if chips > 1 else 0.0
    chip = Price(
        share * (
            int(added.sum()) * costs["synop_fc_j"]
            + float(updates.sum()) * costs["neuron_update_j"]
            + (int(loads[:, [EVENTS, PARTIALS]].sum()) + returned) * (costs["spike_out_j"] + costs["message_j"])
            + len({(s.chip, s.core) for s in shards}) * costs["core_step_j"]
            + 8 * message * crossing * costs["host_link_bit_j"]
        ),
        share * (steps * (costs["t_step_floor_s"] + barrier) + float(seconds.max()) + exchange + link),
        share * message * (given + returned),
    )  # fmt: skip
    demands = demands_of(replace(view, outgoing=()), shards, {})
    weights = sum(demands[s][1] for s in sources)
    stream = chip + Price(
        share * 8 * weights * costs["host_link_bit_j"],
        share * weights / costs["bw_host_link_b_per_s"],
        share * weights,
    )
    return Prices(chip, on_host(view, host), stream)


def ways_of(
    program: Program, system: SystemSpec, mapping: Mapping, host: HostSpec, weight_bits: int | None = None
) -> dict[str, Price]:
    """Every population where the mapping puts it: on the chips, where it has shards."""
    placed, views = mapping.by_island(), views_of(program, system.chip, weight_bits)
    gone = views.keys() - placed.keys()
    kept = views_of(program, system.chip, weight_bits, hosted=gone)
    return {
        name: price_view(program.network, kept[name], placed[name], system, host, mapping.chips_used, gone).chip
        if name in placed
        else on_host(view, host)
        for name, view in views.items()
    }


def on_host(view: View, host: HostSpec) -> Price:
    """Executed by the host for one token or step."""
    synapses = sum(part.projection.synapse.count() for part in view.segments)
    work = island_work(view.rows, max(1, synapses // view.rows), 1)
    busy = float(view.share) * max(work.flops / host.peak_flops.nominal, work.bytes / host.bandwidth.nominal)
    waits, watts = (0.0 if part is None else part.nominal for part in (host.launch, host.launch_power))
    start = float(view.share) * waits
    return Price(busy * host.active_power.nominal + start * watts, busy + start, 0.0)


def core_parts(view: View, shards: Sequence[Shard], limits: Sequence[int | None], scale: int) -> int:
    """What a population fills of cores, in parts of ``1 / scale``, by the budget that each of its shards fills most."""
    demands = demands_of(replace(view, outgoing=()), shards, {}).values()
    return sum(
        max((-(-used * scale // limit) for used, limit in zip(demand, limits, strict=True) if limit), default=1)
        for demand in demands
    )
