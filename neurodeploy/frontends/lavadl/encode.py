"""Populations and synapses as the fields of a `.net` layer: the inverse of `neurons.py`, `layers.py` and `kernels.py`.

What is not exactly expressible need not be found here: `write_net` reads every file back and compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from neurodeploy.errors import UserError
from neurodeploy.frontends.lavadl.neurons import SDNN_BITS, through_period
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import prepared_params
from neurodeploy.synapses import Conv

#: Fields of a layer: paths to integers, arrays, flags and texts.
Fields = dict[str, Any]


def refuse(population: str, problem: str) -> UserError:
    """ND1290."""
    fix = "keep it as a bundle or NIR, or change the population"
    return UserError("ND1290", f"population {population}", f"cannot be written as .net: {problem}", fix)


def _given(values: Ints, shape: tuple[int, ...]) -> int | Ints:
    """One value, or the values of all neurons in the file's order (channel, y, x)."""
    if bool((values == values[0]).all()):
        return int(values[0])
    return np.ascontiguousarray(values.reshape(shape).transpose())


def neuron_fields(population: Population, graded: bool) -> Fields:
    """The group ``neuron`` and ``bias``. `graded`: whether payloads of this population count somewhere."""
    params = prepared_params(population)
    encode = _ENCODERS.get(population.model)
    if encode is None:
        raise refuse(population.name, f"the format has no neuron of model {population.model}")
    values = {name: _given(value, population.shape) for name, value in params.items()}
    fields = {f"neuron/{name}": value for name, value in encode(values, population.name).items()}
    default = SDNN_BITS if fields["neuron/type"] == "SDNN" else 0
    if graded != (default > 0) and population.model not in ("rf", "rf_iz", "atrlif"):
        fields["neuron/messageBits"] = SDNN_BITS if graded else 0
    bias = params.get("bias_mant", params.get("bias"))
    if bias is not None and bool(bias.any()):
        full = np.broadcast_to(bias, (population.size,)).reshape(population.shape)
        channels = full.reshape(-1, population.shape[-1])
        same = bool((channels == channels[0]).all())
        fields["bias"] = np.ascontiguousarray(channels[0] if same else full)
    return fields


def _cuba(p: Mapping[str, Any], name: str) -> Fields:
    if p["bias_exp"] != 6 and np.any(p["bias_mant"]):
        raise refuse(name, "its bias has another exponent than 6")
    return {"type": "CUBA", "iDecay": p["du"] + 1, "vDecay": p["dv"], "vThMant": p["vth"], "refDelay": 1}


def _alif(p: Mapping[str, Any], name: str) -> Fields:
    decays = {"iDecay": p["delta_i"] + 1, "vDecay": p["delta_v"], "thDecay": p["delta_theta"], "refDecay": p["delta_r"]}
    return {"type": "ALIF", **decays, "vThMant": p["theta_0"], "vThStep": p["theta_step"], "refDelay": 1}


def _sdnn(p: Mapping[str, Any], name: str) -> Fields:
    if np.any(p["cum_error"]) or p["spike_exp"] != 6 or p["state_exp"] != 6 or p.get("act_mode", 1) != 1:
        raise refuse(name, "its exponents are not 6, it sums errors or is not relu")
    return {"type": "SDNN", "activation": "relu", "vThMant": p["vth"]}


def _sigma(p: Mapping[str, Any], name: str) -> Fields:
    return {"type": "SDNN", "activation": "relu", "sigma_output": True}


def _resonator(kind: str) -> Any:
    def encode(p: Mapping[str, Any], name: str) -> Fields:
        if p["state_exp"] != 6 or p["decay_bits"] != 12:
            raise refuse(name, "its exponent is not 6 or its decays do not have 12 bits")
        sin, cos = _before_period(np.asarray(p["sin_decay"]), np.asarray(p["cos_decay"]), name)
        return {"type": kind, "sinDecay": sin, "cosDecay": cos, "vThMant": p["vth"]}

    return encode


def _before_period(sin: Ints, cos: Ints, name: str) -> tuple[Ints, Ints]:
    """Sine and cosine that netx's way through the period turns into the given ones: equal or a unit larger."""
    sin, cos = np.broadcast_arrays(sin, cos)
    found = np.full(sin.shape, False)
    before = [sin.copy(), cos.copy()]
    for more in product((0, 1), repeat=2):
        tried = [v + m * np.where(v < 0, -1, 1) for v, m in zip((sin, cos), more, strict=True)]
        again = through_period(tried[0], tried[1])
        good = ~found & (again[0] == sin) & (again[1] == cos)
        for into, value in zip(before, tried, strict=True):
            np.copyto(into, value, where=good)
        found |= good
    if not found.all():
        raise refuse(name, "no sine and cosine of the file become its own")
    return before[0], before[1]


_ENCODERS: Mapping[str, Any] = {
    "lif": _cuba,
    "atrlif": _alif,
    "delta": _sdnn,
    "sigma_delta": _sdnn,
    "sigma": _sigma,
    "rf": _resonator("RF_PHASE"),
    "rf_iz": _resonator("RF_IZHIKEVICH"),
}


def whole_weights(p: Projection, weight: Ints) -> Ints:
    """Weights with their exponent, which must leave integers."""
    if p.weight_exp >= 0:
        return weight.astype(np.int64) << p.weight_exp
    scaled = weight.astype(np.int64) >> -p.weight_exp
    if bool((scaled << -p.weight_exp != weight).any()):
        raise refuse(p.target, f"projection {p.name} has weights that are not whole with their exponent")
    return scaled


def matrix(p: Projection, source: tuple[int, ...]) -> tuple[Ints, Ints | None]:
    """Weights (rows, columns) and delays with the columns in the file's order."""
    s = p.synapse
    full, delay = np.zeros((2, s.rows, s.columns), np.int64)
    coo = s.coo()
    full[coo.row, coo.column] = whole_weights(p, coo.weight)
    delay[coo.row, coo.column] = p.delays_of(coo)
    # The column of the file at (channel, y, x) is the one here at (x, y, channel).
    order = np.arange(s.columns).reshape(source).transpose().reshape(-1)
    return full[:, order], delay[:, order] if delay.any() else None


def kernel(s: Conv) -> Ints:
    """(out, in / groups, ky, kx), of a transposed one (in, out / groups, ky, kx)."""
    weight = s.weight
    if not s.transposed:
        plain: Ints = weight.transpose(0, 3, 2, 1)
        return plain
    out, kx, ky, inputs = weight.shape
    split = weight.reshape(s.groups, out // s.groups, kx, ky, inputs)
    turned: Ints = split.transpose(0, 4, 1, 3, 2).reshape(s.groups * inputs, out // s.groups, ky, kx)
    return turned
