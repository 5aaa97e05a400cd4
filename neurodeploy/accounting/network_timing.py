"""Seconds of a sample of a network on cores and links: the busiest core or link of a mean step, never an average core."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurodeploy.accounting.band import ZERO, Band, exactly, largest, of, total
from neurodeploy.accounting.costs import cost, neuron_time
from neurodeploy.accounting.network_work import Work
from neurodeploy.accounting.timing import Timing
from neurodeploy.ir.chip import ChipSpec, Quantity, SystemSpec

#: The parts of a sample's time, in the order of the report.
PARTS = ("cores", "links", "step floor", "multi-chip barrier", "host link latency", "host link bytes")


def unit_costs(chip: ChipSpec) -> list[Quantity]:
    """Times (s) of one of each of the first six loads of `network_work`: what a core spends its step on."""
    fixed, synop = cost(chip, "t_neuron_s"), cost(chip, "t_synop_fc_s")
    return [synop, cost(chip, "t_synop_conv_s"), synop, fixed, neuron_time(chip), cost(chip, "t_spike_out_s")]


def core_seconds(work: Work, chip: ChipSpec) -> NDArray[np.float64]:
    """(cores, 3) seconds of a mean step of each core: low, nominal, high."""
    unit = np.array([[q.low, q.nominal, q.high] for q in unit_costs(chip)])
    return np.asarray(work.cores()[1][:, :6] / (work.steps * work.samples) @ unit)


def busiest_cores(work: Work, chip: ChipSpec, count: int = 10) -> tuple[dict[str, object], ...]:
    """The cores that take longest, with what they do in a mean step."""
    cores, loads, held = work.cores()
    seconds = core_seconds(work, chip)
    names = ("synops", "conv_synops", "partial_sums", "fixed_updates", "updates", "messages", "events", "spikes")
    every = work.steps * work.samples
    return tuple(
        {
            "chip": int(cores[i, 0]),
            "core": int(cores[i, 1]),
            "neurons": int(held[i]),
            "seconds": float(seconds[i, 1]),
            **{name: float(loads[i, column] / every) for column, name in enumerate(names)},
        }
        for i in np.argsort(-seconds[:, 1], kind="stable")[:count]
    )


def network_timing(work: Work, system: SystemSpec, chips_used: int, border: str) -> Timing:
    """Seconds of a sample; `parts` nominal."""
    chip, size = system.chip, system.chip.formats["message_bytes"]
    every = work.steps * work.samples
    seconds = core_seconds(work, chip)
    cores = Band(*(float(x) for x in seconds.max(axis=0, initial=0.0)))
    pairs = work.routes.between + (work.routes.from_host if border != "none" else 0)
    crossing = int(work.routes.links(pairs).max(initial=0))
    links = largest(
        exactly(messages * size / every).over(of(cost(chip, bandwidth)))
        for messages, bandwidth in (
            (int(work.routes.ports.max(initial=0)), "bw_link_b_per_s"),
            (crossing, "bw_interchip_b_per_s"),
        )
    )
    slower = "cores" if cores.nominal >= links.nominal else "links"
    barrier = of(cost(chip, "t_barrier_multichip_s")) if chips_used > 1 else ZERO
    parts = dict.fromkeys(PARTS, ZERO) | {
        slower: largest((cores, links)) * work.steps,
        "step floor": of(cost(chip, "t_step_floor_s")) * (work.phases * work.steps),
        "multi-chip barrier": barrier * (work.phases * work.steps),
    }
    if border != "none":
        exchanges = work.steps if border == "step" else 1
        messages = sum(counts.entering + counts.leaving for counts in work.populations.values())
        parts["host link latency"] = of(cost(chip, "t_host_link_s")) * exchanges
        parts["host link bytes"] = exactly(messages * size / work.samples).over(of(cost(chip, "bw_host_link_b_per_s")))
    nominal = {name: band.nominal for name, band in parts.items()}
    binding = max(nominal, key=lambda name: nominal[name])
    text = {
        "cores": f"cores ({_words(work, chip)})",
        "links": f"links ({int(work.routes.ports.max(initial=0)) / every:,.0f} messages a step at the busiest port)",
    }
    return Timing(total(parts.values()), nominal, text.get(binding, binding), ZERO, float(work.steps), None, {})


def _words(work: Work, chip: ChipSpec) -> str:
    first = next(iter(busiest_cores(work, chip, 1)), None)
    if first is None:
        return "none"
    return (
        f"core {first['core']} of chip {first['chip']}: {first['synops']:,.0f} synops, {first['conv_synops']:,.0f} of "
        f"convolutions, {first['neurons']:,} neurons, {first['messages']:,.0f} messages a step"
    )
