"""The micro case of Loihi 1 beside SANA-FE 2.2.9: every step counted, mapped and priced like any other run.

100 leaky neurons on a core of one tile fire in every second of 10 steps, all to all, into 100 silent ones on the tile south
of it. There: 500 fired, 500 packets, 50 000 synops, 1800 updates of 2000 neuron steps; 2.00853 uJ (it models no static
power) and 213.1065 us.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.accounting.account import account
from neurodeploy.accounting.band import Band, total
from neurodeploy.accounting.step_by_step import step_by_step
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Dense
from simulators.reference import ReferenceRunner

NEURONS, STEPS = 100, 10
JOULES, SECONDS = 2.00853e-6, 213.1065e-6
#: What SANA-FE prices too.
DYNAMIC = ("synapses", "neurons", "core steps", "messages", "mesh hops")


def network() -> Network:
    """A bias of one threshold a step: a neuron is above it in every second one. The output is the input, which nobody has:
    there nobody reads the silent ones."""
    lif = {"du": 4095, "dv": 0, "vth": 1}
    populations = {
        "in": Population("in", (1,), INPUT),
        "firing": Population("firing", (NEURONS,), "lif", lif | {"bias_mant": 64}),
        "silent": Population("silent", (NEURONS,), "lif", lif | {"vth": 131071}),
    }
    weight = np.full((NEURONS, NEURONS), 2, np.int8)
    return Network("micro", populations, (Projection("all", "firing", "silent", Dense(weight)),), ("in",))


def micro(system: SystemSpec, host: HostSpec) -> tuple[Band, Band]:
    """Joules that SANA-FE prices too, and seconds, of the whole run."""
    net, below = network(), system.chip.mesh[0] * system.chip.cores_per_router
    shards = (
        Shard("firing", "synapses", (0, NEURONS), (0, 1), 0, 0),
        Shard("silent", "synapses", (0, NEURONS), (0, NEURONS), 0, below),
    )
    placed = Mapping(system.name, system.chips, system.chip.cores, shards, (), 2, "synapse_bytes", ())
    given = {"in": np.zeros((1, STEPS, 1), np.int64)}
    run = step_by_step(Program.of(net), ReferenceRunner(), given, STEPS, placed, system, "none")
    ledger = account(run, system, host, "sample")
    return total(band for name, band in ledger.by_component().items() if name in DYNAMIC), ledger.seconds
