"""Hybrid execution: islands on a chip runner, host operations on the host, and every crossing of the border metered.

Host operations are batch invariant and islands are integers, so prefill of a text and the same text token by token with a
KV cache give the same bits, whichever runner or mapping computes the islands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
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

Decoding = Callable[[NDArray[np.int16]], tuple[NDArray[np.float32], IslandActivity]]


class Model(Protocol):
    """What evaluation and generation need: the float executor and the hybrid both have it."""

    def forward(self, tokens: ArrayLike, state: State | None = None, last_only: bool = False) -> torch.Tensor: ...

    def logits_chunks(
        self, tokens: ArrayLike, state: State | None = None, chunk: int = 128
    ) -> Iterator[tuple[int, torch.Tensor]]: ...


@runtime_checkable
class DecodingRunner(Protocol):
    """A runner that decodes too, bit for bit as `run_island` and `decode`, by a function that it makes once for an island.

    The function gives the outputs (tokens, rows) of slice after slice in one flat array. None: this island it runs only.
    """

    def decoding(self, island: Island) -> Decoding | None: ...


def not_finite(subject: str) -> UserError:
    """A float model that overflows; the chip's program cannot."""
    return UserError(
        "ND3002", subject, "are not finite", "the model overflows on this text: check it in its own framework"
    )


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
        self._calls: dict[str, _Call] = {}
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
        name = step.island
        call = self._calls.get(name) or self._bound(name)
        payload, clipped = encode(values[step.input], call.inverse, call.limit, step.path)
        if not payload.shape[0]:  # an expert that nobody chose: no event, no step
            outputs, activity = (
                [torch.empty(0, part.rows) for part in call.island.slices],
                IslandActivity.zero(call.island),
            )
        else:
            outputs, activity = call.run(payload)
        activity.saturated_in = clipped
        if name in self._on_host:
            tokens = payload.shape[0]
            work = island_work(call.island.rows, call.island.columns, tokens)
            self._counts.add_host_island(name, HostIsland(activity, int(tokens > 0), work.flops, work.bytes))
        else:
            self._counts.add_island(name, activity)
        values.update(zip(step.outputs, outputs, strict=True))

    def _bound(self, name: str) -> _Call:
        island = self.program.islands[name]
        runner = self._host_runner if name in self._on_host else self.runner
        self._calls[name] = call = _Call(island, runner)
        return call


class _Call:
    """An island and its runner, and all that does not change from call to call.

    inverse : (columns,) float32 ``1 / (input_scale * 2**axon_shift)``: of the encoder. limit : of payloads.
    """

    def __init__(self, island: Island, runner: IslandRunner) -> None:
        self.island, self._runner = island, runner
        steps = np.ldexp(island.input_scale.value, island.synapses.axon_shift.astype(np.int64))
        self.inverse, self.limit = (1.0 / steps).astype(np.float32), island.payload_max
        self._parts = [(part.start, part.stop) for part in island.slices]
        self._decoding = runner.decoding(island) if isinstance(runner, DecodingRunner) else None

    def run(self, payload: NDArray[np.int16]) -> tuple[list[torch.Tensor], IslandActivity]:
        """Decoded outputs by slice. A runner may decode in the same pass; the meaning is that of `decode`."""
        if self._decoding is None:
            y, activity = self._runner.run_island(self.island, payload)
            scale = self.island.output_scale.value
            return [decode(y, start, stop, scale) for start, stop in self._parts], activity
        flat, activity = self._decoding(payload)
        n = len(payload)
        arrays = [flat[n * start : n * stop].reshape(n, stop - start) for start, stop in self._parts]
        return [torch.from_numpy(array) for array in arrays], activity
