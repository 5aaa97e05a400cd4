"""Causal softmax attention over keys and values that the population itself remembers: a token a step, integers throughout.

The population is `heads` heads of `head_dim` neurons; neuron d of head h has q[h, d] at port q. Heads share keys and values
in groups of ``heads / kv_heads``: those of a group arrive at ports k and v of its first head's neurons and are kept once.
Equation of the token at position ``i = t - 1``, inputs held in 32 bits (`neurons/registers.py`)::

    q'_hd = saturate(round_shift(q_hd * q_multiplier_hd, q_shift_hd), 16)
    k'_d  = saturate(round_shift(k_d * k_multiplier_d, k_shift_d), kv_bits)       kept as key[i mod slots, d];  v' likewise
    x_hj  = saturate(round_shift(sum_d q'_hd key[j, d], score_shift_h), 32)       in units of log2(e) / 2**8
    p_hj  = round_shift(EXP[x_hj mod 2**8], M_h - (x_hj >> 8))                    M_h = max_j (x_hj >> 8): whole powers of 2
    z_h   = sum_j p_hj,    a_hd = sum_j p_hj value[j, d]                          exact, in any order
    s_hd  = requantised(round_shift(a_hd, c_h) * reciprocal(z_h >> c_h))          c_h = bits of z_h - 16

    EXP[i] = 2**5 * round(2**15 * 2**(i / 2**8)), 256 entries of 16 bits
    reciprocal(m) = (y * (2**32 - m y)) >> 31,  y = INVERSE[(m >> 7) - 256]       ~ 2**31 / m, 256 entries of 16 bits

over the positions j that are visible: of the last `slots` (`kind` FULL and WINDOW, a ring), or those with ``j // slots =
i // slots`` (CHUNK). In a FULL population the first key that gives way to a new one is an error of whoever chose the
context: each value of it is counted in `wrapped`.

Because the maximum is that of all positions and is kept in whole powers of two, p is a table's entry and a shift, and all
sums are of integers: whichever core holds which block of positions, the bits are the same. What weighs less than 2**-21 of
the largest is nothing. An entry of EXP is off by at most
2**-16 of itself, an index by half of 2**-8 of a power of two (1.4e-3 of p at most, 4e-4 in the mean), the reciprocal
by 5e-5.

A neuron of our own, and *hypothetical*: nobody has published attention, or a memory of keys and values, on Loihi 2. Its
arithmetic is that of neuron programs (Intel, Loihi 2 technology brief, 2021); memory that is written row by row at run time
has one precedent, synapses imprinted by the learning engine. Softmax in powers of two: Stevens et al., arXiv
2103.09301. Counted in `saturated`: inputs, q', k', v', x, states of the result; in `saturated_out`: each s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurodeploy.ir.fixedpoint import SHIFT_MAX, STATE_BITS, Ints, round_shift, signed_max
from neurodeploy.neurons.arithmetic import Integers, Reals
from neurodeploy.neurons.model import Arrays, Memory, NeuronModel, Param, Port, StateVar, Values
from neurodeploy.neurons.registers import REGISTER_BITS, REQUANTISE, held, reach_requantised, requantised

FULL, WINDOW, CHUNK = range(3)
#: Bits of a coded query, of the fraction of a score, of a weight p at the maximum, of a sum that is inverted.
QUERY_BITS, FRACTION_BITS, WEIGHT_BITS, INVERTED_BITS = 16, 8, 20, 16
#: The result is in units of value * 2**-RESULT_EXP.
RESULT_EXP = 31
EXP = np.rint(2.0 ** (15 + np.arange(1 << FRACTION_BITS) / (1 << FRACTION_BITS))).astype(np.int64) << (WEIGHT_BITS - 15)
INVERSE = (2**32 // (128 * np.arange(256, 512, dtype=np.int64) + 64) + 1) >> 1
#: Positions that a memory can hold, and heads and neurons of a head that a population can have.
SLOTS_MAX, HEADS_MAX, HEAD_MAX = 1 << 17, 1 << 10, 1 << 10

FACTOR, SHIFT = Param(-(2**15), 2**15 - 1, "factor of an input"), Param(0, SHIFT_MAX, "right shift of the product")
PARAMS = {
    "heads": Param(1, HEADS_MAX, "heads", per_neuron=False),
    "kv_heads": Param(1, HEADS_MAX, "heads of keys and values", per_neuron=False),
    "head_dim": Param(2, HEAD_MAX, "neurons of a head", per_neuron=False),
    "slots": Param(1, SLOTS_MAX, "positions that are remembered", per_neuron=False),
    "kind": Param(FULL, CHUNK, "full (0), sliding window (1), chunks (2)", FULL, per_neuron=False),
    "kv_bits": Param(2, 16, "width of a key and of a value", 16, per_neuron=False),
    "q_multiplier": FACTOR, "q_shift": SHIFT, "k_multiplier": FACTOR, "k_shift": SHIFT,
    "v_multiplier": FACTOR, "v_shift": SHIFT,
    "score_shift": Param(0, 62, "right shift of a sum of products, alike in a head"),
    **REQUANTISE,
}  # fmt: skip


def reciprocal(m: Ints) -> Ints:
    """``2**31 / m`` of 2**15 <= m < 2**16, by the rule of the module."""
    y = INVERSE[(m >> 7) - 256]
    found: Ints = y * ((1 << 32) - m * y) >> RESULT_EXP
    return found


def first_seen(position: Any, slots: int, kind: int) -> Any:
    """The first position that is visible from this one, or from each of these."""
    return position - position % slots if kind == CHUNK else np.maximum(0, position - slots + 1)


def weights(x: Ints) -> Ints:
    """p of scores x (.., positions): powers of two to 8 bits of the exponent, the largest from 2**20 on."""
    whole = x >> FRACTION_BITS
    behind = np.minimum(whole.max(axis=-1, keepdims=True) - whole, 2 * WEIGHT_BITS)
    return round_shift(EXP[x & ((1 << FRACTION_BITS) - 1)], behind)


def finished(on: Integers, a: Ints, z: Ints, params: Arrays) -> Ints:
    """s of sums a (.., size) and z, the sum of its head's weights for each neuron."""
    _, bits = np.frexp(z.astype(np.float64))
    c = bits.astype(np.int64) - INVERTED_BITS
    return requantised(on, round_shift(a, c) * reciprocal(z >> c), params)


