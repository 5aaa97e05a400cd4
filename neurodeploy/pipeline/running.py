"""`run`: a text, or a stream of input, on a runner, with everything counted that happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import AnyPath, Bundle
from neurodeploy.bundle.files import check_place
from neurodeploy.errors import BundleError, Interrupted, UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import RunState
from neurodeploy.neurons.registry import get_model
from neurodeploy.pipeline.counts import counts_of
from neurodeploy.pipeline.keeping import Keeper, ordered
from neurodeploy.pipeline.session import BOARD, STREAM, TEXT, Progress, executed, suited
from neurodeploy.pipeline.stepping import advance
from neurodeploy.pipeline.streams import fed, probes_of
from neurodeploy.pipeline.texts import hybrid, windows
from neurodeploy.pipeline.verbs import verb

#: Neurons of an output whose last payloads are told.
LAST = 16


@verb
def run(
    bundle: AnyPath,
    text: str | Path | None = None,
    *,
    input: Any = None,
    max_tokens: int | None = None,
    steps: int | None = None,
    layout: str | None = None,
    runner: str = "fast",
    probes: Sequence[str] | None = None,
    out: str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: str | Path | None = None,
    measured: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a text, or the input of a spiking network, and count what happened; the dictionary is what ``run --json`` prints.

    runner : "fast", "reference", "partitioned" (executes the bundle's mapping), or for spiking networks "lava" and "loihi2",
        a board: its outputs, and what it measured, under "board" (`on_board.told`); `measured` takes that as a file for
        `calibrate`. ND4002 says what is missing to run on one.

    Of a language model: the `text` is prefilled, `max_tokens` of it (default: 512).

    Of a spiking network: `input` (a file, an array or tensor, or arrays by name) is run for `steps` of it (default: all).
    `layout`: "sample-first" or "time-first", the
    order of the axes of `input`; None is the first, with a question in "open_questions" where that makes samples of one
    step. `probes` are "POPULATION.VARIABLE"; `out` (.npz) takes outputs and probes, with neurons in the order of the source.
    `checkpoint` takes the state every half minute and at the end, also of an interrupted run (ND3266), each time after `out`
    has taken the outputs so far; Lava keeps its state to itself until it is done. `resume` is a state to go on from: the
    input is then read from that step on, and an `out` that holds the steps before is continued.

    Raises ND3262 and ND3264 for input and options of another kind of bundle.
    """
    opened, data, own = suited(bundle, text, input, {
        TEXT: {"max_tokens": max_tokens},
        STREAM: {
            "steps": steps, "layout": layout, "probes": probes or None, "out": out, "checkpoint": checkpoint,
            "resume": resume, "measured": measured,
        },
    })  # fmt: skip
    ran: Callable[..., dict[str, Any]] = _stream if opened.program.streamed else _text
    found = ran(opened, data, runner=runner, progress=progress, **own)
    return {**found, "model": opened.program.info.name, "runner": runner, **executed(opened, runner)}


def _text(
    opened: Bundle, text: str | Path, *, runner: str, progress: Progress | None, max_tokens: int = 512
) -> dict[str, Any]:
    from neurodeploy.ops.host.kvcache import State

    model = hybrid(opened, runner)
    for part in windows(opened, text, max_tokens, progress):
        model.forward(part, State(), last_only=True)
    counts = model.take_counts()
    return {"unit": "token", "steps": counts.tokens, "samples": 1, **counts_of(opened, counts)}


