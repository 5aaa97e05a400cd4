"""`run` of a spiking network: a stream of input, step by step in stretches, with probes, counts and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.files import check_place
from neurodeploy.errors import BundleError, Interrupted, UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import INPUT, Network, Population
from neurodeploy.ir.network_run import NetworkActivity, NetworkResult, NetworkState, Probe, Runner
from neurodeploy.neurons.registry import get_model
from neurodeploy.pipeline.kept import interrupted, kept_folder
from neurodeploy.pipeline.session import Progress, executed, kept_as
from neurodeploy.pipeline.spiking.keeping import Keeper, ordered
from neurodeploy.pipeline.spiking.opening import (
    open_network,
    probes_of,
    runner_for,
    stream_of,
)
from neurodeploy.storage.stage_files import digest
from neurodeploy.synapses import Direct
from neurodeploy.version import __version__

T = TypeVar("T")

#: Values of input, output and probes in one stretch, at most.
STRETCH = 1 << 22
#: Seconds that a stretch should take: between two of them progress is shown, and an interrupt is seen.
STRETCH_S = 0.5
#: Steps of the first stretch, and by how much a stretch may be longer than the one before.
FIRST_STRETCH, GROWTH = 4, 8
#: Neurons of an output whose last payloads are told.
LAST = 16


def run_network(
    bundle: str | Path,
    input: str | Path,
    *,
    steps: int | None = None,
    layout: str | None = None,
    runner: str = "fast",
    probes: Sequence[str] = (),
    out: str | Path | None = None,
    checkpoint: str | Path | None = None,
    resume: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a stream of input through the network and count what happened; the dictionary is what ``run --json`` prints.

    `layout`: "sample-first" or "time-first", the order of the axes of `input`; None is the first, with a question in
    "open_questions" where that makes samples of one step.

    `probes` are "POPULATION.VARIABLE"; `out` (.npz) takes outputs and probes, with neurons in the order of the source.
    `checkpoint` takes the state every half minute and at the end, also of an interrupted run (ND3266), each time after `out`
    has taken the outputs so far; Lava keeps its state to itself until it is done. `resume` is a state to go on from: the
    input is then read from that step on, and an `out` that holds the steps before is continued.
    """
    opened, network = open_network(bundle)
    watched = probes_of(probes, network)
    _check_places(out, checkpoint)
    save = Keeper(opened, network, Path(out) if out else None, Path(checkpoint) if checkpoint else None)
    state = save.resumed(Path(resume), watched) if resume else None
    stream = stream_of(input, opened, network, steps, layout)
    engine = runner_for(runner, opened, network, stream.steps, stream.samples)
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
    seconds = time.perf_counter() - began - save.seconds
    if out and save.first <= first:
        stream.notes.append(f"{out} holds the steps from {save.first} on")
    done = stream.steps - first
    return {
        "open_questions": stream.questions,
        "network": network.name,
        "runner": runner,
        **executed(opened, runner),
        "first_step": first + 1,
        "steps": done,
        "samples": stream.samples,
        "dt_s": None if network.dt is None else network.dt.value,
        "populations": population_counts(network, result.activity),
        "projections": projection_counts(network, result.activity),
        "outputs": {name: _output(opened, network.populations[name], array) for name, array in result.outputs.items()},
        "saturations": sum(result.activity.saturated.values()),
        "wraps": sum(result.activity.wrapped.values()),
        "notes": stream.notes,
        "seconds": seconds,
        "steps_per_s": done * stream.samples / seconds if seconds else None,
        "out": str(out) if out else None,
        "checkpoint": str(checkpoint) if checkpoint else None,
    }


def _check_places(out: str | Path | None, checkpoint: str | Path | None) -> None:
    """ND5004 before the work for a file that could not be written after it."""
    places = [Path(place) for place in (out, checkpoint) if place is not None]
    for place in places:
        check_place(place)
    if len(places) == 2 and places[0].absolute() == places[1].absolute():
        raise BundleError("ND5004", places[0], "would hold both the outputs and the state", "name two files")


def _check_resumed(state: NetworkState, stream: Stream, resume: object) -> None:
    """ND3259 where state and input do not go together. A network without any state has no samples in it."""
    kept = any(state.neurons.values()) or bool(state.pending)
    if kept and state.samples != stream.samples:
        problem = f"has {state.samples} samples, the input {stream.samples}"
        raise UserError("ND3259", resume, problem, "resume with the input that the state was made with")
    if state.step >= stream.steps:
        problem = f"is at step {state.step}, the input ends after {stream.steps}"
        raise UserError("ND3259", resume, problem, "give a longer input, or --steps above that")


