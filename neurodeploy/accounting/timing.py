"""Time per token, from the busiest core and the busiest link, never from averages.

One time step takes (max-affine bound; Timcheck et al., arXiv 2601.10035, Yik et al., arXiv 2511.21549)::

    T = max( max over cores (synops t_synop + updates t_neuron + messages t_spike_out),
             max over cores (resident neurons t_neuron_idle),
             max over links (bytes / bandwidth) )  +  t_step_floor  +  t_barrier_multichip if several chips are used

*generate* is fall-through: one token at a time, nothing overlaps::

    T_token = sum over island calls (steps T + t_host_link + border bytes / bw_host_link) + host compute + host islands

An island takes one step, or two where a reducer adds partial sums. Its call is one exchange with the host: it crosses the
border twice, events in and outputs back, and waits for the link once, since the published latency is that of a whole
exchange. Without a border (`border="none"`: the islands feed one another on the chip) the border's terms are zero. An
expert counts with the share of tokens that chose it.

*prefill* is pipelined: all islands work at once, each on another token, so the slowest stage sets the pace and the
border's latency is paid once per prompt::

    T_token = max( T of a step in which every core does its mean work per token,  border bytes / bw_host_link,
                   host compute )  +  prompts * t_host_link * islands / tokens
    T_first_token = tokens / prompts * T_token + T_token(generate)

The time to fill the pipeline is not in `T_token` of prefill; it is the second term of `T_first_token`. Host compute is
a roofline, ``max(flops / peak_flops, bytes / bandwidth)``; each island that the host computes is one of its own, after
the others, and in prefill they add to host compute. Counts are sums over tokens, so a core's load is its mean:
for tokens that differ, the largest mean load is a lower bound of the mean of the largest load.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.accounting.band import ZERO, Band, exactly, largest, of, total
from neurodeploy.accounting.costs import cost, neuron_time
from neurodeploy.accounting.work import IslandWork, Stage
from neurodeploy.ir.chip import ChipSpec, HostSpec, SystemSpec
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import ActivityCounts

#: The parts of a token's time, in the order of the report.
PARTS = ("cores", "links", "step floor", "multi-chip barrier", "host link latency", "host link bytes", "host compute")
#: One more, where the host computes islands.
ISLANDS = "host islands"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds per token with what they consist of (`parts`, nominal seconds, their sum is the whole) and what binds.

    `host_busy` is the host's work on its own operations, `host_islands` by layer that on islands of the program.
    """

    seconds: Band
    parts: dict[str, float]
    bound_by: str
    host_busy: Band
    steps_per_token: float
    first_token: Band | None
    host_islands: dict[int | None, Band]


@dataclass(frozen=True, slots=True)
class StepTime:
    """The work of one step: `seconds` without floor and barrier, `part` ("cores" or "links") and the words for it."""

    seconds: Band
    part: str
    text: str


def core_seconds(
    chip: ChipSpec, loads: NDArray[np.float64], synop: str = "t_synop_fc_s", microcoded: bool = True
) -> NDArray[np.float64]:
    """Seconds of each core (n, 3): low, nominal, high. `loads` (n, 3): synops, updates and messages of a step."""
    update = neuron_time(chip) if microcoded else cost(chip, "t_neuron_s")
    keys = (cost(chip, synop), update, cost(chip, "t_spike_out_s"))
    unit: NDArray[np.float64] = np.array([[q.low, q.nominal, q.high] for q in keys], dtype=np.float64)
    return np.asarray(loads @ unit, dtype=np.float64)


def _step(
    chip: ChipSpec,
    name: str,
    places: NDArray[np.int64],
    loads: NDArray[np.float64],
    idle: int,
    links: Iterable[StepTime],
) -> StepTime:
    times = core_seconds(chip, loads)
    busiest = int(times[:, 1].argmax())
    at = f"core {int(places[busiest, 1])} of chip {int(places[busiest, 0])}"
    synops, updates, sent = (float(x) for x in loads[busiest])
    text = f"{name}: {at} with {synops:,.0f} synops, {updates:,.0f} neuron updates, {sent:,.0f} messages a step"
    candidates = [
        StepTime(Band(*(float(x) for x in times.max(axis=0))), "cores", text),
        StepTime(of(cost(chip, "t_neuron_idle_s")) * idle, "cores", f"the {idle} resident neurons of the fullest core"),
        *links,
    ]
    binding = max(candidates, key=lambda step: step.seconds.nominal)
    return StepTime(largest(step.seconds for step in candidates), binding.part, binding.text)


