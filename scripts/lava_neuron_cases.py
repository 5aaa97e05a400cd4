"""Parameters, initial states and inputs that `record_lava_neurons.py` gives to Lava: typical ones and the ends."""

from __future__ import annotations

from typing import Any

import numpy as np

STEPS, SIZE, SEED = 32, 22, 20_240_607
EDGES = [sign * (2**k + d) for k in (14, 15, 16, 17, 18, 23, 24, 25, 30) for d in (-1, 0, 1) for sign in (1, -1)]
EDGES += [46340, 46341, -46341, 3 * 2**17, 2**31 - 1, -(2**31)]
SPANS = (3, 40, 600, 2**13, 2**16, 2**18, 2**22, 2**26, 2**30)


def make_input(rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """Neuron by neuron another span, the last ones the edges and all of int32; some steps without input."""
    columns = []
    for neuron in range(size):
        kind = neuron % (len(SPANS) + 2)
        if kind < len(SPANS):
            column = rng.integers(-SPANS[kind], SPANS[kind] + 1, STEPS)
        elif kind == len(SPANS):
            column = rng.choice(EDGES, STEPS)
        else:
            column = rng.integers(-(2**31), 2**31, STEPS)
        column = np.where(rng.random(STEPS) < 0.2, 0, column)
        if kind == len(SPANS) + 1:
            column[:2] = EDGES[-2:][:: 1 if neuron < size // 2 else -1]
        columns.append(column)
    return np.stack(columns, axis=1).astype(np.int32)


def bias(rng: np.random.Generator, exponents: tuple[int, int]) -> dict[str, list[int]]:
    return {
        "bias_mant": rng.integers(-4096, 4096, SIZE).tolist(),
        "bias_exp": rng.integers(*exponents, SIZE).tolist(),
    }


def lif_cases(rng: np.random.Generator, extra: tuple[dict[str, int], ...] = ({},)) -> list[dict[str, Any]]:
    ends = np.resize([-(2**15), 2**15 - 1, -5, 0], SIZE).tolist()
    full = np.resize([2**23, -(2**23), 2**23 - 1, 0, -1], SIZE).tolist()
    base = [
        ({"du": 409, "dv": 128, "vth": 40}, {}),
        ({"du": 1023, "dv": 0, "vth": 2**17 - 1, **bias(rng, (0, 8))}, {}),
        ({"du": 0, "dv": 4096, "vth": 0, **bias(rng, (-15, 1))}, {}),
        (
            {"du": 4095, "dv": 1, "vth": 1000, "bias_mant": ends, "bias_exp": np.resize([15, -15, -1], SIZE).tolist()},
            {},
        ),
        ({"du": -1, "dv": 4095, "vth": 2**17}, {"u": full, "v": full[::-1]}),
        ({"du": 7, "dv": 3, "vth": -(2**17)}, {"u": full[::-1], "v": full}),
        ({"du": 2000, "dv": 30, "vth": -20}, {}),
    ]
    return [
        {"params": {**params, **extra[k % len(extra)]}, "initial": initial} for k, (params, initial) in enumerate(base)
    ]


def ternary_cases(rng: np.random.Generator) -> list[dict[str, Any]]:
    cases = lif_cases(rng)
    for k, case in enumerate(cases):
        vth = case["params"].pop("vth")
        case["params"].update(vth_hi=vth, vth_lo=(min(-vth, vth), vth, -(2**17))[k % 3])
    return cases


def atrlif_cases(rng: np.random.Generator) -> list[dict[str, Any]]:
    names = ("delta_i", "delta_v", "delta_theta", "delta_r", "theta_0", "theta_step")
    full = np.resize([2**23, -(2**23), 2**23 - 1, 0, -1], SIZE).tolist()
    rows = [
        ((1638, 1638, 819, 819, 5, 3), {}, {}),
        ((0, 0, 0, 0, 2**17 - 1, 2**17 - 1), bias(rng, (0, 8)), {}),
        ((4096, 4096, 4096, 4096, 0, 0), bias(rng, (-15, 1)), {}),
        ((409, 41, 4, 40, 100, 1000), {}, {"i": full, "v": full[::-1], "r": full[1:] + full[:1]}),
        ((1, 1, 1, 1, 1, 2**17 - 1), {}, {"r": -(2**23)}),
    ]
    return [
        {"params": {**dict(zip(names, row, strict=True)), **more}, "initial": initial} for row, more, initial in rows
    ]


def delta_cases(rng: np.random.Generator, neuron: bool, modes: bool = True) -> list[dict[str, Any]]:
    full = np.resize([2**23, -(2**23), 2**23 - 1, 0, -1, 77], SIZE).tolist()
    cases = []
    rows = ((10, 0, 0), (3, 6, 6), (0, 0, 6), (2**15, 10, 5), (1, 15, 15), (2**24 - 1, 0, 7), (5, 6, 0))
    for k, (vth, spike_exp, state_exp) in enumerate(rows):
        for cum_error in (0, 1) if modes else (0,):
            params: dict[str, Any] = {"vth": vth, "spike_exp": spike_exp, "state_exp": state_exp}
            initial: dict[str, Any] = {}
            if modes:
                params["cum_error"] = cum_error
            if neuron:
                high = min(2**15, 2 ** (30 - spike_exp - state_exp))
                params["bias"] = rng.integers(-high, high, SIZE).tolist()
                params["act_mode"] = (k + cum_error) % 2
            if k == 2:
                initial = {"act": full, **({"sigma": full[::-1]} if neuron else {})}
                if modes:
                    initial.update(residue=full[::-1], error=full)
            cases.append({"params": params, "initial": initial})
    return cases


def rf_cases(rng: np.random.Generator, rf: Any) -> list[dict[str, Any]]:
    full = np.resize([2**23, -(2**23), 2**23 - 1, 0, -1], SIZE).tolist()
    cases = []
    for period, alpha, decay_bits, state_exp, vth in (
        (10, 0.07, 12, 6, 5),
        (3.5, 0.01, 12, 0, 100),
        (50, 0.0, 14, 3, 1),
    ):
        process = rf(shape=(1,), period=period, alpha=alpha, decay_bits=decay_bits, state_exp=state_exp, vth=vth)
        sin, cos = int(process.sin_decay.init), int(process.cos_decay.init)
        cases.append((sin, cos, decay_bits, state_exp, vth, {}))
    cases.append((2**15, -(2**15), 15, 0, -(2**23), {"real": full, "imag": full[::-1]}))
    cases.append((-(2**15), 2**15, 0, 6, 2**24, {"real": full[::-1], "imag": full}))
    cases.append((3, 1, 0, 23, 127, {}))
    cases.append((4096, 100, 12, 6, 0, {}))
    names = ("sin_decay", "cos_decay", "decay_bits", "state_exp", "vth")
    return [{"params": dict(zip(names, row[:5], strict=True)), "initial": row[5]} for row in cases]


def rf_zero_cases(rng: np.random.Generator) -> list[dict[str, Any]]:
    freqs, tau = np.linspace(1, 450, SIZE), np.geomspace(0.001, 1.0, SIZE)
    decay = np.exp(-0.001 / tau)
    lct = (decay * np.cos(0.001 * freqs * np.pi * 2) * 2**15).astype(np.int32).tolist()
    lst = (decay * np.sin(0.001 * freqs * np.pi * 2) * 2**15).astype(np.int32).tolist()
    full = np.resize([2**23, -(2**23), 2**23 - 1, 0, -1], SIZE).tolist()
    return [
        {"params": {"lct": lct, "lst": lst, "uth": 1}, "initial": {}},
        {"params": {"lct": lct, "lst": lst, "uth": -(2**23)}, "initial": {"u": full, "v": full[::-1]}},
        {"params": {"lct": 2**15, "lst": -(2**15), "uth": 2**23 - 1}, "initial": {"u": full[::-1], "v": full}},
        {"params": {"lct": 0, "lst": 2**15, "uth": 0}, "initial": {}},
    ]


def graded_cases(thresholds: tuple[int, ...], **more: tuple[int, ...]) -> list[dict[str, Any]]:
    full = np.resize([2**23, -(2**23), 2**23 - 1, 0, -1], SIZE).tolist()
    cases = []
    for k, vth in enumerate(thresholds):
        params = {"vth": vth, **{name: values[k] for name, values in more.items()}}
        cases.append({"params": params, "initial": {"v": full} if k == 1 and not more else {}})
    return cases


def refractory_cases() -> list[dict[str, Any]]:
    """Lava has this model in floats only: full decay of u and none of v, so that every value is a small integer."""
    rows = ((40, 3), (40, 1), (100, 2), (7, 5), (1000, 63), (-3, 2))
    return [
        {"params": {"du": 4095, "dv": 0, "vth": vth, "refractory_period": period, "bias_mant": 3}, "initial": {}}
        for vth, period in rows
    ]


def roots(rng: np.random.Generator) -> np.ndarray:
    """Inputs of the inverse root: small ones, around each power of two, at random, beyond 24 bits; none negative."""
    near = [2**k + d for k in range(31) for d in (-1, 0, 1, 7)] + [0, 2**31 - 1, 0, 1]
    spread = np.floor(np.exp2(rng.uniform(0, 31, 600))).astype(np.int64)
    values = np.concatenate([np.arange(300), [n for n in near if n >= 0], spread])
    return np.minimum(values, 2**31 - 1).astype(np.int32)[:, None]