def _stream(
    opened: Bundle, input: str | Path, *, runner: str, progress: Progress | None, steps: int | None = None,
    layout: str | None = None, probes: Sequence[str] = (), out: str | Path | None = None,
    checkpoint: str | Path | None = None, resume: str | Path | None = None, measured: str | Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    network = opened.program.network
    watched = probes_of(probes, network)
    _check_board(runner, measured, checkpoint)
    _check_places(out, checkpoint, measured)
    save = Keeper(opened, Path(out) if out else None, Path(checkpoint) if checkpoint else None)
    state = save.resumed(Path(resume), watched) if resume else None
    stream, engine = fed(input, opened, runner, steps, layout)
    if state is not None:
        _check_resumed(state, stream, resume)
    first = state.step if state else 0
    began = time.perf_counter()
    try:
        result = advance(network, engine, stream, state, watched, progress, save)
    except KeyboardInterrupt:
        if save.saved is None:
            raise
        problem = f"was interrupted after step {save.saved} of {stream.steps}; its state is kept"
        same = f" and the same --out, which holds the outputs from step {save.first} on" if out else ""
        raise Interrupted("ND3266", "run", problem, f"go on with --resume {checkpoint}{same}") from None
    seconds = time.perf_counter() - began - save.pace.seconds
    if out and save.first <= first:
        stream.notes.append(f"{out} holds the steps from {save.first} on")
    done = stream.steps - first
    board = _from_board(result, opened, input, stream, measured) if runner == BOARD else {}
    return {
        "open_questions": stream.questions,
        "unit": "step",
        "first_step": first + 1,
        "steps": done,
        "samples": stream.samples,
        **counts_of(opened, result.activity),
        "outputs": {name: _output(opened, network.populations[name], array) for name, array in result.outputs.items()},
        "notes": stream.notes,
        "seconds": seconds,
        "steps_per_s": done * stream.samples / seconds if seconds else None,
        "out": str(out) if out else None,
        "checkpoint": str(checkpoint) if checkpoint else None,
        **board,
    }


def _from_board(
    result: Any, opened: Bundle, input: str | Path, stream: Stream, measured: str | Path | None
) -> dict[str, Any]:
    """Entries "board" and "measured" of a run on one, and its notes; the file for `calibrate` is written."""
    from neurodeploy.pipeline import on_board

    found = {"board": on_board.told(result, stream.steps), "measured": str(measured) if measured else None}
    stream.notes += on_board.notes(result)
    if measured:
        on_board.write(Path(measured), result, opened, input, stream)
    return found


def _check_board(runner: str, measured: object, checkpoint: object) -> None:
    """ND3261 for an option that has no effect on this runner."""
    if measured is not None and runner != BOARD:
        raise UserError(
            "ND3261", "--measured", f"has no effect on the runner {runner}", f"run on {BOARD}, or leave it out"
        )
    if checkpoint is not None and runner == BOARD:
        raise UserError("ND3261", "--checkpoint", "has no effect on a board, which keeps its state", "leave it out")


def _check_places(*asked: str | Path | None) -> None:
    """ND5004 before the work for a file that could not be written after it, or that two things would be written to."""
    places = [Path(place).absolute() for place in asked if place is not None]
    for place in places:
        check_place(place)
        if places.count(place) > 1:
            raise BundleError(
                "ND5004", place, "would hold two of outputs, state and measurements", "name two files, or three"
            )


def _check_resumed(state: RunState, stream: Stream, resume: object) -> None:
    """ND3259 where state and input do not go together. A network without any state has no samples in it."""
    kept = any(state.neurons.values()) or bool(state.pending)
    if kept and state.samples != stream.samples:
        problem = f"has {state.samples} samples, the input {stream.samples}"
        raise UserError("ND3259", resume, problem, "resume with the input that the state was made with")
    if state.step >= stream.steps:
        problem = f"is at step {state.step}, the input ends after {stream.steps}"
        raise UserError("ND3259", resume, problem, "give a longer input, or --steps above that")


def _output(opened: Bundle, population: Population, array: Ints) -> dict[str, Any]:
    """Of one output population, in the order of the source: messages by sample, its most active neuron (by the sum of
    payloads where they have sizes), its last payloads; `latency` in steps and `unit` of a payload of 1 where known."""
    conversion: Mapping[str, Any] = opened.program.conversion
    rows = [row for row in conversion.get("outputs", {}).values() if row["population"] == population.name]
    array = ordered(opened, population, array)
    graded = get_model(population.model).graded if population.model != INPUT else True
    activity = array.sum(axis=1, dtype=np.int64) if graded else np.count_nonzero(array, axis=1)
    return {
        "messages": [int(count) for count in np.count_nonzero(array, axis=(1, 2))],
        "most_active": [int(row.argmax()) for row in activity],
        "last": array[:, -1, :LAST].tolist(),
        "graded": graded,
        "latency": int(rows[0]["latency"]) if rows else None,
        "unit": float(rows[0]["unit"]) if rows else None,
    }