def _links(chip: ChipSpec, name: str, works: Sequence[IslandWork], per: float) -> list[StepTime]:
    """The busiest chip port and the busiest chip-to-chip link, each over `per` tokens."""
    ports: Counter[int] = Counter()
    links: Counter[tuple[int, int]] = Counter()
    for work in works:
        ports.update(work.traffic.ports)
        links.update(work.traffic.links)
    size = chip.formats["message_bytes"]
    found = []
    if ports:
        place, messages = ports.most_common(1)[0]
        time = exactly(messages * size / per).over(of(cost(chip, "bw_link_b_per_s")))
        found.append(
            StepTime(time, "links", f"{name}: {messages / per:,.0f} messages a token at the port of chip {place}")
        )
    if links:
        link, messages = links.most_common(1)[0]
        time = exactly(messages * size / per).over(of(cost(chip, "bw_interchip_b_per_s")))
        text = f"{name}: {messages / per:,.0f} messages a token from chip {link[0]} to chip {link[1]}"
        found.append(StepTime(time, "links", text))
    return found


def _resident(works: Sequence[IslandWork]) -> int:
    """Neurons of the fullest core: all of them are updated in every step, idle or not."""
    held: Counter[tuple[int, int]] = Counter()
    for work in works:
        for place, rows in work.resident.items():
            held[place] += rows
    return max(held.values(), default=0)


def _overhead(chip: ChipSpec, chips_used: int) -> dict[str, Band]:
    """What every step adds whatever its work."""
    barrier = of(cost(chip, "t_barrier_multichip_s")) if chips_used > 1 else ZERO
    return {"step floor": of(cost(chip, "t_step_floor_s")), "multi-chip barrier": barrier}


def host_seconds(host: HostSpec, flops: float, bytes_moved: float) -> Band:
    """Roofline: ``max(flops / peak_flops, bytes / bandwidth)`` in seconds."""
    return largest((exactly(flops).over(of(host.peak_flops)), exactly(bytes_moved).over(of(host.bandwidth))))


def island_seconds(host: HostSpec, counts: ActivityCounts, islands: Mapping[str, Island]) -> dict[int | None, Band]:
    """Seconds a token of the islands that the host computed, by layer: a roofline for each."""
    found: dict[int | None, Band] = {}
    for name, work in counts.host_islands.items():
        if work.activity.tokens:
            time = host_seconds(host, work.flops / counts.tokens, work.bytes / counts.tokens)
            layer = islands[name].layer
            found[layer] = found.get(layer, ZERO) + time
    return found


def generate(
    works: Sequence[IslandWork],
    counts: ActivityCounts,
    system: SystemSpec,
    host: HostSpec,
    border: str,
    chips_used: int,
    islands: Mapping[str, Island],
) -> Timing:
    """Fall-through: the sum over islands in order, the border and the host's own work (module docstring)."""
    chip, parts, steps, idle = system.chip, dict.fromkeys(PARTS, ZERO), 0.0, _resident(works)
    largest_step: dict[str, tuple[float, str]] = {}
    for work in (w for w in works if w.tokens):
        share = work.tokens / counts.tokens
        # The whole traffic of an island loads one step: its two steps are not told apart on the links.
        links = _links(chip, work.name, [work], work.tokens)
        for number, stage in enumerate(work.stages):
            step = _step(chip, work.name, stage.cores, stage.loads / work.tokens, idle, links if number == 0 else ())
            parts[step.part] += step.seconds * share
            largest_step[step.part] = max(
                largest_step.get(step.part, (0.0, "")), (step.seconds.nominal * share, step.text)
            )
            for part, time in _overhead(chip, chips_used).items():
                parts[part] += time * share
            steps += share
    exchanges = sum(work.tokens for work in works) / counts.tokens
    if border == "calls":
        parts["host link latency"] = of(cost(chip, "t_host_link_s")) * exchanges
        parts["host link bytes"] = _border_bytes(works, counts, chip)
    parts["host compute"] = host_seconds(host, counts.host_flops / counts.tokens, counts.host_bytes / counts.tokens)
    on_host = island_seconds(host, counts, islands)
    if on_host:
        parts[ISLANDS] = total(on_host.values())
    nominal = {part: time.nominal for part, time in parts.items()}
    binding = max(nominal, key=lambda part: nominal[part])
    text = waiting(exchanges) if binding == "host link latency" else largest_step.get(binding, (0.0, ""))[1]
    return Timing(total(parts.values()), nominal, _say(binding, text), parts["host compute"], steps, None, on_host)


