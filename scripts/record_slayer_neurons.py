"""Record what slayer's CUBA neuron (lava-dl 0.6.0) computes on the CPU, for the tests of `neurodeploy.neurons.cuba`.

Run with a Python that has lava-dl 0.6.0 and torch, from the project's root::

    python scripts/record_slayer_neurons.py tests/neurons/fixtures

Writes ``cuba.npz`` in the form that `record_lava_neurons.py` describes. Inputs are integers a, given to slayer as a /
64 (its weights are in units of 1 / 64), states come back multiplied by 4096; all stay below 2**24, where float32 is
exact.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from lava.lib.dl.slayer.neuron import cuba

STEPS, SIZE, SEED, UNIT = 40, 20, 7, 64 * 64


def shift_by(bias: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda current: current + bias / UNIT


def record(params: dict[str, int], a: np.ndarray) -> dict[str, np.ndarray]:
    """u, v after the reset, and spikes: (steps, size)."""
    bias = params.get("bias_mant", 0) << params.get("bias_exp", 0)
    neuron = cuba.Neuron(
        threshold=params["vth"] / 64,
        current_decay=params["du"] / 4096,
        voltage_decay=params["dv"] / 4096,
        norm=(lambda: shift_by(bias)) if bias else None,
    )
    assert (neuron.cx_current_decay, neuron.cx_voltage_decay) == (params["du"], params["dv"])
    assert neuron.v_th_mant == params["vth"]
    drive = torch.tensor(a.T[None] / 64, dtype=torch.float32)
    with torch.no_grad():
        current, voltage = neuron.dynamics(drive)
        spikes = neuron.spike(voltage)
    s, v, u = (x[0].numpy().T.astype(np.float64) for x in (spikes, voltage * UNIT, current * UNIT - bias))
    assert max(np.abs(u).max(), np.abs(v).max()) < 2**24
    assert all((x == np.rint(x)).all() for x in (s, u, v))
    found = {"out/s": s, "state/u": u, "state/v": v * (1 - s)}
    return {name: x.astype(np.int32) for name, x in found.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("folder", type=Path)
    folder = options.parse_args().folder
    rng = np.random.default_rng(SEED)
    spans = np.array([2, 30, 300, 2000, 4000])[np.arange(SIZE) % 5]
    a = rng.integers(-spans // 2, spans, (STEPS, SIZE))
    exact = np.array([1, 64, 4095, 4096, 5000, 40000])
    a[:, -1] = exact[np.arange(STEPS) % exact.size]  # meets each threshold with equality where nothing is kept
    cases = [{"du": 4096, "dv": 4096, "vth": int(vth)} for vth in exact]
    cases += [
        {"du": 409, "dv": 128, "vth": 80},
        {"du": 1024, "dv": 0, "vth": 4096},
        {"du": 4096, "dv": 37, "vth": 9000},
    ]
    cases += [{"du": 1000, "dv": 200, "vth": 500, "bias_mant": -9, "bias_exp": 6}, {"du": 3000, "dv": 1, "vth": 0}]
    stored = {"in/a": a.astype(np.int32)}
    for k, params in enumerate(cases):
        stored.update({f"{k}/{key}": value for key, value in record(params, a).items()})
    cases_text = json.dumps([{"params": params, "initial": {}} for params in cases])
    np.savez_compressed(folder / "cuba.npz", cases=cases_text, **stored)


if __name__ == "__main__":
    main()
