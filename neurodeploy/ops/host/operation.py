"""What the toolchain asks about a host operation: the type of the table in `neurodeploy.ops`, and what its files share.

A value has *rows*: all tokens of the call, or, inside an expert, the tokens that it was given. Nothing here loads torch or
numba: who maps, reads a bundle or counts work asks the table too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.mapping import Reason
from neurodeploy.ops.host.checks import Attrs, Sizes, one_to_one
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.lowering import Lowered, ToLower

if TYPE_CHECKING:
    from torch import Tensor as Tensor

    from neurodeploy.ops.host.weights import WeightCache
else:
    Tensor = Any

#: Bytes of an activation or weight.
FLOAT = 4
#: The remedy of an operation that has a lowering.
ON_CHIP = "`convert --on-chip block` puts it on the chip: {}"
#: The same of one that goes with attention.
WITH_ATTENTION = "`convert --on-chip all` puts it on the chip with attention: {}"
#: Rows that are no activations, and those of all tokens.
IDS, TOKENS = "token ids", "tokens"


class Work(NamedTuple):
    """Floating-point operations and bytes of memory traffic."""

    flops: int
    bytes: int

    def __add__(self, other: Work) -> Work:  # type: ignore[override]
        return Work(self.flops + other.flops, self.bytes + other.bytes)


class Load(NamedTuple):
    """How much one call of an operation has to do.

    sizes : neurons by population. tokens : rows of the first input. context : tokens of the sequence before them.
    routed : rows of all experts together, which only operations with experts read.
    """

    op: HostOp
    sizes: Mapping[str, int]
    tokens: int
    context: int = 0
    routed: int = 0

    @property
    def attrs(self) -> Attrs:
        return self.op.attrs

    @property
    def size(self) -> int:
        """Neurons of the output, or of each output."""
        return self.sizes[self.op.outputs[0]]

    @property
    def values(self) -> int:
        """Numbers in the output."""
        return self.tokens * self.sizes[self.op.outputs[0]]


class Call(NamedTuple):
    """One call of an operation: its inputs (rows, neurons), its tensors, and what the sequence has left behind."""

    op: HostOp
    inputs: Sequence[Tensor]
    tensors: WeightCache
    state: State
    device: str

    @property
    def attrs(self) -> Attrs:
        return self.op.attrs

    def weight(self, role: str) -> Tensor:
        return self.tensors.get(self.op.weights[role])


Run = Callable[[Call], "Tensor | list[Tensor]"]
#: ``rows(path, rows of the inputs, number of outputs) -> (rows that the inputs must have, rows of the outputs)``
Rows = Callable[[str, Sequence[str], int], tuple[list[str], list[str]]]


def same_rows(path: str, inputs: Sequence[str], outputs: int) -> tuple[list[str], list[str]]:
    """Every input has the rows of the first, and so has every output; token ids are no activations."""
    rows = TOKENS if inputs[0] == IDS else inputs[0]
    return [rows] * len(inputs), [rows] * outputs


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A row of the table.

    on_cpu : float32 kernel, batch invariant bit for bit. on_torch : the same to rounding on any torch device.
    work : flops and bytes, counted and not measured: one addition, multiplication, division, comparison or root is a flop,
        an exponential `kernels.EXP`; bytes cross the memory interface once, float32 activations, weights and KV cache, and
        what a cache could keep is not counted twice.
    reason : why the chip does not do it, or not where its inputs are on the host; the text may name attributes in braces.
    lowering : the populations that do it on the chip (`lowering.py`), None where these numbers cannot be done there.
    attends : lowered only where attention is on the chip: elsewhere its inputs would leave the chip a second time.
    flat : on the chip its inputs have one unit for all neurons.
    shifts : on the chip its neurons add and shift, and never multiply: what they make has units that are powers of two.
    attrs, optional : what the value of an attribute must be, by name. fits : (attributes, neurons of the inputs, neurons of
        the outputs) -> whether they go together.
    tensors : shapes by role, each number named: an attribute, a field of `ModelInfo`, or "size", the neurons of the output.
        bare : all of them may be left out. told : shapes by role of an operation that says them in its attributes.
    keeps : the attributes that describe the cache which it keeps of a sequence, as `KVCache` takes them; none keeps nothing.
        begin : puts into it what stands before every text, where the attribute "prefix" says that something does.
    rows : the rows of inputs and outputs. experts : the inputs or outputs that have the rows of one expert each.
    """

    on_cpu: Run
    on_torch: Run
    work: Callable[[Load], Work]
    reason: Reason
    attrs: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    optional: Mapping[str, Callable[[Any], bool]] = field(default_factory=dict)
    fits: Callable[[Attrs, Sizes, Sizes], bool] = one_to_one
    tensors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bare: bool = False
    told: Callable[[Attrs], Mapping[str, tuple[int, ...]]] | None = None
    keeps: tuple[str, ...] = ()
    begin: Callable[[Call], None] | None = None
    rows: Rows = same_rows
    experts: Callable[[HostOp], tuple[str, ...]] = lambda op: ()
    lowering: Callable[[ToLower], Lowered | None] | None = None
    attends: bool = False
    flat: bool = False
    shifts: bool = False

    def kernel(self, device: str) -> Run:
        return self.on_cpu if device == "cpu" else self.on_torch

    def reason_of(self, op: HostOp) -> Reason:
        return replace(self.reason, text=self.reason.text.format(**op.attrs))

    def problem(self, op: HostOp) -> str:
        """What is wrong with the attributes of an operation of this kind; "" where nothing is."""
        missing = [key for key in self.attrs if key not in op.attrs]
        if missing:
            return f"host operation {op.op!r} lacks {missing}"
        for key, fit in (*self.attrs.items(), *self.optional.items()):
            if key in op.attrs and not fit(op.attrs[key]):
                return f"{key} = {op.attrs[key]!r:.60} is not possible"
        return ""
