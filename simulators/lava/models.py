"""Which Lava process a neuron model is, and how its parameters and states are handed over.

The names of parameters and states are Lava's own wherever they are the same thing (`neurodeploy.neurons`), so most models
need no row. A model that Lava has not, or a population that a row's `refuses` speaks against, runs as a process
of our own on the same runtime (`worker/processes.py`), with the arithmetic of `neurodeploy.neurons`.

Source of the names: lava-nc 0.10.0 `lava/proc/*/process.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.neurons.registry import MODELS

#: Prepared parameters by name, int64 (1,) or (size,); first: steps done before the run.
Arguments = Callable[[Mapping[str, Ints], int], dict[str, Any]]
#: Why Lava's own process cannot take this population (parameters, state, neurons), "" where it can.
Refuses = Callable[[Mapping[str, Ints], Mapping[str, Ints], int], str]


def plain(value: Ints) -> Any:
    """One Python integer where all neurons share it, else the array."""
    return int(value[0]) if value.size == 1 else value


def all_of(params: Mapping[str, Ints], first: int) -> dict[str, Any]:
    """Every parameter under its own name."""
    return {name: plain(value) for name, value in params.items()}


def never(params: Mapping[str, Ints], state: Mapping[str, Ints], size: int) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class LavaNeuron:
    """process, model : module and class, and the ProcessModel that ``select_tag="fixed_pt"`` chooses.

    arguments : of the constructor, without the shape. variables : what only a Var takes, set before compilation.
    ports, outputs : our name -> Lava's. state : ours -> Lava's Var, where they differ.
    """

    arguments: Arguments = all_of
    variables: Arguments = lambda params, first: {}
    ports: Mapping[str, str] = field(default_factory=lambda: {"a": "a_in"})
    outputs: Mapping[str, str] = field(default_factory=lambda: {"s": "s_out"})
    refuses: Refuses = never
    process: str = ""
    model: str = ""


def _reset(params: Mapping[str, Ints], first: int) -> dict[str, Any]:
    """Lava counts the steps of a run from 1, so what came before moves the phase."""
    given = all_of(params, first)
    given["reset_offset"] = (given["reset_offset"] - first) % given["reset_interval"]
    return given


def _fractions(params: Mapping[str, Ints], first: int) -> dict[str, Any]:
    """ATRLIF takes its four decays as fractions: twelve bits are exact in a float."""
    given = all_of(params, first)
    for name in ("delta_i", "delta_v", "delta_theta", "delta_r"):
        given[name] = given[name] / 4096.0
    return given


def _atrlif_refuses(params: Mapping[str, Ints], state: Mapping[str, Ints], size: int) -> str:
    if bool((state["theta"] != params["theta_0"] << 6).any()):
        return "Lava's ATRLIF sets every threshold back to theta_0 in its first step"
    return "Lava's ATRLIF has one theta_step for all neurons" if params["theta_step"].size > 1 else ""


def _resonator(params: Mapping[str, Ints], first: int) -> dict[str, Any]:
    """Period and alpha only serve to compute the two factors, which are given instead, as is the scaled threshold."""
    return {name: plain(params[name]) for name in ("state_exp", "decay_bits")} | {"period": 4.0, "alpha": 0.0}


def _resonator_variables(params: Mapping[str, Ints], first: int) -> dict[str, Any]:
    given = {name: plain(params[name]) for name in ("sin_decay", "cos_decay")}
    return given | {"vth": plain(params["vth"] << params["state_exp"])}


def _delta(params: Mapping[str, Ints], first: int) -> dict[str, Any]:
    return all_of(params, first) | {"cum_error": bool(params["cum_error"][0])}


def _sigma_delta(params: Mapping[str, Ints], first: int) -> dict[str, Any]:
    mode = ("UNIT", "RELU")[int(params["act_mode"][0])]
    return _delta(params, first) | {"act_mode": {"$member": f"lava.proc.sdn.process:ActivationMode:{mode}"}}


def _inv_sqrt_refuses(params: Mapping[str, Ints], state: Mapping[str, Ints], size: int) -> str:
    return "Lava's InvSqrt takes one neuron" if size > 1 else ""


RESONATOR_PORTS = {"re": "a_real_in", "im": "a_imag_in"}
PAIR = {"a1": "a_in1", "a2": "a_in2"}

#: What is not handed over by its own name.
ROWS: Mapping[str, LavaNeuron] = {
    "lif_reset": LavaNeuron(_reset),
    "atrlif": LavaNeuron(_fractions, refuses=_atrlif_refuses),
    "rf": LavaNeuron(_resonator, _resonator_variables, RESONATOR_PORTS),
    "rf_iz": LavaNeuron(_resonator, _resonator_variables, RESONATOR_PORTS),
    "rf_zero": LavaNeuron(
        lambda params, first: {"freqs": np.ones(1), "decay_tau": np.ones(1), "uth": plain(params["uth"])},
        lambda params, first: {name: plain(params[name]) for name in ("lst", "lct")}, {"re": "u_in", "im": "v_in"},
    ),
    "delta": LavaNeuron(_delta),
    "sigma_delta": LavaNeuron(_sigma_delta),
    "product": LavaNeuron(ports=PAIR),
    "norm_vec": LavaNeuron(ports=PAIR, outputs={"s": "s_out", "s2": "s2_out"}),
    "inv_sqrt": LavaNeuron(lambda params, first: {}, refuses=_inv_sqrt_refuses),
    "spiker": LavaNeuron(
        lambda params, first: {"period": plain(params["rate"]), "payload": plain(params["payload"])}, ports={}
    ),
}  # fmt: skip
#: A process of Lava as a model names it, of Lava 0.10.0: "(after 0.10.0)" may follow what a later one has.
NAMED = re.compile(r"(lava[\w.]+): (\w+), (\w+)")


def _table() -> dict[str, LavaNeuron]:
    named = {name: NAMED.fullmatch(model.lava or "") for name, model in MODELS.items()}
    return {
        name: replace(ROWS.get(name, LavaNeuron()), process=f"{found[1]}.process:{found[2]}", model=found[3])
        for name, found in named.items()
        if found
    }


LAVA: Mapping[str, LavaNeuron] = _table()
