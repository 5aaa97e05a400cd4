"""Rotary position embedding (Su et al. 2021, arXiv 2104.09864) of x (T, heads * head_dim).

::

    (a, b) -> (a cos - b sin, b cos + a sin) * factor,      angle of pair i = position * inv_freq[i]

`inv_freq` has R / 2 radians a token, R = `rotated`, or else `head_dim`: the first R neurons of a head are rotated, the
others pass. Style "half" pairs (i, i + R / 2), "interleaved" (2 i, 2 i + 1). Cosine and sine are multiplied by
`factor` where it is there (YaRN, LongRoPE). Work: 3 flops a rotated neuron; cosine and sine are read once a token.

The angle is ``float32(position) * float32(inv_freq)`` rounded to float32, as transformers computes it, so that a model
sees the angles that it is published with; cosine and sine of that angle, times the factor, are taken in float64 and
rounded once.

On the chip, where attention is there too, one neuron a value (`neurons/graded_rotation.py`); a step. The host encodes
cosines and sines of a token once for all layers that share them (`ops/rope_angles.py`), in units of 2**-14, or so much
coarser that `factor` fits 16 bits: each is off by half a unit, 2.5e-5 of a value in the root mean square.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.mapping import Reason
from neurodeploy.ir.population import Population
from neurodeploy.machine.jit import jit
from neurodeploy.machine.threads import split
from neurodeploy.neurons.graded_rotation import EXPONENT_MAX
from neurodeploy.ops.host import checks
from neurodeploy.ops.host.checks import Attrs, Sizes
from neurodeploy.ops.host.kernels import empty_like
from neurodeploy.ops.host.lowering import Lowered, Signal, ToLower, Unit, requantise
from neurodeploy.ops.host.operation import FLOAT, WITH_ATTENTION, Call, Load, Operation, Tensor, Work

#: Positions that a table of cosines and sines holds at least.
LEAST = 256
#: Tables that are kept: a model has one to three sets of frequencies.
KEPT = 16
#: Work of one neuron in units of a multiply-add, for `threads.split`.
WORK_ROPE = 8
#: Cosines and sines are encoded in units of 2**ANGLE_EXP.
ANGLE_EXP = -14

_tables: dict[tuple[tuple[float, ...], str, float], tuple[Tensor, Tensor]] = {}


def cos_sin(call: Call) -> tuple[Tensor, Tensor]:
    """Cosine and sine (T, R / 2) of the call's positions, times the factor; tables are made once a set of frequencies."""
    import torch

    inv_freq, factor = call.attrs["inv_freq"], call.attrs.get("factor", 1.0)
    first, stop = call.state.position, call.state.position + call.inputs[0].shape[0]
    key = (inv_freq, call.device, factor)
    table = _tables.get(key)
    if table is None or table[0].shape[0] < stop:
        if table is None and len(_tables) >= KEPT:
            _tables.clear()
        rows = max(LEAST, 1 << (stop - 1).bit_length())
        angle = np.arange(rows, dtype=np.float32)[:, None] * np.asarray(inv_freq, np.float32)[None, :]
        wide = angle.astype(np.float64)
        table = (
            torch.from_numpy((factor * np.cos(wide)).astype(np.float32)).to(call.device),
            torch.from_numpy((factor * np.sin(wide)).astype(np.float32)).to(call.device),
        )
        _tables[key] = table
    return table[0][first:stop], table[1][first:stop]


