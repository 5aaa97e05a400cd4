"""Time per token or sample, from the busiest core and the busiest link, never from averages.

One time step takes (max-affine bound; Timcheck et al., arXiv 2601.10035, Yik et al., arXiv 2511.21549)::

    T = max( max over cores (synops t_synop + updates t_neuron + messages t_spike_out + writes t_synop_learning),
             max over cores (resident neurons t_neuron_idle),
             max over links (bytes / bandwidth) )  +  t_step_floor  +  t_barrier_multichip if several chips are used
        +  t_learning_step in a step in which memories are written, by the learning engine

Operations of convolutions and microcoded neurons have times of their own. Where a chip says more of itself
(`ir.chip.Pacing`), the stages of a core overlap, a sender's messages wait on its way out, and the floor hangs on the routers
in use::

    T = max( max over cores and stages (work * its times),  max over senders (sum over messages of
             (t_message_in + synops t_synop) / (hops + 2)),  ... )  +  t_step_floor_s share(routers in use)  + ...

`in_turn` is fall-through: nothing overlaps::

    T_unit = sum over steps T + exchanges (t_host_link) + border bytes / bw_host_link + host compute + host populations

A unit's steps are the phases of its segments (`program`), as often as a unit runs them: once in a token, an expert in the
share of tokens that chose it; in every time step of a sample. Each pays floor and barrier. A segment's call is one
exchange with the host: it crosses the border twice, events in and outputs back, and waits for the link once, since the
published latency is that of a whole exchange. Without a border the border's terms are zero.

`pipelined` is a prompt: all segments work at once, each on another token, so the slowest stage sets the pace and the
border's latency is paid once per prompt::

    T_token = max( T of a step in which every core does its mean work per token,  border bytes / bw_host_link,
                   host compute )  +  t_host_link * segments / tokens of a prompt
    T_first_token = tokens of a prompt * T_token + T_token(in turn)

The time to fill the pipeline is not in `T_token`; it is the second term of `T_first_token`. Host compute is a roofline,
``max(flops / peak_flops, bytes / bandwidth) + calls * launch``; each population that the host computes is one of its own,
after the others, and in a pipeline they add to host compute. Counts are sums over a run, so a core's load is its mean: for
tokens or steps that differ, the largest mean load is a lower bound of the mean of the largest load. Where the events
of every step are known, the latter is taken; else `Timing.most` is the most that it can be (`spread`). Links are those of
the mean step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from neurodeploy.accounting.band import ZERO, Band, exactly, largest, total
from neurodeploy.accounting.costs import host_priced, priced
from neurodeploy.accounting.loads import MeanStep, Roofline, RunLoads
from neurodeploy.accounting.step_time import StepTime, bytes_over, core_prices, step_time
from neurodeploy.errors import some
from neurodeploy.flow.loads import WRITES
from neurodeploy.ir.chip import ChipSpec, HostSpec, SystemSpec

#: The parts of a time, in the order of the report; those of the host where it is asked.
PARTS = (
    "cores", "links", "step floor", "multi-chip barrier", "learning phase", "host link latency", "host link bytes",
)  # fmt: skip
COMPUTE, ISLANDS, LAUNCHES = "host compute", "host islands", "host launches"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a unit with what they consist of (`parts`, nominal seconds, their sum is the whole) and what binds.

    `host_busy` is the host's work on its own operations, `host_islands` by layer that on populations of the program,
    `launches` what it waits for the start of both. `steps`
    are the time steps of a unit, in which idle neurons are updated too. `awake` are the chip-seconds in which a chip has
    work, its floors and barriers among them, and `awake_steps` the same in steps. `most` is the most that `seconds` can be,
    for steps whose busiest cores are not counted (`spread`).
    """

    seconds: Band
    parts: dict[str, float]
    bound_by: str
    host_busy: Band
    steps: float
    first_token: Band | None
    host_islands: dict[int | None, Band]
    awake: Band
    awake_steps: float
    launches: Band
    most: Band


def host_seconds(host: HostSpec, flops: float, bytes_moved: float, integer: bool = False) -> Band:
    """Roofline: ``max(flops / peak, bytes / bandwidth)`` in seconds; of 8-bit integers at a peak of their own, if any."""
    peak = host_priced(host, "peak_int8" if integer and host.peak_int8 else "peak_flops")
    return largest((exactly(flops).over(peak), exactly(bytes_moved).over(host_priced(host, "bandwidth"))))


def _host(host: HostSpec, works: Iterable[Roofline]) -> tuple[Band, dict[int | None, Band], Band]:
    """Seconds of the host's own operations, by layer of the populations that it computes, and of starting both."""
    own, islands, calls = ZERO, dict[int | None, Band](), 0.0
    for work in works:
        seconds = host_seconds(host, work.flops, work.bytes, work.integer)
        calls += work.calls
        if not work.population:
            own += seconds
        elif seconds.nominal:
            islands[work.layer] = islands.get(work.layer, ZERO) + seconds
    return own, islands, host_priced(host, "launch") * calls if calls and host.launch else ZERO


def _floors(chip: ChipSpec, loads: RunLoads) -> dict[str, Band]:
    """What every step adds to its work: the floor of the chip with most routers in use, what several chips add."""
    floor = priced(chip, "t_step_floor_s") * _share_of_floor(chip, loads)
    barrier = priced(chip, "t_barrier_multichip_s") if loads.chips_used > 1 else ZERO
    return {"step floor": floor, "multi-chip barrier": barrier}


