"""A chip whose coefficients are small whole numbers, so that every figure can be worked out by hand and is exact."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.accounting.band import Band
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.ir.chip import Basis, ChipSpec, CoreBudget, HostSpec, Limit, Quantity, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.run import ActivityCounts, RunActivity
from neurodeploy.synapses.linear import LinearLayer
from targets.loihi2 import SUPPORTS
from tests.islands import hollow_island
from tests.prices import token_ledger


def q(low: float, nominal: float, high: float, unit: str) -> Quantity:
    return Quantity(low, nominal, high, unit, Basis.GUESSED, "toy")


COSTS = {
    "synop_fc_j": q(1, 2, 3, "J"),
    "synop_conv_j": q(1, 3, 4, "J"),
    "synop_learning_j": q(4, 5, 6, "J"),
    "neuron_update_j": q(2, 4, 8, "J"),
    "neuron_idle_j": q(1, 1, 2, "J"),
    "microcode_factor": q(1, 2, 3, "1"),
    "spike_out_j": q(0, 0, 0, "J"),
    "message_j": q(1, 2, 4, "J"),
    "hop_ew_j": q(1, 4, 5, "J"),
    "hop_ns_j": q(2, 6, 7, "J"),
    "core_step_j": q(10, 20, 30, "J"),
    "chip_step_j": q(0, 0, 0, "J"),
    "interchip_bit_j": q(1, 2, 3, "J"),
    "host_link_bit_j": q(1, 1, 2, "J"),
    "t_synop_fc_s": q(1, 2, 3, "s"),
    "t_synop_conv_s": q(1, 3, 4, "s"),
    "t_synop_learning_s": q(1, 4, 5, "s"),
    "t_neuron_s": q(1, 2, 4, "s"),
    "t_neuron_idle_s": q(1, 1, 1, "s"),
    "t_spike_out_s": q(2, 2, 2, "s"),
    "t_step_floor_s": q(1, 3, 5, "s"),
    "t_barrier_multichip_s": q(2, 4, 8, "s"),
    "t_host_link_s": q(5, 10, 20, "s"),
    "bw_link_b_per_s": q(2, 2, 4, "B/s"),
    "bw_interchip_b_per_s": q(1, 2, 4, "B/s"),
    "bw_host_link_b_per_s": q(1, 2, 4, "B/s"),
    "p_static_w": q(1, 2, 3, "W"),
    "p_infra_w": q(2, 4, 8, "W"),
    "energy_error_ratio": q(1, 1, 1, "1"),
    "time_error_ratio": q(1, 1, 1, "1"),
    "t_learning_step_s": q(1, 3, 4, "s"),
}
NONE = Limit(None, Basis.GUESSED, "toy")
CHIP = ChipSpec(
    name="toy",
    cores=4,
    mesh=(2, 2),
    cores_per_router=1,
    budget=CoreBudget(NONE, NONE, NONE, NONE, NONE),
    formats={"message_bytes": 4},
    costs=COSTS,
    supports=SUPPORTS,
    source="toy",
)
SYSTEM = SystemSpec("toy-2", CHIP, 2, (2, 1), "toy")
HOST = HostSpec("toy-host", q(1, 2, 4, "1/s"), q(1, 1, 2, "B/s"), q(1, 2, 3, "W"), q(4, 8, 16, "W"), "toy")


def mapping(*shards: Shard, system: SystemSpec = SYSTEM) -> Mapping:
    return Mapping(system.name, system.chips, system.chip.cores, shards, (), len(shards), "synapse_bytes", ())


def activity(name: str, tokens: int, events: list[int], out: list[int]) -> RunActivity:
    return RunActivity.of_layer(name, tokens, np.array(events, np.int64), np.array(out, np.int64))


def without(key: str) -> SystemSpec:
    return replace(SYSTEM, chip=replace(CHIP, costs={name: cost for name, cost in COSTS.items() if name != key}))


#: Island "a", 4 x 3, rows split over core 0 of chip 0 and core 3 of chip 1; 2 tokens; host work 8 flop and 6 bytes.
ISLANDS = {"a": hollow_island("a", 4, 3, layer=0)}
ROWS = mapping(Shard("a", "synapses", (0, 2), (0, 3), 0, 0), Shard("a", "synapses", (2, 4), (0, 3), 1, 3))


def counts() -> ActivityCounts:
    return ActivityCounts(
        {"a": activity("a", 2, [2, 1, 0], [2, 1, 0, 2])}, tokens=2, host_flops=8, host_bytes=6, host={}
    )


#: Ends of a band; a rate is high where a time is low.
ENDS = ("low", "nominal", "high")
OTHER = dict(zip(ENDS, reversed(ENDS), strict=True))


def at(end: str, system: SystemSpec = SYSTEM) -> tuple[SystemSpec, HostSpec]:
    """Chip and host of which every coefficient is at that end of its band, and has none."""

    def still(quantity: Quantity) -> Quantity:
        value = getattr(quantity, OTHER[end] if quantity.unit in ("B/s", "1/s") else end)
        return q(value, value, value, quantity.unit)

    costs = {name: still(cost) for name, cost in system.chip.costs.items()}
    parts = ("peak_flops", "bandwidth", "idle_power", "active_power", "supply_loss")
    host = replace(HOST, **{part: still(getattr(HOST, part)) for part in parts})
    return replace(system, chip=replace(system.chip, costs=costs)), host


def ledgers(*given: Any, system: SystemSpec = SYSTEM, **options: Any) -> dict[str, EnergyLedger]:
    """By end, with all coefficients at it: what hands can work out."""
    found = {}
    for end in ENDS:
        there, host = at(end, system)
        found[end] = ledger(*given, system=there, host=host, **options)
    return found


def ends(of: Callable[[EnergyLedger], Band], ledgers: Table[str, EnergyLedger]) -> tuple[float, ...]:
    return tuple(of(each).nominal for each in ledgers.values())


def seconds(*given: Any, **options: Any) -> tuple[float, ...]:
    return ends(lambda ledger: ledger.seconds, ledgers(*given, **options))


def ledger(
    mapping: Mapping = ROWS,
    given: ActivityCounts | None = None,
    islands: Table[str, LinearLayer] = ISLANDS,
    system: SystemSpec = SYSTEM,
    phase: str = "generate",
    host: HostSpec = HOST,
    **options: Any,
) -> EnergyLedger:
    """Of `counts` on `ROWS`, where nothing else is given."""
    return token_ledger(mapping, counts() if given is None else given, islands, system, host, phase, **options)
