"""What does not fit the given chips goes to the host: which islands, and what that costs beside other ways.

`map_offloaded` makes a mapping whose islands are partly on the host. Two things put an island there: the user's pin, and,
where `automatic`, the budget of chips. Units move as a whole: an expert, an attention layer, any other island alone
(`classify.group_of`). Prices are those of `offload.price`, the choice is the exact one of `offload.choice`, on sizes from
`offload.search`, which maps what stays.

Border crossings: the host encodes the input of every island and decodes its output, so an island on the chips crosses the
border twice for each token that it sees, and one on the host not at all: it merges with the host operations around it.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from neurodeploy.errors import DoesNotFit, some
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Reason
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.bound.cores import lower_bound
from partitioner.classify import PINNED, assign
from partitioner.cost.population import views_of
from partitioner.offload.figures import figures
from partitioner.offload.price import standing_watts, ways_of
from partitioner.offload.search import Resident, Task, map_rest, resident_of, settled
from partitioner.options import Options

#: Larger programs get no offer beside the error that they do not fit: it takes a mapping of the whole.
OFFER_CORES = 100_000


def map_offloaded(
    program: Program,
    system: SystemSpec,
    options: Options,
    host: HostSpec,
    *,
    automatic: bool = True,
    alternatives: Sequence[SystemSpec] = (),
    work: Path | None = None,
    rates: RunActivity | None = None,
) -> tuple[Mapping, dict[str, Any] | None]:
    """A mapping of what stays on the chips, and the figures of the offload (None where all islands stay).

    Parameters
    ----------
    host : profile of the host, for prices.
    automatic : islands that do not fit ``options.chips`` go to the host; False: only those that are pinned there.
    alternatives, work, rates : as of `map_model`.

    Raises
    ------
    DoesNotFit ND2001 : what must stay on the chips needs more of them. ND2002, ND2004 : as `map_model`.
    DoesNotFit ND2068 : islands that are pinned to the chips need more cores than these have.
    UserError ND2003 : an option out of range. ND2060 : the chip's table lacks a cost. ND2063 : a pin names nothing.
    """
    task = Task(program, system, options, host, options.check(system), alternatives, work, rates)
    pins = task.pins
    gone = {name: PINNED for name, pin in pins.items() if pin.device == "host"}
    try:
        mapping = map_rest(task, gone, options)
        return _finished(task, mapping, gone, resident_of(task) if gone else None)
    except DoesNotFit as error:
        if not automatic or error.code not in ("ND2001", "ND2002"):
            raise
    return _chosen(task, gone)


def _chosen(task: Task, gone: dict[str, Reason]) -> tuple[Mapping, dict[str, Any] | None]:
    """A program that does not fit: the cheapest set leaves."""
    resident = resident_of(task)
    staying = {name for name, pin in task.pins.items() if pin.device == "chip" or pin.chip is not None}
    mapping, gone = settled(task, gone, resident, staying)
    return _finished(task, mapping, gone, resident)


def offer(program: Program, system: SystemSpec, options: Options, host: HostSpec) -> str:
    """What `--chips` would do for a program that does not fit: a clause for the error that says so, of a first plan."""
    chips = options.check(system)
    if lower_bound(views_of(program, system.chip, options.weight_bits).values(), system.chip)[0] > OFFER_CORES:
        return f"--chips {chips} puts on the host what does not fit"
    quick = replace(options, chips=chips, place=False, search=False)
    task = Task(program, system, quick, host, chips, ())
    _, found = _chosen(task, {name: PINNED for name, pin in task.pins.items() if pin.device == "host"})
    if found is None:
        return f"--chips {chips} fits"
    crossings = some(found["crossings_per_token"]["plan"], "crossing", "g")
    return (
        f"--chips {chips} puts {len(found['on_host'])} of {some(found['islands'], 'island')} on the host: "
        f"{crossings}, {found['border_bytes_per_token']['plan']} bytes a token"
    )


def _finished(
    task: Task, mapping: Mapping, gone: Table[str, Reason], resident: Resident | None
) -> tuple[Mapping, dict[str, Any] | None]:
    """The mapping with a device for every step of the whole program, and its figures."""
    if resident is None:
        return mapping, None
    done = replace(mapping, assignments=assign(task.program, task.system.chip, gone))
    found = figures(task, done, gone, resident)
    every, what = found["islands"], "islands"
    if task.program.streamed:
        every, what = len(task.program.network.populations), "populations"
    note = f"{len(gone)} of {every} {what} run on the host: they have no cores"
    return replace(done, notes=(note, *done.notes)), found


def joules_of(program: Program, system: SystemSpec, mapping: Mapping, host: HostSpec) -> dict[str, float]:
    """Joules a generated token of every island where the mapping puts it (see `offload.price`)."""
    watts = standing_watts(system, mapping.chips_used, host)
    return {name: way.whole(watts) for name, way in ways_of(program, system, mapping, host).items()}