def _overhead(chip: ChipSpec, floors: Mapping[str, Band], step: MeanStep) -> dict[str, Band]:
    """What this step adds: `_floors`, and the learning engine's phase."""
    learning = priced(chip, "t_learning_step_s") if step.loads[:, WRITES].any() else ZERO
    return {**floors, "learning phase": learning}


def _share_of_floor(chip: ChipSpec, loads: RunLoads) -> float:
    if not chip.pace.barrier or not loads.steps:
        return 1.0
    cores = np.concatenate([step.cores for step in loads.steps])
    routers = np.unique(cores // [1, chip.cores_per_router], axis=0)[:, 0]
    return chip.pace.share(int(np.unique(routers, return_counts=True)[1].max()))


def _border(loads: RunLoads, chip: ChipSpec) -> Band:
    messages = sum(part.counts.host_messages for part in loads.parts)
    return bytes_over(messages / loads.units, chip, "bw_host_link_b_per_s")


def in_turn(loads: RunLoads, system: SystemSpec, host: HostSpec) -> Timing:
    """Fall-through: the sum over steps in order, the border and the host's own work (module docstring)."""
    chip = system.chip
    parts, longest = dict.fromkeys(PARTS, ZERO), dict[str, tuple[float, str]]()
    awake, awake_steps, most = ZERO, 0.0, list[Band]()
    prices, every = core_prices(chip), _floors(chip, loads)
    for step in loads.steps:
        time, overhead = step_time(chip, prices, step, loads.fullest), _overhead(chip, every, step)
        floors = total(overhead.values())
        awake += (time.seconds + floors) * (step.chips * step.times)
        awake_steps += step.chips * step.times
        parts[time.part] += time.seconds * step.times
        most.append(time.most * step.times)
        text = "" if loads.assumed else time.text
        longest[time.part] = max(longest.get(time.part, (0.0, "")), (time.seconds.nominal * step.times, text))
        for part, seconds in overhead.items():
            parts[part] += seconds * step.times
    parts["host link latency"] = priced(chip, "t_host_link_s") * loads.exchanges
    parts["host link bytes"] = _border(loads, chip)
    busy, on_host, launches = _host(host, loads.host)
    parts |= {COMPUTE: busy} if loads.host else {}
    parts |= {ISLANDS: total(on_host.values())} if on_host else {}
    parts |= {LAUNCHES: launches} if launches.nominal else {}
    nominal = {part: time.nominal for part, time in parts.items()}
    binding = max(nominal, key=lambda part: nominal[part])
    unit = "sample" if loads.phases == ("sample",) else "token"
    crossings = f"{some(2 * loads.exchanges, 'crossing', ',.4g')} of the border a {unit}, two an exchange"
    longest["host link latency"] = (0.0, crossings)
    said = _say(binding, longest.get(binding, (0.0, ""))[1])
    steps = sum(step.times for step in loads.steps)
    others = [time for part, time in parts.items() if part not in ("cores", "links")]
    return Timing(
        total(parts.values()), nominal, said, busy, steps, None, on_host, awake, awake_steps, launches,
        total([*most, *others]),
    )  # fmt: skip


def pipelined(loads: RunLoads, system: SystemSpec, host: HostSpec, length: float) -> Timing:
    """The slowest stage sets the pace of prompts of `length` tokens; `parts` holds that stage and the latency."""
    chip, overhead = system.chip, dict[str, Band]()
    step, floors, chips = StepTime(ZERO, "cores", ""), ZERO, 0
    if loads.whole is not None:
        chips, overhead = loads.whole.chips, _overhead(chip, _floors(chip, loads), loads.whole)
        step = step_time(chip, core_prices(chip), loads.whole, loads.fullest)
        floors = total(overhead.values())
    busy, on_host, launches = _host(host, loads.host_of_prompt)
    stages = {
        step.part: step.seconds + floors,
        COMPUTE: busy + total(on_host.values()) + launches,
        "host link bytes": _border(loads, chip),
    }
    latency = priced(chip, "t_host_link_s") * (loads.opened / length)
    slowest = max(stages, key=lambda part: stages[part].nominal)
    pace = largest(stages.values())
    parts = dict.fromkeys((*PARTS, COMPUTE), 0.0) | {slowest: pace.nominal, "host link latency": latency.nominal}
    if slowest == COMPUTE and (on_host or launches.nominal):
        parts |= {COMPUTE: busy.nominal, ISLANDS: total(on_host.values()).nominal}
        parts |= {LAUNCHES: launches.nominal} if launches.nominal else {}
    if slowest == step.part and loads.whole is not None:
        parts |= {part: time.nominal for part, time in overhead.items()} | {slowest: step.seconds.nominal}
    binding = max(parts, key=lambda part: parts[part])
    seconds = pace + latency
    first = seconds * length + in_turn(loads, system, host).seconds
    said = _say(binding, step.text if binding == step.part and not loads.assumed else "")
    awake = (step.seconds + floors) * chips
    steps = 0.0 if loads.whole is None else 1.0
    most = largest((step.most + floors, pace)) + latency
    return Timing(seconds, parts, said, busy, steps, first, on_host, awake, float(chips), launches, most)


def _say(part: str, text: str) -> str:
    return f"{part} ({text})" if text else part
