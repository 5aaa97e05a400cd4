"""What a board measured of a run: in the words of the ledger, and as a file that `calibrate` reads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.accounting.measured import EVENTS, FIELDS, MEASUREMENTS, figures, spread
from neurodeploy.bundle import Bundle
from neurodeploy.bundle.files import readable, write_aside
from neurodeploy.frontends.streams import Stream
from simulators.lava.board import BoardResult

#: Beside each figure, in the JSON of a run.
MEASURED = "measured"
PARTS = ("spiking_time", "management_time", "learning_time", "host_time")


def told(result: BoardResult, steps: int) -> dict[str, Any]:
    """Entry "board" of a run: figures of a sample of so many steps.

    figures : seconds; watts, static ones too, and joules at "rails" and "chip"; joules are watts times seconds.
        The band spans the samples. seconds_split : of those seconds, by Lava's names.
    entries : events of a sample by component and event of the ledger, from `Loihi2Activity`.
    cores : that the board used, and of each the share of its memory and its counts of all samples.
    outputs : by how many steps they came late, and how many bins are not those of the simulation.
    placement : what of the mapping went to the compiler, and whether it was taken.
    """
    samples = result.samples
    every = [figures(_means(one["profiler"]), steps) for one in samples]
    bands = {key: spread([each[key] for each in every]) for key in every[0] if all(key in each for each in every)}
    for boundary in ("rails", "chip"):
        if ("watts", boundary, "") in bands and ("seconds", "", "") in bands:
            spent = [each["watts", boundary, ""] * each["seconds", "", ""] for each in every]
            bands["joules", boundary, ""] = spread(spent)
    return {
        "host": samples[0]["host"],
        "measured_by": samples[0]["measured_by"],
        "steps_run": result.steps_run,
        "figures": [
            {"quantity": quantity, "boundary": boundary or None, "part": part or "total", "basis": MEASURED,
             **band}
            for (quantity, boundary, part), band in bands.items()
        ],
        "seconds_split": {
            name: spread([steps * _means(one["profiler"])[name] for one in samples])
            for name in PARTS
            if all(name in one["profiler"] for one in samples)
        },
        "entries": [
            {"component": component, "event": event, "boundary": "rails", "field": name, "counting": MEASURED,
             **_counts(samples, name)}
            for name, (component, event) in EVENTS.items()
            if all(name in one["activity"] for one in samples)
        ],
        "cores": {part: {name: [one[part].get(name) for one in samples] for name in samples[0][part]}
                  for part in ("activity", "memory")},
        "outputs": {"lag": result.lag, "differing": result.differing, "bins": result.bins},
        "placement": _placement(result),
        "missing": sorted({name for one in samples for name in one["missing"]}),
    }  # fmt: skip


def notes(result: BoardResult) -> list[str]:
    """What must stand beside it."""
    found = [
        "populations and projections are counted by a simulation of the same input, the board counts by core",
        f"each sample ran {result.steps_run} steps, the last ones silent: figures are means of these",
    ]
    if result.differing:
        found.insert(
            0, f"{result.differing} of {result.bins} bins of the board's outputs are not those of the simulation"
        )
    return found


def write(place: Path, result: BoardResult, opened: Bundle, input: str | Path, stream: Stream) -> None:
    """One row with Lava's own names, means over samples, and beside it all that the profiler said."""
    means = [_means(one["profiler"]) for one in result.samples]
    row: dict[str, Any] = {
        name: str(Path(os.path.relpath(path, place.absolute().parent)))
        for name, path in (("bundle", opened.path), ("input", input))
    }
    row |= {"steps": stream.steps, "phase": "sample", "border": "calls", "powered": "system"}
    row |= {
        name: sum(each[name] for each in means) / len(means) for name in FIELDS if all(name in each for each in means)
    }
    file = {"schema": MEASUREMENTS, "measured_by": result.samples[0]["measured_by"], "rows": [row]}
    write_aside(place, readable({**file, "samples": result.samples}) + b"\n")


def _means(fields: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(np.mean(values)) for name, values in fields.items()}


def _counts(samples: Sequence[Mapping[str, Any]], name: str) -> dict[str, float]:
    return spread([float(np.sum(one["activity"][name])) for one in samples])


def _placement(result: BoardResult) -> dict[str, Any]:
    plan, refused = result.partitioning, result.samples[0]["refused"]
    if not plan:
        says = "no mapping was offered: the bundle is not mapped, or every population is split by columns"
    elif refused:
        says = f"the compiler takes no such partitioning, and placed alone ({refused})"
    else:
        says = (
            "the mapping was offered as compile_config['partitioning'], by names of processes; Lava documents no form of "
            "what stands below a name, so the cores show whether it was followed; nor can chips of a board be chosen"
        )
    return {
        "populations": len(plan),
        "cores": len({(at["chip"], at["core"]) for shards in plan.values() for at in shards}),
        "taken": bool(plan) and not refused,
        "says": says,
    }
