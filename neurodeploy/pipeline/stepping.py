"""A stream of input through a network, in stretches of steps: progress is seen, and an interrupt loses little."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.frontends.streams import Stream
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Probe, RunActivity, Runner, RunResult, RunState
from neurodeploy.pipeline.keeping import Keeper
from neurodeploy.pipeline.kept import interrupted, kept_folder
from neurodeploy.pipeline.session import Progress, kept_as
from neurodeploy.storage.stage_files import digest
from neurodeploy.version import __version__

T = TypeVar("T")

#: Values of input, output and probes in one stretch, at most.
STRETCH = 1 << 22
#: Seconds that a stretch should take: between two of them progress is shown, and an interrupt is seen.
STRETCH_S = 0.5
#: Steps of the first stretch, and by how much a stretch may be longer than the one before.
FIRST_STRETCH, GROWTH = 4, 8


def advance(
    network: Network,
    runner: Runner,
    stream: Stream,
    state: RunState | None = None,
    probes: Sequence[Probe] = (),
    progress: Progress | None = None,
    save: Keeper | None = None,
) -> RunResult:
    """Run the stream in stretches, so that progress is seen and an interrupt loses little; one result for all.

    The bits do not depend on where stretches end: a state is all that a network carries from step to step.
    """
    width = sum(network.populations[name].size for name in (*network.inputs, *network.outputs))
    width += sum(len(p.neurons or ()) or network.populations[p.population].size for p in probes)
    most = max(1, STRETCH // max(1, width * stream.samples))
    take = min(FIRST_STRETCH, most)
    if runner.name in ("lava", "loihi2"):  # their processes are started anew by every call
        take = most = stream.steps
    first = at = state.step if state else 0
    parts: list[RunResult] = []
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
    runner: Runner,
    stream: Stream,
    asked: str,
    then: Callable[[RunResult], T],
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
        save = Keeper(opened, out, checkpoint, lambda population, array: array, asked=False)
        state = save.continued()
        parts: list[RunResult] = []
        try:
            if state is None or state.step < stream.steps:
                parts.append(advance(opened.program.network, runner, stream, state, progress=progress, save=save))
                state = parts[-1].state
            return then(save.whole(parts, state))
        except KeyboardInterrupt:
            if parts:
                save.interrupted(state, parts)
            if save.saved is None or folder is None:
                raise
            raise interrupted(f"step {save.saved} of {stream.steps}", folder) from None


def _joined(parts: list[RunResult]) -> RunResult:
    if len(parts) == 1:
        return parts[0]
    activity = RunActivity.zero()
    for part in parts:
        activity.add(part.activity)
    return RunResult(
        {name: np.concatenate([p.outputs[name] for p in parts], axis=1) for name in parts[0].outputs},
        {name: np.concatenate([p.probes[name] for p in parts], axis=1) for name in parts[0].probes},
        activity,
        parts[-1].state,
    )
