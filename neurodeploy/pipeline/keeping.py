"""What a run of a spiking network has done so far, in files: first outputs and probes, then the state that follows them.

Whenever the process ends, the outputs that are on the disk reach at least as far as the state beside them. The state knows
the digest of the outputs before it, so that a run that goes on from it recognises them and adds its own behind them: the
file then has the same bytes as that of a run without a break.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.files import write_aside
from neurodeploy.bundle.state_files import read_kept, write_state
from neurodeploy.errors import BundleError, UserError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.population import Population
from neurodeploy.ir.run import Probe, RunActivity, RunResult, RunState
from neurodeploy.pipeline.streams import source_order
from neurodeploy.storage.numpy_files import open_archive
from neurodeploy.storage.stage_files import digest

#: Seconds between two checkpoints, at least; and how many times longer the run goes on than a checkpoint takes.
CHECKPOINT_S, PAUSE = 30.0, 10.0
FIRST = "first_step"

Arrays = dict[str, Ints]
Order = Callable[[Population, Ints], Ints]


def ordered(opened: Bundle, population: Population, array: Ints) -> Ints:
    """(.., size) with neurons in the order of the source."""
    order = source_order(opened, population)
    return array if order is None else array[..., order]


class Pace:
    """When a checkpoint is due: as often as `CHECKPOINT_S` and `PAUSE` say. `seconds` were spent on them."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._next = time.monotonic() + CHECKPOINT_S

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._next

    @contextmanager
    def spent(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        self.seconds += took
        self._next = time.monotonic() + max(CHECKPOINT_S, PAUSE * took)


class Keeper:
    """Called after every stretch; writes at the end, on an interrupt, and as often as `CHECKPOINT_S` and `PAUSE` say.

    out : .npz of ``out.POPULATION`` and ``probe.POPULATION.VARIABLE``, each (samples, steps, neurons), and ``first_step``.
    checkpoint : the state; without one, outputs are written at the end only.
    order : of the neurons in the file; that of the source, if none is given.
    asked : whether a user asked for these files. Otherwise they are written only when it is time or on an interrupt, and
        nothing is kept where they cannot be written.

    `saved` is the step of the last state, if any.
    """

    def __init__(
        self, opened: Bundle, out: Path | None, checkpoint: Path | None, order: Order | None = None, asked: bool = True
    ) -> None:
        self.opened, self.network, self.asked = opened, opened.program.network, asked
        self.out, self.checkpoint = out, checkpoint
        self.order = order or (lambda population, array: ordered(opened, population, array))
        self.saved: int | None = None
        self.pace = Pace()
        self.first = 1
        self._record: dict[str, Any] | None = None
        self._before: Arrays = {}

    def resumed(self, path: Path, probes: Sequence[Probe] = ()) -> RunState:
        """The state to go on from, and the outputs before it if `out` holds them.

        Raises what `read_kept` does, and ND3259 where `out` holds them with other probes: they would be lost.
        """
        state, self._record = read_kept(path, self.network, self.opened.digest, self.opened.program.operations)
        self.first = state.step + 1
        first, before = _before(self.out, state, self._record)
        wanted = {f"out.{name}" for name in self.network.outputs} | {f"probe.{probe.name}" for probe in probes}
        if before and set(before) != wanted:
            problem = f"holds the outputs of steps {first} to {state.step} with other probes, and would lose them"
            raise UserError("ND3259", self.out, problem, "give the same --probe, or another --out")
        if before:
            self.first, self._before = first, before
        return state

    def continued(self) -> RunState | None:
        """`resumed` from the files that an earlier call of the same work left, where both are whole; None otherwise."""
        if self.checkpoint is None or not self.checkpoint.is_file():
            return None
        try:
            state = self.resumed(self.checkpoint)
        except UserError:
            state = None
        if state is None or not self._before:
            self.first, self._record, self._before = 1, None, {}
            return None
        self.saved = state.step
        return state

    def whole(self, parts: Sequence[RunResult], state: RunState) -> RunResult:
        """Outputs from step `first` on, in the order that `order` gives; counts of `parts` alone."""
        activity = RunActivity.zero()
        for part in parts:
            activity.add(part.activity)
        arrays = self.arrays(parts) if parts else self._before
        outputs = {name.removeprefix("out."): array for name, array in arrays.items() if name.startswith("out.")}
        return RunResult(outputs, {}, activity, state)

    def __call__(self, state: RunState, parts: Sequence[RunResult], last: bool) -> None:
        if (last and self.asked) or (self.checkpoint is not None and self.pace.due):
            self.keep(state, parts)

    def interrupted(self, state: RunState | None, parts: Sequence[RunResult]) -> None:
        """What is there so far, where a state is kept."""
        if self.checkpoint is not None and state is not None:
            self.keep(state, parts)

    def keep(self, state: RunState, parts: Sequence[RunResult]) -> None:
        try:
            with self.pace.spent():
                self._keep(state, parts)
        except BundleError:
            if self.asked:
                raise
            self.out = self.checkpoint = self.saved = None

    def _keep(self, state: RunState, parts: Sequence[RunResult]) -> None:
        if self.out is not None and parts:
            arrays = self.arrays(parts)
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **{FIRST: np.int64(self.first)}, **arrays)  # type: ignore[arg-type]
            write_aside(self.out, buffer.getvalue())
            self._record = {FIRST: self.first, "sha256": _digest(_cut(arrays, state.step - self.first + 1))}
        if self.checkpoint is not None:
            write_state(self.checkpoint, state, self.opened.digest, self._record)
            self.saved = state.step

    def arrays(self, parts: Sequence[RunResult]) -> Arrays:
        """Outputs and probes from step `first` on, as they stand in the file."""
        populations, found = self.network.populations, Arrays()
        for name in parts[0].outputs:
            found[f"out.{name}"] = self.order(populations[name], _joined([part.outputs[name] for part in parts]))
        for name in parts[0].probes:
            population = populations[name.rpartition(".")[0]]
            found[f"probe.{name}"] = self.order(population, _joined([part.probes[name] for part in parts]))
        return {name: _joined([self._before[name], a]) if self._before else a for name, a in found.items()}


def _joined(arrays: Sequence[Ints]) -> Ints:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)


def _cut(arrays: Mapping[str, Ints], steps: int) -> Arrays:
    return {name: array[:, :steps] for name, array in arrays.items()}


def _digest(arrays: Mapping[str, Ints]) -> str:
    """Of names, types, shapes and values, whatever the order of the names."""
    parts: list[str | Ints] = []
    for name in sorted(arrays):
        parts += [f"{name} {arrays[name].dtype} {arrays[name].shape}", np.ascontiguousarray(arrays[name])]
    return digest(*parts)


def _before(path: Path | None, state: RunState, record: Mapping[str, Any] | None) -> tuple[int, Arrays]:
    """First step and arrays of the outputs before a state; none where the file is not there or holds something else."""
    if path is None or record is None or not path.is_file():
        return 0, {}
    try:
        with open_archive(path) as file:
            arrays: Arrays = {name: file.read(name) for name in file.headers}
        first = int(arrays.pop(FIRST))
        arrays = _cut(arrays, state.step - first + 1)
        same = first == record[FIRST] <= state.step and _digest(arrays) == record["sha256"]
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return 0, {}
    return (first, arrays) if same else (0, {})