def advance(
    network: Network,
    runner: Runner,
    stream: Stream,
    state: NetworkState | None = None,
    probes: Sequence[Probe] = (),
    progress: Progress | None = None,
    save: Keeper | None = None,
) -> NetworkResult:
    """Run the stream in stretches, so that progress is seen and an interrupt loses little; one result for all.

    The bits do not depend on where stretches end: a state is all that a network carries from step to step.
    """
    width = sum(network.populations[name].size for name in (*network.inputs, *network.outputs))
    width += sum(len(p.neurons or ()) or network.populations[p.population].size for p in probes)
    most = max(1, STRETCH // max(1, width * stream.samples))
    take = min(FIRST_STRETCH, most)
    if runner.name == "lava":  # its processes are started anew by every call
        take = most = stream.steps
    first = at = state.step if state else 0
    parts: list[NetworkResult] = []
    try:
        while at < stream.steps:
            if progress:
                progress("run", at - first, stream.steps - first)
            take = min(take, stream.steps - at)
            inputs: dict[str, Ints] = {name: array[:, at : at + take] for name, array in stream.inputs.items()}
            began = time.monotonic()
            part = runner.run(network, inputs, take, state=state, probes=probes)
            parts.append(part)
            state, at = part.state, at + take
            if save:
                save(state, parts, at == stream.steps)
            pace = (time.monotonic() - began) / take
            take = max(1, min(most, GROWTH * take, int(STRETCH_S / max(pace, 1e-9))))
    except KeyboardInterrupt:
        if save:
            save.interrupted(state, parts)
        raise
    if progress:
        progress("run", stream.steps - first, stream.steps - first)
    return _joined(parts)


def run_kept(
    opened: Bundle,
    network: Network,
    runner: Runner,
    stream: Stream,
    asked: str,
    then: Callable[[NetworkResult], T],
    progress: Progress | None = None,
) -> T:
    """`advance`, and `then` with the outputs of all steps (its counts are those of this call).

    `asked` is the runner that was asked for: results of one that was to be checked are not taken for those of another.
    State and outputs are kept in the cache folder when any of it is interrupted (ND3009), and every half minute: the same
    call goes on from there.
    """
    words = f"{__version__} {opened.manifest['sha256']} {kept_as(opened, asked)} {stream.steps} {sorted(stream.inputs)}"
    arrays = [stream.inputs[name] for name in sorted(stream.inputs)]
    with kept_folder(digest(words, *(f"{a.dtype} {a.shape}" for a in arrays), *arrays)) as folder:
        out, checkpoint = (None, None) if folder is None else (folder / "outputs.npz", folder / "state")
        save = Keeper(opened, network, out, checkpoint, lambda population, array: array, asked=False)
        state = save.continued()
        parts: list[NetworkResult] = []
        try:
            if state is None or state.step < stream.steps:
                parts.append(advance(network, runner, stream, state, progress=progress, save=save))
                state = parts[-1].state
            return then(save.whole(parts, state))
        except KeyboardInterrupt:
            if parts:
                save.interrupted(state, parts)
            if save.saved is None or folder is None:
                raise
            raise interrupted(f"step {save.saved} of {stream.steps}", folder) from None


def _joined(parts: list[NetworkResult]) -> NetworkResult:
    if len(parts) == 1:
        return parts[0]
    activity = NetworkActivity.zero()
    for part in parts:
        activity.add(part.activity)
    return NetworkResult(
        {name: np.concatenate([p.outputs[name] for p in parts], axis=1) for name in parts[0].outputs},
        {name: np.concatenate([p.probes[name] for p in parts], axis=1) for name in parts[0].probes},
        activity,
        parts[-1].state,
    )


def population_counts(network: Network, activity: NetworkActivity) -> dict[str, dict[str, Any]]:
    """By population: neurons, messages, rate (messages a neuron, step and sample), updates, clipped and wrapped values."""
    runs = activity.steps * activity.samples
    table = {}
    for name, population in network.populations.items():
        fired = activity.fired.get(name, {})
        messages = sum(int(counts.sum()) for counts in fired.values())
        table[name] = {
            "model": population.model,
            "neurons": population.size,
            "messages": messages,
            "rate": messages / (population.size * runs) if runs else 0.0,
            "updates": 0 if population.model == INPUT else population.size * runs,
            "saturated": activity.saturated.get(name, 0),
            "wrapped": activity.wrapped.get(name, 0),
        }
    return table


def projection_counts(network: Network, activity: NetworkActivity) -> dict[str, dict[str, Any]]:
    """By projection: events that arrived at its axons, synaptic operations they caused, sums that wrapped."""
    table = {}
    for p in network.projections:
        fired = activity.fired[p.source][p.source_port]
        direct = isinstance(p.synapse, Direct)
        table[p.name] = {
            "source": p.source,
            "target": p.target,
            "events": int(fired.sum()),
            "synops": 0 if direct else int(fired @ p.synapse.fan_out((0, p.synapse.rows))),
            "wrapped": activity.wrapped.get(p.name, 0),
        }
    return table


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
