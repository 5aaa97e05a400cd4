"""`step_time`: what takes longest in a time step, the busiest core or the busiest link; `timing` says how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.accounting.band import ZERO, Band, exactly, largest, total
from neurodeploy.accounting.costs import priced
from neurodeploy.accounting.loads import MeanStep
from neurodeploy.accounting.spread import Floats
from neurodeploy.flow.loads import COLUMNS, CONV_SYNOPS, FIXED_UPDATES, PARTIALS, SENT, SYNOPS, UPDATES, WORK
from neurodeploy.ir.chip import ChipSpec

#: Kinds of cores whose times are drawn at once.
AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class StepTime:
    """The work of one step: `seconds` without floor and barrier, `part` ("cores" or "links") and the words for it.
    `longer`: the most that it can be at these counts, where that is more."""

    seconds: Band
    part: str
    text: str
    longer: Band = ZERO

    @property
    def most(self) -> Band:
        return largest((self.seconds, self.longer))


def core_prices(chip: ChipSpec) -> Floats:
    """(stages, 17, 1 + DRAWS), or (stages, 17, 1): seconds of one of each kind of work in the stages of a core."""
    times = [_times(chip, stage) for stage in chip.pace.stages]
    found = np.zeros((len(times), len(WORK), max(own.shape[1] for own in times)))
    for number, (stage, own) in enumerate(zip(chip.pace.stages, times, strict=True)):
        found[number, _columns(stage)] = own
    return found


def core_seconds(prices: Floats, loads: Floats) -> Floats:
    """Seconds of each core (n,) at nominal `core_prices`, of the longest of its stages. `loads` (n, 9 or more): what
    `flow.loads` numbers."""
    return np.asarray(np.max([work @ times[:, 0] for work, times in _stages(prices, loads)], axis=0), dtype=np.float64)


def busiest_core(prices: Floats, loads: Floats) -> Band:
    """Seconds of the core and the stage that take longest, at each draw of `core_prices` others perhaps."""
    return largest(_longest(work, times) for work, times in _stages(prices, loads))


def _stages(prices: Floats, loads: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Of each stage what cores do in it (n, kinds), and its prices (kinds, k)."""
    for stage in prices:
        kinds = np.flatnonzero(stage.any(axis=1))
        yield loads[:, kinds], stage[kinds]


def _longest(work: Floats, times: Floats) -> Band:
    """A core that does no more of anything than the one that is busiest at nominal prices is never the longest."""
    if not len(work):
        return ZERO
    top = work[int((work @ times[:, 0]).argmax())]
    kinds, found = np.concatenate([top[None], work[(work > top).any(axis=1)]]), np.zeros(times.shape[1])
    for begin in range(0, len(kinds), AT_ONCE):
        np.maximum(found, (kinds[begin : begin + AT_ONCE] @ times).max(axis=0), out=found)
    return Band(found)


def _columns(prices: Mapping[str, str]) -> list[int]:
    return [WORK.index(kind) for kind in prices]


def _times(chip: ChipSpec, prices: Mapping[str, str]) -> Floats:
    """(kinds, 1 + DRAWS), or (kinds, 1): seconds of one of each kind of work."""
    return np.stack(np.broadcast_arrays(*(priced(chip, key).values for key in prices.values())))


def busiest_cores(step: MeanStep, chip: ChipSpec) -> tuple[dict[str, object], ...]:
    """The ten cores that take longest, with what they do in the step."""
    seconds = core_seconds(core_prices(chip), step.loads)
    return tuple(
        {
            "chip": int(step.cores[i, 0]),
            "core": int(step.cores[i, 1]),
            "neurons": int(step.loads[i, FIXED_UPDATES] + step.loads[i, UPDATES]),
            "seconds": float(seconds[i]),
            **dict(zip(WORK[:COLUMNS], step.loads[i].tolist(), strict=False)),
        }
        for i in np.argsort(-seconds, kind="stable")[:10]
    )


def step_time(chip: ChipSpec, prices: Floats, step: MeanStep, fullest: int) -> StepTime:
    """What takes longest in a step: its busiest core, the idle neurons of the fullest one, a chip's port, or a link.
    prices : `core_prices` of the chip."""
    times = core_seconds(prices, step.loads)
    at = int(times.argmax())
    load, ways = step.loads[at], step.ways
    convolved = f"{load[CONV_SYNOPS]:,.0f} of convolutions, " if load[CONV_SYNOPS] else ""
    core = (
        f"{step.name}: core {step.cores[at, 1]} of chip {step.cores[at, 0]} with "
        f"{load[SYNOPS] + load[PARTIALS]:,.0f} synops, {convolved}"
        f"{load[FIXED_UPDATES] + load[UPDATES]:,.0f} neuron updates, {load[SENT]:,.0f} messages a step"
    )
    cores = largest((busiest_core(prices, step.loads), Band(step.spread.longest(prices))))
    longest = cores.nominal / times[at] if times[at] else 1.0
    core += f"; the busiest of each step takes {longest:.2f} times as long" if longest >= 1.005 else ""
    port = f"{step.name}: {ways.port_messages:,.0f} messages a step at the port of chip {ways.port}"
    link = f"{step.name}: {ways.link_messages:,.0f} messages a step from chip {ways.link[0]} to chip {ways.link[1]}"
    candidates = [
        StepTime(cores, "cores", core, cores * step.spread.factor(step.loads, prices[:, :, 0])),
        StepTime(
            priced(chip, "t_neuron_idle_s") * fullest,
            "cores",
            f"the {fullest} resident neurons of the fullest core",
        ),
        StepTime(bytes_over(ways.port_messages, chip, "bw_link_b_per_s"), "links", port),
        StepTime(bytes_over(ways.link_messages, chip, "bw_interchip_b_per_s"), "links", link),
    ]
    candidates += _ways_out(chip, step) if chip.pace.way_out else []
    binding = max(candidates, key=lambda entry: entry.seconds.nominal)
    seconds, most = (largest(table) for table in zip(*((each.seconds, each.most) for each in candidates), strict=True))
    return replace(binding, seconds=seconds, longer=most)


def _ways_out(chip: ChipSpec, step: MeanStep) -> list[StepTime]:
    """What the messages of one sender wait for one another: of the core where they wait longest, and of the host."""
    kinds = list(chip.pace.way_out)
    table = step.loads[:, [WORK.index(kind) for kind in kinds]]
    at = int((table @ _times(chip, chip.pace.way_out)[:, 0]).argmax())
    sent, *waits = step.ways.fed
    fed = dict(zip(WORK[-3:], waits, strict=True))
    core = f"{step.name}: messages on their way out of core {step.cores[at, 1]} of chip {step.cores[at, 0]}"
    return [
        StepTime(total(priced(chip, chip.pace.way_out[kind]) * each for kind, each in pairs), "links", text)
        for pairs, text in (
            (zip(kinds, table[at].tolist(), strict=True), core),
            (((kind, fed[kind]) for kind in kinds), f"{step.name}: messages on their way from the host"),
        )
    ] + [StepTime(priced(chip, "t_message_out_s") * sent, "links", f"{step.name}: {sent:,.0f} messages of the host")]


def bytes_over(messages: float, chip: ChipSpec, bandwidth: str) -> Band:
    return exactly(messages * chip.formats["message_bytes"]).over(priced(chip, bandwidth))
