"""Hybrid execution: segments on a chip runner, host operations on the host, and every crossing of the border metered.

A program's schedule runs item by item, each for all ticks of a call before the next: there is no cycle through the host,
host operations are batch invariant, and what a segment carries from tick to tick is part of the state. So a text or a
stream at once, and the same one tick at a time, give the same bits, whichever runner or mapping computes the segments.
What one segment sends and a later one reads stays on the chip: it is encoded and decoded nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike

from neurodeploy.errors import UserError
from neurodeploy.hybrid.bound import Bound, Pass, payload_name, proven
from neurodeploy.ir.graph import WeightStore
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, Given, Probes, Runner, RunResult, RunState
from neurodeploy.ir.segments import Segment
from neurodeploy.ops.host.executor import Capture, Executor, Step, Values
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.operation import Work


class Model(Protocol):
    """What evaluation and generation need: the float executor and the hybrid both have it."""

    def forward(self, tokens: ArrayLike, state: State | None = None, last_only: bool = False) -> torch.Tensor: ...

    def logits_chunks(self, tokens: ArrayLike, chunk: int = 128) -> Iterator[tuple[int, torch.Tensor]]: ...


def not_finite(subject: str) -> UserError:
    """A float model that overflows; the chip's program cannot."""
    return UserError(
        "ND3002", subject, "are not finite", "the model overflows on this text: check it in its own framework"
    )


class Hybrid(Executor):
    """An executor of a program whose segments are computed by a runner. It counts what they do: see `take_counts`.

    Parameters
    ----------
    program : what runs.
    host_weights : tensors of the host operations.
    runner : computes segments; every runner gives the same bits.
    on_host : names of populations that the host computes (`ir.devices`): the same integers, counted as work of the host. A
        segment of which nothing is on the chip runs on `host_runner`, or, without one, on `runner`.

    `watch` sees every operation of a call that has no `capture` of its own. A program that reads a text has `forward` and
    its kin; `run` takes streams, and makes a hybrid a `Runner` of its program's network.
    """

    def __init__(
        self,
        program: Program,
        host_weights: WeightStore,
        runner: Runner,
        *,
        on_host: Collection[str] = (),
        host_runner: Runner | None = None,
    ) -> None:
        self.program, self.runner, self.name = program, runner, runner.name
        read = {name for segment in program.segments for name in segment.reads}
        every = (proven(segment, program.network) for segment in program.segments)
        self._bound = {s.name: Bound(s, runner, host_runner or runner, on_host, read) for s in every}
        self._counts = ActivityCounts.zero()
        self.watch: Capture | None = None
        super().__init__(program.schedule, host_weights, program.sizes, input=program.input, output=program.output)
        self.prefix = len(program.info.prefix)  # in caches of the host, in memories of the chip, or in both
        head = self.ops[-1]
        if not program.streamed and isinstance(head, Segment) and self._bound[head.name].keeps:
            problem = "makes the logits, which are computed for chosen tokens, and carries something from tick to tick"
            raise UserError("ND3280", head.name, problem, "let a host operation make the logits of what it sends")
        self._pass = Pass({}, 0, None, (State(),))

    def forward_hidden(
        self, tokens: ArrayLike, state: State | None = None, capture: Capture | None = None
    ) -> torch.Tensor:
        state = self.begin(state)
        ticks = np.asarray(tokens).size
        self._pass = Pass({}, ticks, state.chip, (state,))
        hidden = super().forward_hidden(tokens, state, capture or self.watch)
        self._counts.tokens += ticks
        state.chip = replace(self._pass.left, step=state.position)
        return hidden

    def hidden(self, values: Values) -> torch.Tensor:
        """Of a head that reads what has stayed on the chip: those payloads, a row a token."""
        head = self.ops[self._head]
        if isinstance(head, Segment) and head.reads:
            return torch.from_numpy(self._pass.sent[head.reads[0]][0])
        return super().hidden(values)

    def answer(self, values: Values) -> torch.Tensor:
        """Of tokens that the chip has not chosen the logit is -inf; of the one that it has, where no logit is told, 0."""
        found = super().answer(values)
        if not self.program.ids:
            return found
        ids = values[self.program.ids].long()
        logits = torch.zeros(ids.shape) if self.program.ids == self.program.output else found
        rows = torch.full((len(ids), self.program.info.vocab_size), -torch.inf)
        return rows.scatter_(1, ids, logits)

    @staticmethod
    def inputs_of(op: Step) -> tuple[str, ...]:
        """What has stayed on the chip has names of its own beside the values of the host."""
        return op.inputs or (tuple(map(payload_name, op.reads)) if isinstance(op, Segment) else ())

    def run(
        self, network: Network, inputs: Given, steps: int, *, state: RunState | None = None, probes: Probes = (),
        raster: bool = True,
    ) -> RunResult:  # fmt: skip
        """`Runner.run` of the program's network with the host operations in it; `inputs` are the populations that nobody
        encodes. The state has what the host operations keep, too (`RunState.host`)."""
        if network is not self.program.network:
            fix = "give the network of the program that the hybrid was made of"
            raise UserError("ND3281", network.name, "is not the network of this program", fix)
        samples = next((len(array) for array in inputs.values()), state.samples if state else 1) or 1
        states = [self.begin() for _ in range(samples)]
        if state is not None:  # a state is not changed by who continues it
            states = [deepcopy(one) for one in state.host if isinstance(one, State)]
        now = self._pass = Pass(inputs, steps, state, states, probes, streamed=True, raster=raster)
        self._counts.tokens += samples * steps
        values: dict[str, torch.Tensor] = {}
        for index, step in enumerate(self.ops):
            self.run_op(step, values, now.states[0])
            for name in self._dead[index]:
                values.pop(name, None)
        for one in now.states:
            one.position += steps
        outputs = {name: now.sent[name] for name in network.outputs}
        now.left.step, now.left.host = steps + (state.step if state else 0), tuple(states)
        now.activity.steps, now.activity.samples = steps, samples
        return RunResult(outputs, now.probed, now.activity, now.left)

    def run_op(self, op: Step, values: Values, state: State | None = None) -> None:
        states = self._pass.states
        if isinstance(op, Segment):
            self._bound[op.name].run(values, self._pass)
        elif len(states) < 2:
            super().run_op(op, values, state)
        else:  # what has a history sees each sample by itself
            parts: list[dict[str, torch.Tensor]] = []
            for number, own in enumerate(states):
                given = {name: torch.tensor_split(values[name], len(states))[number] for name in op.inputs}
                super().run_op(op, given, own)
                parts.append(given)
            values.update({name: torch.cat([part[name] for part in parts]) for name in op.outputs})

    def take_counts(self) -> ActivityCounts:
        """The counts since the last time, host work included; counting starts again from zero."""
        counts, self._counts = self._counts, ActivityCounts.zero()
        for bound in self._bound.values():
            bound.take(counts)
        counts.host_flops, counts.host_bytes = self.work.flops, self.work.bytes
        self.work = Work(0, 0)
        return counts