@jit
def rotate(part, parts, x, cosine, sine, apart, out):  # type: ignore[no-untyped-def]
    """Rotate pairs of neurons of x (T, heads, D) that are so far `apart` by the angles of cosine, sine (T, R/2): the pairs
    follow one another where they are neighbours, otherwise the first of each do. Neurons from R on pass."""
    tokens, heads, dim = x.shape
    half = cosine.shape[1]
    stride = 2 if apart == 1 else 1
    for t in range(tokens * part // parts, tokens * (part + 1) // parts):
        c, s = cosine[t], sine[t]
        for h in range(heads):
            source, target = x[t, h], out[t, h]
            for i in range(half):
                low, high = source[stride * i], source[stride * i + apart]
                target[stride * i] = low * c[i] - high * s[i]
                target[stride * i + apart] = high * c[i] + low * s[i]
            for i in range(2 * half, dim):
                target[i] = source[i]


def on_cpu(call: Call) -> Tensor:
    x, dim = call.inputs[0].contiguous(), call.attrs["head_dim"]
    out, shape = empty_like(x), (x.shape[0], x.shape[1] // dim, dim)
    cosine, sine = (angle.numpy() for angle in cos_sin(call))
    apart = len(call.attrs["inv_freq"]) if call.attrs["style"] == "half" else 1
    split(rotate, x.numel() * WORK_ROPE, x.view(shape).numpy(), cosine, sine, apart, out.view(shape).numpy())
    return out


def on_torch(call: Call) -> Tensor:
    import torch

    x, dim, half = call.inputs[0], call.attrs["head_dim"], len(call.attrs["inv_freq"])
    cosine, sine = (part[:, None, :] for part in cos_sin(call))
    rows = x.reshape(x.shape[0], x.shape[1] // dim, dim)
    turned, passing = rows[..., : 2 * half], rows[..., 2 * half :]
    axis, shape = (2, (2, half)) if call.attrs["style"] == "half" else (3, (half, 2))
    low, high = turned.reshape(*rows.shape[:2], *shape).unbind(axis)
    pairs = torch.stack((low * cosine - high * sine, high * cosine + low * sine), axis)
    return torch.cat((pairs.reshape(turned.shape), passing), 2).view(x.shape)


def work(load: Load) -> Work:
    n, dim = load.values, load.attrs["head_dim"]
    rotated = load.attrs.get("rotated", dim)
    return Work(3 * n * rotated // dim, FLOAT * (2 * n + load.tokens * rotated))


def fits(attrs: Attrs, inputs: Sizes, outputs: Sizes) -> bool:
    dim = attrs["head_dim"]
    if not checks.one_to_one(attrs, inputs, outputs) or inputs[0] % dim:
        return False
    return bool(2 * len(attrs["inv_freq"]) == attrs.get("rotated", dim) <= dim)


def pairs_of(attrs: Attrs, size: int) -> tuple[Ints, Ints, Ints]:
    """Of all neurons that are the first of a pair: itself, the second, and the number of its angle."""
    dim, half = int(attrs["head_dim"]), len(attrs["inv_freq"])
    stride, apart = (1, half) if attrs["style"] == "half" else (2, 1)
    angle = np.tile(np.arange(half), size // dim)
    low = np.repeat(np.arange(0, size, dim), half) + stride * angle
    return low, low + apart, angle


def lower(asked: ToLower) -> Lowered | None:
    """None where units of a pair differ by more than the shifts of a neuron, or are beyond a multiplier."""
    op, (x,), (wanted,) = asked.op, asked.inputs, asked.wanted
    low, high, angle = pairs_of(op.attrs, x.size)
    factor = float(str(op.attrs.get("factor", 1.0)))
    log = ANGLE_EXP if factor < 2 else ANGLE_EXP + int(np.ceil(np.log2(factor)))
    exponent = np.zeros(x.size, np.int64) if x.unit.exponent is None else x.unit.exponent.astype(np.int64)
    other, finer = exponent.copy(), exponent.copy()
    other[low], other[high] = exponent[high], exponent[low]
    finer[low] = finer[high] = np.minimum(exponent[low], exponent[high])
    units = np.ldexp(x.unit.scale.value, finer + log)
    params = requantise(units, wanted.unit.steps(x.size), wanted.unit.bits)
    if params is None or max((exponent - finer).max(), (other - finer).max()) > EXPONENT_MAX:
        return None
    passing = np.ones(x.size, np.int64)
    passing[low] = passing[high] = 0
    params |= {"a_exp": exponent - finer, "b_exp": other - finer, "c_bias": passing << -log}
    shared = {key: op.attrs[key] for key in ("inv_freq", "factor") if key in op.attrs}
    given = asked.by_position("rope_angles", shared, 2 * len(op.attrs["inv_freq"]), Unit(Dyadic(1, log), 16))  # type: ignore[arg-type]
    out = Population(wanted.name, (x.size,), "graded_rotation", params, layer=op.layer)
    rows, ones = np.concatenate([low, high]), np.ones(low.size, np.int8)
    inputs = [
        x.into(out),
        x.onto(out, "b", rows, np.concatenate([high, low]), np.concatenate([-ones, ones])),
        given.onto(out, "c", rows, np.tile(angle, 2)),
        given.onto(out, "d", rows, np.tile(angle, 2) + given.size // 2),
    ]
    return Lowered([out], inputs, [Signal(out, 0, x.size, wanted.unit)])


OPERATION = Operation(
    on_cpu, on_torch, work,
    Reason(
        "position-dependent",
        "cosines and sines of the position, and attention reads the result on the host",
        WITH_ATTENTION.format("one neuron a value, with cosines and sines from the host once a token"),
    ),
    attrs={"head_dim": checks.natural, "inv_freq": checks.numbers, "style": lambda value: value in ("half", "interleaved")},
    optional={"rotated": checks.natural, "factor": checks.positive}, fits=fits, lowering=lower, attends=True,
)  # fmt: skip
