"""`Executor`: runs the operations of a graph, or the steps of a program, for one sequence, in float32.

Host operations run from the table of `neurodeploy.ops`, projections as ``y = W x + b`` with weights from the store,
everything else through `handlers`. A value is a tensor (rows, neurons): rows are tokens, or, for an expert, the tokens that
it was given; a projection of 0 rows costs nothing and reads no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neurodeploy.errors import InternalError, UserError
from neurodeploy.ir.graph import HostOp, Projection, WeightStore
from neurodeploy.ops import lookup
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.linear import projection_work
from neurodeploy.ops.host.operation import Call, Load, Run, Work
from neurodeploy.ops.host.weights import WeightCache


class Step(Protocol):
    """What every operation of a graph or program has."""

    @property
    def path(self) -> str: ...
    @property
    def inputs(self) -> tuple[str, ...]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...


Values = MutableMapping[str, Tensor]
Handler = Callable[[Any, Values], None]
#: Called after every operation with its inputs and outputs still in `values`.
Capture = Callable[[Any, Mapping[str, Tensor]], None]


class Executor:
    """Runs `ops` in order; see `forward`, `forward_hidden`, `logits_chunks` and, one operation at a time, `run_op`.

    Parameters
    ----------
    ops : the operations of a `Graph` or the steps of a `Program`.
    weights : where tensors come from, as float32.
    sizes : neurons by population name.
    device : "cpu" (numba kernels, batch invariant) or a torch device.
    keep_weights : keep fetched weights for the next call.
    handlers : type of a step -> ``handler(step, values)``, which puts its outputs into `values`. Goes before the
        built-in treatment, so that a calibrator can replace projections.
    input, output : populations of the token ids and of the logits.

    Attributes
    ----------
    prefix : tokens that have been read before every text.
    work : flops and bytes of all host operations and float projections since it was made, or since it was set to
        ``Work(0, 0)``; what handlers do is not in it.
    """

    def __init__(
        self,
        ops: Sequence[Step],
        weights: WeightStore,
        sizes: Mapping[str, int],
        device: str = "cpu",
        keep_weights: bool = True,
        handlers: Mapping[type, Handler] | None = None,
        input: str = "tokens",
        output: str = "logits",
    ) -> None:
        self.ops = tuple(ops)
        self.sizes = dict(sizes)
        self.device = device
        self.input, self.output = input, output
        self.weights = WeightCache(weights, device, keep_weights)
        self.work = Work(0, 0)
        self._handlers: dict[type, Handler] = {Projection: self._project, **(handlers or {})}
        self._asked: dict[int, tuple[HostOp, Run, Callable[[Load], Work], tuple[str, ...]]] = {}
        self._head = self._find_head()
        self._dead = self._last_uses()
        hosts = [op for op in self.ops if isinstance(op, HostOp) and self.input in op.inputs]
        tables = [op.weights["weight"] for op in hosts if "weight" in op.weights]
        #: What puts constants into the caches of a new sequence, and of how many tokens.
        self._beginning = [op for op in self.ops if isinstance(op, HostOp) and op.attrs.get("prefix")]
        self.prefix = int(str(self._beginning[0].attrs["prefix"])) if self._beginning else 0
        self._vocabulary = weights.shape(tables[0])[0] if tables else None

    # -- whole sequences ------------------------------------------------------------------------------------------

    def forward(
        self, tokens: ArrayLike, state: State | None = None, last_only: bool = False, capture: Capture | None = None
    ) -> Tensor:
        """Logits (T, vocab) of T new tokens, or (1, vocab) of the last one, after those that `state` has seen.

        `state` moves on by T tokens; None is a new sequence. With `last_only` the head runs on the last token only.
        """
        values: dict[str, Tensor] = {self.head_input: self.forward_hidden(tokens, state, capture)}
        if last_only:
            values[self.head_input] = values[self.head_input][-1:]
        return self.head(values[self.head_input], capture)

    def forward_hidden(self, tokens: ArrayLike, state: State | None = None, capture: Capture | None = None) -> Tensor:
        """The input (T, hidden) of the operation that computes the logits: everything before the head."""
        state = self.begin(state)
        ids = self._token_ids(tokens)
        values: dict[str, Tensor] = {self.input: ids}
        for index, op in enumerate(self.ops):
            if 0 <= self._head <= index:
                break
            self.run_op(op, values, state)
            if capture is not None:
                capture(op, values)
            for name in self._dead[index]:
                values.pop(name, None)
        state.position += len(ids)
        return self.hidden(values)

    def hidden(self, values: Values) -> Tensor:
        """What the head reads, of all that was computed."""
        return values[self.head_input]

    def begin(self, state: State | None = None) -> State:
        """A sequence, a new one without `state`: at position 0 it gets what stands before every text (`Operation.begin`)."""
        state = State() if state is None else state
        if self.prefix and state.position == 0:
            for op in self._beginning:
                begin = lookup(op).begin
                if begin is not None:
                    begin(Call(op, [], self.weights, state, self.device))
            state.position = self.prefix
        return state

    def head(self, hidden: Tensor, capture: Capture | None = None) -> Tensor:
        """Logits (rows, vocab) of rows of `forward_hidden`."""
        values: dict[str, Tensor] = {self.head_input: hidden}
        for op in self.ops[self._head :]:
            self.run_op(op, values, State())
            if capture is not None:
                capture(op, values)
        return self.answer(values)

    def answer(self, values: Values) -> Tensor:
        """The logits (rows, vocab), of what the head has made."""
        return values[self.output]

    def logits_chunks(self, tokens: ArrayLike, chunk: int = 128) -> Iterator[tuple[int, Tensor]]:
        """All logits, `chunk` tokens at a time, as (index of the first token in this call, logits): bounds memory."""
        hidden = self.forward_hidden(tokens)
        for start in range(0, hidden.shape[0], chunk):
            yield start, self.head(hidden[start : start + chunk])

    @property
    def head_input(self) -> str:
        """The population that the head reads."""
        return self.inputs_of(self.ops[self._head])[0]

    @staticmethod
    def inputs_of(op: Step) -> tuple[str, ...]:
        """Names in `Values` of what an operation reads."""
        return op.inputs

    # -- one operation ----------------------------------------------------------------------------------------------

    def run_op(self, op: Step, values: Values, state: State | None = None) -> None:
        """Run one operation on `values` (name -> tensor) and put its outputs there. The caller moves `state.position`.

        Without a state the rows are a whole sequence from position 0 and no cache is kept.
        """
        handler = self._handlers.get(type(op))
        if handler is not None:
            handler(op, values)
            return
        if not isinstance(op, HostOp):
            raise InternalError("ND9103", op.path, f"no handler for {type(op).__name__!r}")
        _, kernel, work, experts = self._asked.get(id(op)) or self._ask(op)
        state = State() if state is None else state
        inputs = [values[name] for name in op.inputs]
        outputs = kernel(Call(op, inputs, self.weights, state, self.device))
        if isinstance(outputs, list):
            values.update(zip(op.outputs, outputs, strict=True))
        else:
            values[op.outputs[0]] = outputs
        routed = sum([values[name].shape[0] for name in experts]) if experts else 0
        self.work += work(Load(op, self.sizes, inputs[0].shape[0], state.position, routed))

    def _ask(self, op: HostOp) -> tuple[HostOp, Run, Callable[[Load], Work], tuple[str, ...]]:
        """What an operation always answers, asked once; the operation stays so that no other gets its place."""
        operation = lookup(op)
        self._asked[id(op)] = op, operation.kernel(self.device), operation.work, operation.experts(op)
        return self._asked[id(op)]

    def _project(self, op: Projection, values: Values) -> None:
        x = values[op.input]
        if x.shape[0] == 0:
            values[op.output] = x.new_empty((0, op.out_features))
            return
        bias = None if op.bias is None else self.weights.get(op.bias)
        values[op.output] = torch.nn.functional.linear(x, self.weights.get(op.weight), bias)
        self.work += projection_work(op, x.shape[0])

    # -- preparation ------------------------------------------------------------------------------------------------

    def _find_head(self) -> int:
        """Where the operations begin that make the output: the last one, or those that it joins, of one value; -1 where
        there is none."""
        if not self.output:
            return -1
        wanted = {self.output}
        for index in range(len(self.ops) - 1, -1, -1):
            op = self.ops[index]
            if not wanted.intersection(op.outputs):
                break
            wanted = wanted.difference(op.outputs) | set(self.inputs_of(op))
            if len(wanted) == 1 and len(self.inputs_of(op)) == 1:
                return index
        if any(self.output in op.outputs for op in self.ops):
            problem = "the head must be the last operation and have one input"
            raise InternalError("ND9104", self.ops[-1].path, problem)
        raise InternalError("ND9104", self.output, "is never computed")

    def _last_uses(self) -> tuple[tuple[str, ...], ...]:
        """For each operation the values that nobody reads after it: dropped at once, so that memory stays low."""
        last: dict[str, int] = {}
        for index, op in enumerate(self.ops):
            for name in (*op.inputs, *op.outputs):
                last[name] = index
        return tuple(
            tuple(name for name in dict.fromkeys((*op.inputs, *op.outputs)) if last[name] == index)
            for index, op in enumerate(self.ops)
        )

    def _token_ids(self, tokens: ArrayLike) -> Tensor:
        ids = np.asarray(tokens)
        if ids.ndim != 1 or ids.size == 0 or ids.dtype.kind not in "iu":
            raise UserError(
                "ND3003", "tokens", f"{ids.dtype} of shape {ids.shape} is not a row of token numbers",
                "give a 1-D array of at least one integer",
            )  # fmt: skip
        vocabulary = self._vocabulary
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or (vocabulary is not None and high >= vocabulary):
            wrong = low if low < 0 else high
            raise UserError(
                "ND3004", f"token {wrong}", f"the vocabulary has {vocabulary} tokens", "check the tokenizer"
            )
        return torch.from_numpy(ids.astype(np.int64)).to(self.device)
