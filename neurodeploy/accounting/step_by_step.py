"""`step_by_step`: the loads of a run whose steps are priced one by one, where `program.loads` prices their mean.

A step takes as long as its busiest core, and the busiest core of a mean step is idler than the mean of the busiest ones. The
network is run one step at a time, so that each step's counts are known, and what its neurons hold before it::

    a neuron rests in a step   where it holds no voltage and no current, has no bias, and nothing arrives

On a chip that tells the two apart such a neuron costs `neuron_idle_j` and `t_neuron_idle_s`, others an update. Known for
populations of leaky neurons whose inputs all come from the step before; in others every neuron is taken as updated. A sum of
inputs that is zero counts as nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.accounting.loads import MeanStep, RunLoads
from neurodeploy.accounting.program import loads
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping as Placement
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import Given, RunActivity, Runner, RunState
from neurodeploy.neurons.registry import state_at_rest


def step_by_step(
    program: Program, runner: Runner, inputs: Given, steps: int, mapping: Placement, system: SystemSpec, border: str = "",
) -> RunLoads:  # fmt: skip
    """Runs `steps` of the network of a program that is fed by streams, and prices each by itself: `RunLoads.steps` are they
    (of several samples, the mean of each step over them), all else is that of `program.loads`, whose errors it has."""
    network = program.network
    state = state_at_rest(network, next((x.shape[0] for x in inputs.values()), 1))
    whole, every, rests = RunActivity.zero(), list[MeanStep](), list[dict[str, Ints]]()
    for t in range(steps):
        rests.append(resting(network, state))
        found = runner.run(network, {name: x[:, t : t + 1] for name, x in inputs.items()}, 1, state=state)
        state = found.state
        every += loads(program, found.activity, mapping, system, border, rests[t]).steps
        whole.add(found.activity)
    idle = {name: np.sum([rest[name] for rest in rests], axis=0) for name in resting(network, state)}
    run = loads(program, whole, mapping, system, border, idle)
    return replace(run, steps=tuple(every), facts={**run.facts, "step by step": True})


def resting(network: Network, state: RunState) -> dict[str, Ints]:
    """Population -> (size,) in how many samples nothing reaches the neuron in the step after `state` (module docstring)."""
    found = {}
    for name, held in state.neurons.items():
        population, into = network.populations[name], network.into(name)
        params = population.params
        if set(held) != {"u", "v"} or any(not p.latency for p in into):
            continue
        size = population.size
        keeps, bias = (np.broadcast_to(np.asarray(params.get(key, 0)), (size,)) for key in ("du", "bias_mant"))
        moved = (held["v"] != 0) | ((held["u"] != 0) & (keeps < 4095)) | (bias != 0)
        for p in into:
            moved = moved | (state.pending[p.name][:, 0] != 0)
        found[name] = np.count_nonzero(~moved, axis=0).astype(np.int64)
    return found
