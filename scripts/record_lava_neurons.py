"""Record what Lava's own neuron classes compute, for the tests of `neurodeploy.neurons`.

Run with a Python that has lava-nc 0.10.0 (3.10), from the project's root::

    python scripts/record_lava_neurons.py tests/neurons/fixtures [--corrected sdn_models.py]

Each ProcessModel of Lava is made outside its runtime: Vars are filled as `py_builder.py` fills them, ports are
replaced by lists that cast as Lava's channels do (int32 by copying), `time_step` counts from 1, and `run_spk` is
called. One file a model, ``<name>.npz``: `cases`, a JSON list of {params, initial}; ``in/<port>``, the inputs of all
cases; and for case k the arrays ``k/out/<port>`` and ``k/state/<variable>``, each (steps, size) int32, states after
each step.

`--corrected` names the `src/lava/proc/sdn/models.py` of Lava's main branch, whose corrected sigma-delta neuron is in no
release. Inputs are drawn with a fixed seed: tiny to the ends of int32, and the values around every wrap.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lava_neuron_cases as cases
import numpy as np
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava_neuron_cases import SEED, SIZE, STEPS


@dataclass
class Recipe:
    """How a model of ours is one of Lava's: classes, and our names of ports, outputs and states -> Lava's."""

    process: str
    model: str
    ports: Mapping[str, str] = field(default_factory=lambda: {"a": "a_in"})
    outputs: Mapping[str, str] = field(default_factory=lambda: {"s": "s_out"})
    state: Mapping[str, str] = field(default_factory=dict)
    to_lava: Callable[[dict[str, Any]], dict[str, Any]] = lambda p: p
    overrides: Callable[[dict[str, Any]], dict[str, Any]] = lambda p: {}
    gain: int = 1
    size: int = SIZE


class In:
    """A port that yields prepared rows, added to zeros of its own type as `PyInPortVectorDense.recv` does."""

    def __init__(self, rows: np.ndarray, dtype: Any) -> None:
        self.rows, self.dtype, self.at = rows, dtype, 0

    def recv(self) -> np.ndarray:
        row = self.rows[self.at]
        self.at += 1
        return np.zeros(row.shape, self.dtype) + row


class Out:
    """A port that copies what is sent into an array of the channel's type."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.shape, self.dtype, self.sent = shape, dtype, []

    def send(self, data: np.ndarray) -> None:
        assert data.shape == self.shape, (data.shape, self.shape)
        row = np.zeros(self.shape, self.dtype)
        row[:] = data
        self.sent.append(row.astype(np.int32))