def memory(params: Arrays) -> Memory:
    """Of the keys, and of the values; a score's weight is a value of its row."""
    names = ("heads", "slots", "kv_heads", "head_dim", "kv_bits")
    heads, slots, kv_heads, dim, bits = (int(params[name].item()) for name in names)
    full = int(params["kind"].item()) == FULL
    return Memory(slots, kv_heads * dim, bits, heads // kv_heads, heads, ("q",), full)


def coded(on: Integers, params: Arrays, inputs: Arrays) -> list[Ints]:
    """q', k', v' (.., size)."""
    found = []
    for port, bits in (("q", QUERY_BITS), ("k", int(params["kv_bits"].item())), ("v", int(params["kv_bits"].item()))):
        x = held(on, inputs[port]) * params[f"{port}_multiplier"]
        found.append(on.saturate(on.rounded(x, params[f"{port}_shift"]), bits))
    return found


def kept(old: Ints, new: Ints, position: int, slots: int) -> Ints:
    """A memory (samples, positions, numbers) with those of one more position in it."""
    if position < slots:
        return np.concatenate([old, new[:, None].astype(old.dtype)], axis=1)
    found: Ints = old.copy()
    found[:, position % slots] = new
    return found


def by_head(x: Ints, params: Arrays) -> Ints:
    """(samples, size) -> (samples, groups, heads of a group, neurons of a head)."""
    heads, groups = int(params["heads"].item()), int(params["kv_heads"].item())
    return x.reshape(len(x), groups, heads // groups, -1)


def equation(on: Integers, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """One time step of the equation above."""
    (slots, width, *_), kind, position = memory(params), int(params["kind"].item()), t - 1
    q, k, v = (by_head(x, params) for x in coded(on, params, inputs))
    samples, groups, _, dim = q.shape
    if kind == FULL and position >= slots:
        on.wrapped += 2 * samples * width
    for name, new in (("key", k), ("value", v)):
        state[name] = kept(state[name], new[:, :, 0].reshape(samples, width), position, slots)
    seen = np.arange(first_seen(position, slots, kind), position + 1) % slots
    keys, values = (
        state[name][:, seen].astype(np.int64).reshape(samples, -1, groups, dim) for name in ("key", "value")
    )
    shift = by_head(np.broadcast_to(params["score_shift"], (1, groups * q.shape[2] * dim)), params)[..., :1]
    x = on.saturate(on.rounded(np.einsum("sghd,sjgd->sghj", q, keys), shift), REGISTER_BITS)
    p = weights(x)
    a = np.einsum("sghj,sjgd->sghd", p, values)
    z = np.broadcast_to(p.sum(axis=-1, keepdims=True), a.shape)
    return {"s": finished(on, a.reshape(samples, -1), z.reshape(samples, -1), params)}


def real(on: Reals, params: Arrays, state: Values, inputs: Arrays, t: int) -> Values:
    """Attention in real numbers: nothing is rounded or clipped, powers of two are exact."""
    (slots, width, *_), position = memory(params), t - 1
    q, k, v = (
        by_head(inputs[port] * params[f"{port}_multiplier"] * np.exp2(-params[f"{port}_shift"].astype(float)), params)
        for port in "qkv"
    )
    samples, groups, _, dim = q.shape
    for name, new in (("key", k), ("value", v)):
        old = state[name].astype(np.float64)
        state[name] = kept(old, new[:, :, 0].reshape(samples, width), position, slots)
    seen = np.arange(first_seen(position, slots, int(params["kind"].item())), position + 1) % slots
    keys, values = (state[name][:, seen].reshape(samples, -1, groups, dim) for name in ("key", "value"))
    shift = by_head(np.broadcast_to(params["score_shift"], (1, groups * q.shape[2] * dim)), params)[..., :1]
    x = np.einsum("sghd,sjgd->sghj", q, keys) * np.exp2(-shift.astype(float) - FRACTION_BITS)
    p = np.exp2(x - x.max(axis=-1, keepdims=True))
    a = np.einsum("sghj,sjgd->sghd", p / p.sum(axis=-1, keepdims=True), values).reshape(samples, -1)
    return {"s": requantised(on, a * 2.0**RESULT_EXP, params)}


def consistent(params: Arrays) -> tuple[str, str] | None:
    """Groups that divide the heads, heads that are all neurons."""
    heads, groups, dim = (int(params[name].item()) for name in ("heads", "kv_heads", "head_dim"))
    if heads % groups:
        return f"has {heads} heads in {groups} groups", "give kv_heads that divide the heads"
    if params["q_multiplier"].size != heads * dim:
        return f"has other neurons than {heads} heads of {dim}", "give q_multiplier for each neuron of each head"
    return None


def reach(params: Arrays, largest: Mapping[str, int]) -> dict[str, int]:
    """Of the inputs and of the result, from the largest sums."""
    most = signed_max(int(params["kv_bits"].item())) << INVERTED_BITS
    return {"q, k, v": max(largest.values()), **reach_requantised(most * ((1 << INVERTED_BITS) + 1), params)}


def remembered(meaning: str) -> StateVar:
    return StateVar(16, meaning, memory=True)


MODEL = NeuronModel(
    name="graded_attention",
    params=PARAMS,
    state={"key": remembered("keys by position"), "value": remembered("values by position")},
    equation=equation,
    real=real,
    consistent=consistent,
    ports=dict.fromkeys("qkv", Port(exact=True)),
    out_bits=STATE_BITS,
    reach=reach,
    memory=memory,
)