def prefill(
    works: Sequence[IslandWork],
    counts: ActivityCounts,
    system: SystemSpec,
    host: HostSpec,
    border: str,
    chips_used: int,
    islands: Mapping[str, Island],
    prompts: int,
) -> Timing:
    """Pipelined: the slowest stage sets the pace (module docstring); `parts` holds that stage and the latency."""
    chip, tokens = system.chip, counts.tokens
    running = [work for work in works if work.tokens]
    overhead = _overhead(chip, chips_used)
    places, loads = _merged(stage for work in running for stage in work.stages)
    step = StepTime(ZERO, "cores", "no island ran")
    if len(places):
        step = _step(
            chip, "pipeline", places, loads / tokens, _resident(works), _links(chip, "pipeline", running, tokens)
        )
    pipeline = step.seconds + total(overhead.values()) if running else ZERO
    busy = host_seconds(host, counts.host_flops / tokens, counts.host_bytes / tokens)
    on_host = island_seconds(host, counts, islands)
    stages = {step.part: pipeline, "host compute": busy + total(on_host.values())}
    latency = ZERO
    if border == "calls":
        stages["host link bytes"] = _border_bytes(works, counts, chip)
        latency = of(cost(chip, "t_host_link_s")) * (len(running) * prompts / tokens)
    slowest = max(stages, key=lambda part: stages[part].nominal)
    pace = largest(stages.values())
    parts = dict.fromkeys(PARTS, 0.0) | {slowest: pace.nominal, "host link latency": latency.nominal}
    if slowest == "host compute" and on_host:
        parts |= {"host compute": busy.nominal, ISLANDS: total(on_host.values()).nominal}
    if slowest == step.part and running:
        parts |= {part: time.nominal for part, time in overhead.items()} | {slowest: step.seconds.nominal}
    binding = max(parts, key=lambda part: parts[part])
    seconds = pace + latency
    fall = generate(works, counts, system, host, border, chips_used, islands)
    first = seconds * (tokens / prompts) + fall.seconds
    said = _say(binding, step.text if binding == step.part else "")
    return Timing(seconds, parts, said, busy, 1.0 if running else 0.0, first, on_host)


def _merged(stages: Iterable[Stage]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Loads by core over all islands: in a pipeline a core serves each of its islands in every step."""
    found = list(stages)
    if not found:
        return np.zeros((0, 2), np.int64), np.zeros((0, 3))
    places, index = np.unique(np.concatenate([stage.cores for stage in found]), axis=0, return_inverse=True)
    loads = np.zeros((len(places), 3))
    np.add.at(loads, index.reshape(-1), np.concatenate([stage.loads for stage in found]))
    return places, loads


def _border_bytes(works: Sequence[IslandWork], counts: ActivityCounts, chip: ChipSpec) -> Band:
    messages = sum(work.traffic.entering + work.traffic.leaving for work in works)
    size = messages * chip.formats["message_bytes"] / counts.tokens
    return exactly(size).over(of(cost(chip, "bw_host_link_b_per_s")))


def waiting(exchanges: float) -> str:
    """What the latency of the host link consists of."""
    return f"{2 * exchanges:,.4g} crossings of the border a token, two an exchange"


def _say(part: str, text: str) -> str:
    return f"{part} ({text})" if text else part
