"""Unit costs by name out of a chip's table, and the few that are made of two of them."""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Basis, ChipSpec, Quantity

#: Weakest last: a number made of two has the weaker basis.
_STRENGTH = (Basis.MEASURED, Basis.PUBLISHED, Basis.DERIVED, Basis.GUESSED)

#: Every coefficient that the account takes from a chip's table, and what it multiplies.
USED: Mapping[str, str] = {
    "synop_fc_j": "synaptic operations, partial sums added",
    "neuron_update_j": "neuron updates, active (times `microcode_factor`)",
    "neuron_idle_j": "neuron updates, idle",
    "microcode_factor": "a graded, microcoded neuron over a fixed one",
    "core_step_j": "active cores and steps",
    "spike_out_message_j": "messages delivered",
    "hop_ew_j": "hops, east-west",
    "hop_ns_j": "hops, north-south",
    "interchip_bit_j": "bits over a chip-to-chip link",
    "host_link_bit_j": "bits over the host link",
    "p_static_w": "powered chips times seconds, rails",
    "p_infra_w": "powered chips times seconds, board",
    "t_synop_fc_s": "synaptic operations of the busiest core",
    "t_neuron_s": "its neuron updates (times `microcode_factor`)",
    "t_neuron_idle_s": "resident neurons of the fullest core",
    "t_spike_out_s": "its messages out",
    "t_step_floor_s": "steps",
    "t_barrier_multichip_s": "steps on several chips",
    "t_host_link_s": "exchanges with the host, in and out together",
    "bw_link_b_per_s": "bytes through the busiest chip port",
    "bw_interchip_b_per_s": "bytes over the busiest chip-to-chip link",
    "bw_host_link_b_per_s": "bytes over the host border",
}

#: Loss of the power supply as a fraction of the energy it delivers. No published run states its own.
SUPPLY_LOSS = Quantity(
    0.05, 0.10, 0.20, "1", Basis.GUESSED, "assumed: board converters and a wall supply of 83 to 95 % efficiency"
)


def cost(chip: ChipSpec, key: str) -> Quantity:
    """The chip's cost `key`.

    Raises
    ------
    UserError : ND3103, the chip's table does not have it: nothing is filled in.
    """
    if key not in chip.costs:
        raise UserError(
            "ND3103", chip.name, f"has no cost {key!r}, which the energy model needs", "add it with its source"
        )
    return chip.costs[key]


def product(a: Quantity, b: Quantity) -> Quantity:
    """``a * b`` in the unit of `a`, band by band, with the weaker basis and both sources."""
    basis = max(a.basis, b.basis, key=_STRENGTH.index)
    return Quantity(
        a.low * b.low,
        a.nominal * b.nominal,
        a.high * b.high,
        a.unit,
        basis,
        f"{a.source}; times {b.nominal:g}: {b.source}",
    )


def neuron_update(chip: ChipSpec) -> Quantity:
    """Energy (J) of one update of a graded neuron: a fixed neuron's times the factor of a microcoded one."""
    return product(cost(chip, "neuron_update_j"), cost(chip, "microcode_factor"))


def neuron_time(chip: ChipSpec) -> Quantity:
    """Time (s) of one update of a graded neuron on its core."""
    return product(cost(chip, "t_neuron_s"), cost(chip, "microcode_factor"))


def table(chip: ChipSpec) -> str:
    """The coefficients of `chip` that the account uses, as the Markdown table of ``docs/energy.md``."""
    lines = ["| Coefficient | Low | Nominal | High | Unit | Basis | Multiplies | Source |", "|---" * 8 + "|"]
    for key, what in USED.items():
        q = cost(chip, key)
        ends = " | ".join(f"{end:.4g}" for end in (q.low, q.nominal, q.high))
        lines.append(f"| `{key}` | {ends} | {q.unit} | {q.basis.value} | {what} | {q.source} |")
    return "\n".join(lines)