def load(path: str) -> Any:
    """The class `module:name`, the module a name or a file."""
    place, name = path.rsplit(":", 1)
    if not place.endswith(".py"):
        return getattr(importlib.import_module(place), name)
    spec = importlib.util.spec_from_file_location("corrected_models", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def lava_types(cls: type) -> dict[str, LavaPyType]:
    found: dict[str, LavaPyType] = {}
    for base in reversed(cls.__mro__):
        found.update({name: value for name, value in vars(base).items() if isinstance(value, LavaPyType)})
    return found


def run(recipe: Recipe, case: dict[str, Any], inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One case through Lava's class: arrays by ``out/..`` and ``state/..``."""
    steps = len(next(iter(inputs.values()))) if inputs else STEPS
    process = load(recipe.process)(shape=(recipe.size,), **recipe.to_lava(dict(case["params"])))
    cls = load(recipe.model)
    model = cls(process.proc_params)
    lava_initial = {recipe.state[name]: value for name, value in case["initial"].items()}
    overrides = {**recipe.overrides(case["params"]), **lava_initial}
    outs: dict[str, Out] = {}
    for name, kind in lava_types(cls).items():
        if issubclass(kind.cls, PyInPort):
            ours = next(port for port, lava in recipe.ports.items() if lava == name)
            object.__setattr__(model, name, In(inputs[ours] * recipe.gain, kind.d_type))
        elif issubclass(kind.cls, PyOutPort):
            outs[name] = Out((recipe.size,), kind.d_type)
            object.__setattr__(model, name, outs[name])
        elif hasattr(process, name):  # a Var, as py_builder.py fills it
            var = getattr(process, name)
            value = overrides.get(name, var.init)
            if issubclass(kind.cls, np.ndarray):
                array = np.empty(var.shape, kind.d_type)
                array[:] = value
                value = array
            object.__setattr__(model, name, value)
    states: dict[str, list[np.ndarray]] = {name: [] for name in recipe.state}
    for t in range(1, steps + 1):
        model.time_step = t
        model.run_spk()
        for name, lava in recipe.state.items():
            states[name].append(np.array(getattr(model, lava)).astype(np.int64))
    arrays = {f"out/{port}": np.stack(outs[lava].sent) for port, lava in recipe.outputs.items()}
    for name, rows in states.items():
        stacked = np.stack(rows)
        assert (stacked == stacked.astype(np.int32)).all(), name
        arrays[f"state/{name}"] = stacked.astype(np.int32)
    return arrays


def refractory_to_lava(p: dict[str, Any]) -> dict[str, Any]:
    """The same neuron in Lava's floats: decays of 1 and 0, units of 64 (`gain`) multiplied out."""
    return {**p, "du": 1.0, "dv": 0.0, "vth": p["vth"] * 64}


def recipes(corrected: str | None) -> dict[str, tuple[Recipe, Callable[[np.random.Generator], list[dict[str, Any]]]]]:
    uv = {"u": "u", "v": "v"}
    lif, sdn, graded = "lava.proc.lif", "lava.proc.sdn", "lava.proc.graded"
    resets = tuple({"reset_interval": i, "reset_offset": o} for i, o in ((1, 0), (5, 2), (7, 20), (2**31 - 1, 3)))
    encoder = {"act": "act", "residue": "residue", "error": "error"}
    resonator = {"ports": {"re": "a_real_in", "im": "a_imag_in"}, "state": {"real": "real", "imag": "imag"}}

    def rf_to_lava(p: dict[str, Any]) -> dict[str, Any]:
        return {"period": 10.0, "alpha": 0.1, **{name: p[name] for name in ("vth", "state_exp", "decay_bits")}}

    def rf_overrides(p: dict[str, Any]) -> dict[str, Any]:
        return {"sin_decay": np.int32(p["sin_decay"]), "cos_decay": np.int32(p["cos_decay"])}

    def atrlif_to_lava(p: dict[str, Any]) -> dict[str, Any]:
        return {name: value / 4096.0 if name.startswith("delta") else value for name, value in p.items()}

    def rf_zero_to_lava(p: dict[str, Any]) -> dict[str, Any]:
        return {"freqs": np.ones(SIZE), "decay_tau": np.ones(SIZE), "uth": p["uth"]}

    def rf_zero_overrides(p: dict[str, Any]) -> dict[str, Any]:
        return {name: np.array(p[name]) for name in ("lct", "lst")}

    def sigma_delta_to_lava(p: dict[str, Any]) -> dict[str, Any]:
        mode = load(f"{sdn}.process:ActivationMode")(p["act_mode"])
        return {**p, "bias": np.array(p["bias"]), "act_mode": mode, "cum_error": bool(p.get("cum_error", 0))}

    def table(rng: np.random.Generator) -> list[dict[str, Any]]:
        return cases.rf_cases(rng, load("lava.proc.rf.process:RF"))

    product = "lava.proc.prodneuron"
    two = {"a1": "a_in1", "a2": "a_in2"}
    found = {
        "lif": (
            Recipe(f"{lif}.process:LIF", f"{lif}.models:PyLifModelBitAcc", state=uv, to_lava=arrays),
            cases.lif_cases,
        ),
        "lif_reset": (
            Recipe(f"{lif}.process:LIFReset", f"{lif}.models:PyLifResetModelBitAcc", state=uv, to_lava=arrays),
            lambda rng: cases.lif_cases(rng, resets),
        ),
        "lif_refractory": (
            Recipe(
                f"{lif}.process:LIFRefractory", f"{lif}.models:PyLifRefractoryModelFloat", state=uv,
                to_lava=refractory_to_lava, gain=64,
            ),
            lambda rng: cases.refractory_cases(),
        ),
        "ternary_lif": (
            Recipe(f"{lif}.process:TernaryLIF", f"{lif}.models:PyTernLifModelFixed", state=uv, to_lava=arrays),
            cases.ternary_cases,
        ),
        "atrlif": (
            Recipe(
                "lava.proc.atrlif.process:ATRLIF", "lava.proc.atrlif.models:PyATRLIFModelFixed",
                state={"i": "i", "v": "v", "theta": "theta", "r": "r"}, to_lava=lambda p: arrays(atrlif_to_lava(p)),
            ),
            cases.atrlif_cases,
        ),
        "rf": (
            Recipe(
                "lava.proc.rf.process:RF", "lava.proc.rf.models:PyRFModelFixed", to_lava=rf_to_lava,
                overrides=rf_overrides, **resonator,
            ),
            table,
        ),
        "rf_iz": (
            Recipe(
                "lava.proc.rf_iz.process:RF_IZ", "lava.proc.rf_iz.models:PyRF_IZModelFixed", to_lava=rf_to_lava,
                overrides=rf_overrides, **resonator,
            ),
            table,
        ),
        "rf_zero": (
            Recipe(
                "lava.proc.resfire.process:RFZero", "lava.proc.resfire.models:PyRFZeroModelFixed",
                ports={"re": "u_in", "im": "v_in"}, state=uv, to_lava=rf_zero_to_lava, overrides=rf_zero_overrides,
            ),
            cases.rf_zero_cases,
        ),
        "sigma": (
            Recipe(f"{sdn}.process:Sigma", f"{sdn}.models:PySigmaModelFixed", state={"sigma": "sigma"}),
            lambda rng: [{"params": {}, "initial": {}}, {"params": {}, "initial": {"sigma": 2**23}}],
        ),
        "delta": (
            Recipe(
                f"{sdn}.process:Delta", f"{sdn}.models:PyDeltaModelFixed", state=encoder,
                to_lava=lambda p: {**p, "cum_error": bool(p["cum_error"])},
            ),
            lambda rng: cases.delta_cases(rng, neuron=False),
        ),
        "sigma_delta": (
            Recipe(
                f"{sdn}.process:SigmaDelta", f"{sdn}.models:PySigmaDeltaModelFixed",
                state={"sigma": "sigma", **encoder}, to_lava=sigma_delta_to_lava,
            ),
            lambda rng: cases.delta_cases(rng, neuron=True),
        ),
        "graded_vec": (
            Recipe(f"{graded}.process:GradedVec", f"{graded}.models:PyGradedVecModelFixed", state={"v": "v"}),
            lambda rng: cases.graded_cases((0, 1, 1000, 2**24 - 1)),
        ),
        "graded_relu": (
            Recipe(f"{graded}.process:GradedReluVec", f"{graded}.models:PyGradedReluVecModelFixed", state={"v": "v"}),
            lambda rng: cases.graded_cases((0, 1, -1000, 2**24 - 1, -(2**24))),
        ),
        "product": (
            Recipe(f"{product}.process:ProdNeuron", f"{product}.models:PyProdNeuronModelFixed", two),
            lambda rng: cases.graded_cases((0, 1, 50, 2**24 - 1), exp=(0, 7, 31, 1)),
        ),
        "norm_vec": (
            Recipe(
                f"{graded}.process:NormVecDelay", f"{graded}.models:NormVecDelayModel", two,
                {"s": "s_out", "s2": "s2_out"}, {"v": "v", "v2": "v2"},
            ),
            lambda rng: cases.graded_cases((0, 1, 2**24 - 1)),
        ),
        "inv_sqrt": (
            Recipe(f"{graded}.process:InvSqrt", f"{graded}.models:InvSqrtModelFP", size=1),
            lambda rng: [{"params": {}, "initial": {}}],
        ),
        "spiker": (
            Recipe(
                "lava.proc.spiker.process:Spiker", "lava.proc.spiker.models:SpikerModel", ports={},
                state={"counter": "counter"}, to_lava=lambda p: {"period": p["rate"], "payload": p["payload"]},
            ),
            lambda rng: [
                {"params": {"rate": rate, "payload": payload}, "initial": {}}
                for rate, payload in ((3, 1), (0, -7), (1, 2**31 - 1), (47, -(2**31)))
            ],
        ),
    }  # fmt: skip
    if corrected:
        found["sigma_delta_corrected"] = (
            Recipe(
                f"{sdn}.process:SigmaDelta", f"{corrected}:PySigmaDeltaModelFixedCorrected",
                state={"sigma": "sigma", "act": "act"}, to_lava=sigma_delta_to_lava,
            ),
            lambda rng: cases.delta_cases(rng, neuron=True, modes=False),
        )  # fmt: skip
    return found


def arrays(p: dict[str, Any]) -> dict[str, Any]:
    return {name: np.array(value) if isinstance(value, list) else value for name, value in p.items()}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--corrected", help="src/lava/proc/sdn/models.py of Lava's main branch")
    chosen = options.parse_args()
    np.seterr(over="ignore")
    for name, (recipe, make) in recipes(chosen.corrected).items():
        rng = np.random.default_rng([SEED, *name.encode()])
        made = make(rng)
        inputs = {port: cases.make_input(rng, recipe.size) for port in recipe.ports}
        if name == "inv_sqrt":
            inputs = {"a": cases.roots(rng)}
        elif name == "lif_refractory":
            inputs = {"a": rng.integers(-20, 60, (STEPS * 3, SIZE)).astype(np.int32)}
        stored = {f"in/{port}": rows for port, rows in inputs.items()}
        for k, case in enumerate(made):
            stored.update({f"{k}/{key}": value for key, value in run(recipe, case, inputs).items()})
        target = chosen.folder / f"{name}.npz"
        np.savez_compressed(target, cases=json.dumps(made), **stored)
        print(f"{target}: {len(made)} cases, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
