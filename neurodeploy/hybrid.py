"""Hybrid execution: islands on a chip runner, host operations on the host, and every crossing of the border metered.

Host operations are batch invariant and islands are integers, so prefill of a text and the same text token by token with a
KV cache give the same bits, whichever runner or mapping computes the islands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.graph import WeightStore
from neurodeploy.ir.program import Island, IslandCall, Program
from neurodeploy.ir.run import ActivityCounts, HostIsland, IslandActivity, IslandRunner
from neurodeploy.ops.host.border import decode, encode
from neurodeploy.ops.host.executor import Capture, Executor, Values
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.linear import island_work
from neurodeploy.ops.host.operation import Work


class Model(Protocol):
    """What evaluation and generation need: the float executor and the hybrid both have it."""

    def forward(self, tokens: ArrayLike, state: State | None = None, last_only: bool = False) -> torch.Tensor: ...

    def logits_chunks(
        self, tokens: ArrayLike, state: State | None = None, chunk: int = 128
    ) -> Iterator[tuple[int, torch.Tensor]]: ...


@runtime_checkable
class DecodingRunner(Protocol):
    """A runner that gives decoded outputs by slice, bit for bit those of `run_island` and `decode`."""

    def run_decoded(
        self, island: Island, payload: NDArray[np.int16]
    ) -> tuple[list[NDArray[np.float32]], IslandActivity]: ...


def not_finite(subject: str) -> UserError:
    """A float model that overflows; the chip's program cannot."""
    return UserError(
        "ND3002", subject, "are not finite", "the model overflows on this text: check it in its own framework"
    )


def inverse_steps(island: Island) -> NDArray[np.float32]:
    """(columns,) float32 ``1 / (input_scale * 2**axon_shift)``: what the encoder multiplies with."""
    steps = np.ldexp(island.input_scale.value, island.synapses.axon_shift.astype(np.int64))
    return (1.0 / steps).astype(np.float32)


class Hybrid(Executor):
    """An executor of a program whose islands are computed by a runner. It counts what they do: see `take_counts`.

    Parameters
    ----------
    program : what runs.
    host_weights : tensors of the host operations.
    runner : computes islands; every runner gives the same bits.
    on_host : names of islands that the host computes (`ir.devices.host_islands`): the same integers from `host_runner`,
        counted as work of the host and not as events of a chip. Without a `host_runner`, `runner` computes them.

    `watch` sees every operation of a call that has no `capture` of its own.
    """

    def __init__(
        self,
        program: Program,
        host_weights: WeightStore,
        runner: IslandRunner,
        *,
        on_host: Collection[str] = (),
        host_runner: IslandRunner | None = None,
    ) -> None:
        self.program, self.runner = program, runner
        self._on_host, self._host_runner = frozenset(on_host), host_runner or runner
        self._inverse = {name: inverse_steps(island) for name, island in program.islands.items()}
        self._counts = ActivityCounts.zero()
        self.watch: Capture | None = None
        super().__init__(
            program.steps, host_weights, program.sizes, handlers={IslandCall: self._call},
            input=program.input, output=program.output,
        )  # fmt: skip

    def forward_hidden(
        self, tokens: ArrayLike, state: State | None = None, capture: Capture | None = None
    ) -> torch.Tensor:
        self._counts.tokens += np.asarray(tokens).size
        return super().forward_hidden(tokens, state, capture or self.watch)

    def take_counts(self) -> ActivityCounts:
        """The counts since the last time, host work included; counting starts again from zero."""
        counts, self._counts = self._counts, ActivityCounts.zero()
        counts.host_flops, counts.host_bytes = self.work.flops, self.work.bytes
        self.work = Work(0, 0)
        return counts

    def _call(self, step: IslandCall, values: Values) -> None:
        island = self.program.islands[step.island]
        payload, clipped = encode(values[step.input], self._inverse[step.island], island.payload_max, step.path)
        runner = self._host_runner if step.island in self._on_host else self.runner
        outputs, activity = self._island(runner, island, payload)
        activity.saturated_in = clipped
        if step.island in self._on_host:
            tokens = payload.shape[0]
            work = island_work(island.rows, island.columns, tokens)
            done = HostIsland(activity, int(tokens > 0), work.flops, work.bytes)
            self._counts.add_host_island(step.island, done)
        else:
            self._counts.add_island(step.island, activity)
        values.update(zip(step.outputs, outputs, strict=True))

    @staticmethod
    def _island(
        runner: IslandRunner, island: Island, payload: NDArray[np.int16]
    ) -> tuple[list[torch.Tensor], IslandActivity]:
        """Decoded outputs by slice. A runner may decode in the same pass; the meaning is that of `decode`."""
        if not payload.shape[0]:  # an expert that nobody chose: no event, no step
            return [torch.empty(0, part.rows) for part in island.slices], IslandActivity.zero(island)
        if isinstance(runner, DecodingRunner):
            decoded, activity = runner.run_decoded(island, payload)
            return [torch.from_numpy(array) for array in decoded], activity
        y, activity = runner.run_island(island, payload)
        scale = island.output_scale.value
        return [decode(y, part.start, part.stop, scale) for part in island.slices], activity
