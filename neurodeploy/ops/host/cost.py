"""What one host operation costs: floating-point operations and bytes, for the energy ledger. Counted, not measured.

Conventions. One addition, subtraction, multiplication, division, comparison or square root is 1 flop; `EXP` is the
number of flops in the exponential of `kernels.exp32`. Bytes are those that must cross the memory interface once:
float32 activations read and written, weights and KV cache read, new keys and values written; what a cache could keep
between two passes over the same data is not counted twice. With T tokens (rows), n neurons of the output, P visible
(query, key) pairs:

==============  =============================================  ====================================================
operation       flops                                          bytes
==============  =============================================  ====================================================
embedding       T n (0 where scale = 1)                        8 T n  (table rows read, activations written)
position_emb.   T n                                            12 T n
rmsnorm         T n (3, 4 with weight) + 3 T n / group         8 T n + 4 group with weight
layernorm       7 T n + 4 T n / group                          8 T n + 8 group
rope            3 T n R / head_dim  (R neurons are rotated)    8 T n + 4 T R  (cosine and sine)
temperature     T n                                            8 T n + 4 T
attention       P heads (4 D + EXP + 4) + T heads D            8 T heads D + 8 T kv D (append) + 8 kv D keys(T)
glu             T n (EXP + 4); gelu_tanh T n (EXP + 9)         12 T n
activation      T n (EXP + 3); gelu_tanh T n (EXP + 8)         8 T n
add             T n                                            12 T n
moe_route       T (E top_k + top_k (EXP + 2))                  8 T E
moe_dispatch    n rows                                         8 n rows + 4 T E      (rows: all experts' tokens)
moe_combine     n rows                                         12 n rows + 4 T E
==============  =============================================  ====================================================

``keys(T)`` is the number of distinct keys that the T queries see: they are read once a call, so a long prefill is
charged less per token than decoding, as on a real host. A float `Projection` is 2 T in out flops and its weights,
inputs and outputs in float32. An island that the host computes has a rule of its own (`island_work`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neurodeploy.errors import InternalError
from neurodeploy.ir.graph import Attr, HostOp, Projection
from neurodeploy.ops.host.visible import oldest_visible

#: clip 2, scale and shift 3, reduction 4, polynomial 13, exponent 2: the operations in `kernels.exp32`.
EXP = 24
FLOAT = 4


@dataclass(frozen=True, slots=True)
class Work:
    """Floating-point operations and bytes of memory traffic."""

    flops: int
    bytes: int

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes)


def work(op: HostOp | Projection, sizes: Mapping[str, int], tokens: int, context: int = 0) -> Work:
    """Flops and bytes of one call.

    sizes : neurons by population name; tokens : rows of the call (for dispatch and combine: of the routing);
    context : tokens of the sequence before this call. Dispatch and combine are charged for one expert a token; use
    `routed_work` where the real number of rows is known.
    """
    if isinstance(op, Projection):
        return _projection(op, tokens)
    n = sizes[op.outputs[0]]
    elements = tokens * n
    attrs = op.attrs
    if op.op == "embedding":
        return Work(0 if attrs["scale"] == 1.0 else elements, 2 * FLOAT * elements)
    if op.op == "rmsnorm":
        group, weighted = _int(attrs, "group"), bool(op.weights)
        flops = elements * (4 if weighted else 3) + 3 * elements // group
        return Work(flops, 2 * FLOAT * elements + (FLOAT * group if weighted else 0))
    if op.op == "layernorm":
        return Work(7 * elements + 4 * elements // _int(attrs, "group"), 2 * FLOAT * (elements + _int(attrs, "group")))
    if op.op == "rope":
        dim = _int(attrs, "head_dim")
        rotated = _int(attrs, "rotated") if "rotated" in attrs else dim
        return Work(3 * elements * rotated // dim, 2 * FLOAT * elements + FLOAT * tokens * rotated)
    if op.op == "temperature":
        return Work(elements, 2 * FLOAT * elements + FLOAT * tokens)
    if op.op == "attention":
        return _attention(attrs, tokens, context)
    if op.op == "glu":
        return Work(elements * (EXP + (4 if attrs["act"] == "silu" else 9)), 3 * FLOAT * elements)
    if op.op == "activation":
        return Work(elements * (EXP + (3 if attrs["act"] == "silu" else 8)), 2 * FLOAT * elements)
    if op.op in ("add", "position_embedding"):
        return Work(elements, 3 * FLOAT * elements)
    if op.op == "moe_route":
        top_k = _int(attrs, "top_k")
        return Work(tokens * (n * top_k + top_k * (EXP + 2)), 2 * FLOAT * elements)
    if op.op in ("moe_dispatch", "moe_combine"):
        experts = len(op.outputs) if op.op == "moe_dispatch" else len(op.inputs) - 1
        return routed_work(op, n, tokens, experts, tokens)
    raise InternalError("ND9102", op.path, f"no cost is known for the host operation {op.op!r}")


def routed_work(op: HostOp, size: int, tokens: int, experts: int, rows: int) -> Work:
    """`work` of moe_dispatch or moe_combine whose experts got `rows` tokens together."""
    passes = 2 if op.op == "moe_dispatch" else 3
    return Work(size * rows, passes * FLOAT * size * rows + FLOAT * tokens * experts)


#: Of a value that an island encodes: multiply, round, two comparisons. Of one that it returns: add the bias, round and
#: shift the sum, saturate, multiply, round and shift, saturate, scale to a real number.
ENCODE, NEURON = 4, 10


def island_work(rows: int, columns: int, tokens: int) -> Work:
    """An island of (rows, columns) that the host computes for `tokens` tokens in one call.

    ``flops = T (2 rows columns + ENCODE columns + NEURON rows)``: a multiply and an add of integers are charged as two
    floating-point operations. ``bytes = rows columns + 3 rows + columns + T (4 columns + 4 rows)``: each weight (one
    byte, whatever its width), multiplier, shift and exponent once a call, float32 values read and written once.
    """
    if not tokens:
        return Work(0, 0)
    flops = tokens * (2 * rows * columns + ENCODE * columns + NEURON * rows)
    return Work(flops, rows * columns + 3 * rows + columns + tokens * FLOAT * (columns + rows))


def visible_pairs(tokens: int, context: int, window: int | None, chunk: int | None) -> int:
    """(query, key) pairs of `tokens` queries after `context` tokens."""
    if not window and not chunk:
        return tokens * context + tokens * (tokens + 1) // 2
    return sum(i + 1 - oldest_visible(i, window, chunk) for i in range(context, context + tokens))


def _attention(attrs: Mapping[str, Attr], tokens: int, context: int) -> Work:
    heads, kv_heads, dim = _int(attrs, "heads"), _int(attrs, "kv_heads"), _int(attrs, "head_dim")
    window, chunk = (None if attrs[key] is None else _int(attrs, key) for key in ("window", "chunk"))
    pairs = visible_pairs(tokens, context, window, chunk)
    keys = context + tokens - oldest_visible(context, window, chunk)
    flops = pairs * heads * (4 * dim + EXP + 4) + tokens * heads * dim
    return Work(flops, 2 * FLOAT * dim * (tokens * heads + tokens * kv_heads + kv_heads * keys))


def _projection(op: Projection, tokens: int) -> Work:
    bias = op.out_features if op.bias else 0
    weights = op.in_features * op.out_features + bias
    flops = tokens * (2 * op.in_features * op.out_features + bias)
    return Work(flops, FLOAT * (weights + tokens * (op.in_features + op.out_features)) if tokens else 0)


def _int(attrs: Mapping[str, Attr], key: str) -> int:
    value = attrs[key]
    if not isinstance(value, int):
        raise InternalError("ND9102", key, f"{value!r} is not an integer")
    return value
