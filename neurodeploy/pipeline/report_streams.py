"""What `report` runs of a network that streams feed: counts, float against integers, labels, pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle import Bundle
from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.ir.run import Runner, RunResult
from neurodeploy.ir.tensors import FORMAT
from neurodeploy.pipeline import pricing
from neurodeploy.pipeline.comparing import compare, decisions, float_network, has_float, outputs_of, run_float
from neurodeploy.pipeline.labels import confusion, read_labels
from neurodeploy.pipeline.pictures import Pictures, beginning
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.stepping import advance
from neurodeploy.pipeline.streams import fed, lengthened
from neurodeploy.pipeline.tensor_check import finished

Choices = Mapping[str, Mapping[str, NDArray[np.int64] | None]]


def seen_of_stream(
    opened: Bundle, input: str | Path, runner: str, progress: Progress | None, steps: int | None = None,
    layout: str | None = None, probes: tuple[str, ...] = (), labels: str | Path | None = None,
) -> tuple[pricing.Counts, dict[str, Any]]:  # fmt: skip
    """Counts of all samples; float against integers, which run on for their latency; with labels what is right; and what
    some neurons of the first sample did. Counts and energy are those of the input's steps alone."""
    network = opened.program.network
    pictures = Pictures(opened, probes)
    stream, engine = fed(input, opened, runner, steps, layout)
    real = float_network(opened) if has_float(opened) else None
    outputs, sizes = outputs_of(opened, real), _sizes(opened)
    classes = None if labels is None else read_labels(labels, stream, _largest(opened, sizes))
    result = advance(network, engine, stream, progress=progress)
    seen = advance(network, engine, beginning(stream), None, pictures.probes)
    longer = result
    if real is not None or classes is not None:
        longer = _ran_on(opened, engine, stream, result, max((row.latency for row in outputs.values()), default=0))
    theirs = None if real is None else run_float(opened, real, stream)
    found: dict[str, Any] = {
        "comparison": None if theirs is None else compare(outputs, theirs, longer, "float"), "labelled": None
    }  # fmt: skip
    if classes is not None:
        if opened.program.conversion.get("format") == FORMAT:
            chosen = _of_tensors(opened, result)
        else:
            chosen = {name: decisions(row, longer, stream.steps) for name, row in outputs.items()}
        rows = [
            {
                "output": name,
                "neurons": sizes[name],
                **confusion(classes, {"chip": chip, "float": _chosen(theirs, name)}),
            }
            for name, chip in chosen.items()
            if sizes[name] > 1
        ]
        found["labelled"] = {"file": Path(str(labels)).name, "samples": stream.samples, "outputs": rows}
    return pricing.counts_of_stream(input, stream, result.activity), {**found, **pictures.drawn(seen)}


def _sizes(opened: Bundle) -> dict[str, int]:
    """Numbers of each output, by the names of the source."""
    conversion: Mapping[str, Any] = opened.program.conversion
    populations = opened.program.network.populations
    if conversion.get("format") == FORMAT:
        rows = {**conversion["outputs"], **{row["makes"]: row for row in conversion["tail"]}}
        return {name: math.prod(rows[name]["shape"]) for name in conversion["results"]}
    named = {name: row["population"] for name, row in conversion.get("outputs", {}).items()}
    every = {*named.values()}
    named |= {name: name for name in opened.program.network.outputs if name not in every}
    return {name: populations[population].size for name, population in named.items()}


def _largest(opened: Bundle, sizes: Mapping[str, int]) -> int:
    most = max(sizes.values(), default=0)
    if most < 2:
        fix = "labels are for networks whose output has a neuron a class"
        raise UserError("ND3269", opened.path, "has no output of two neurons or more", fix)
    return most


def _chosen(theirs: Mapping[str, NDArray[Any]] | None, name: str) -> NDArray[np.int64] | None:
    return None if theirs is None else np.asarray(theirs[name].sum(axis=1).argmax(axis=1), np.int64)


def _of_tensors(opened: Bundle, result: RunResult) -> dict[str, NDArray[np.int64]]:
    """The largest number of each output, with the operations of the host that come last; of several steps their sum."""
    steps = next(iter(result.outputs.values())).shape[1]
    parts = [
        finished(opened.program.conversion, {name: array[:, at : at + 1] for name, array in result.outputs.items()})
        for at in range(steps)
    ]
    return {name: np.asarray(sum(part[name] for part in parts)).argmax(axis=1) for name in parts[0]}


def _ran_on(opened: Bundle, engine: Runner, stream: Stream, result: RunResult, more: int) -> RunResult:
    """The outputs of so many silent steps more, behind those of the input."""
    late = lengthened(stream, more)
    if late.steps == stream.steps:
        return result
    tail = advance(opened.program.network, engine, late, result.state)
    outputs = {name: np.concatenate([a, tail.outputs[name]], axis=1) for name, a in result.outputs.items()}
    return replace(result, outputs=outputs)
