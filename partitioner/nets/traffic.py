"""Messages a token, or a time step in which every neuron sends: over the host border, between cores, chips, and their hops.

What the host sends (the payloads of an input) crosses the border to the first chip that needs it, is passed on to every
further chip that does, and is delivered once to each core that holds synapses of its axon. A spike of a neuron goes to
each tile by itself, from the core where the neuron lives. Outputs return to the host. Partial sums go from the core that
made them to the core of the row's reducer, unless that is the same core. An expert counts for the fraction of tokens that
it is expected to see; of a real step's messages, those that fire are priced by `neurodeploy.accounting`.

Hops follow the routes of `flow.routes`, one copy of a message for each delivery (Loihi has no multicast on its mesh), and
from the host one for each chip.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from neurodeploy.flow.routes import Routes
from neurodeploy.flow.tally import Tally, tallied
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from partitioner.nets.streams import streams_of


@dataclass(frozen=True, slots=True)
class Traffic:
    """Expected messages of one token or time step, each of `message_bytes` bytes.

    spike_hops : messages times links on the meshes of the chips. interchip_hops : messages times links between chips; its
    bytes are what these links carry.
    """

    message_bytes: int
    host_in: float
    host_out: float
    events_to_cores: float
    events_between_chips: float
    partials_between_cores: float
    partials_between_chips: float
    spike_hops: float
    interchip_hops: float

    @property
    def deliveries(self) -> float:
        """Messages to cores: events, and partial sums from other cores."""
        return self.events_to_cores + self.partials_between_cores + self.partials_between_chips

    def to_json(self) -> dict[str, dict[str, float]]:
        """``{kind: {"messages": messages a token or step, "bytes": their bytes}}``"""
        kinds = [entry.name for entry in fields(self) if entry.name != "message_bytes"]
        counts = {kind: float(getattr(self, kind)) for kind in kinds}
        return {kind: {"messages": n, "bytes": n * self.message_bytes} for kind, n in counts.items()}


def traffic(mapping: Mapping, program: Program, system: SystemSpec) -> Traffic:
    """Sum over all that is on chips; `partials_*` are messages between different cores only, `events_*` all deliveries."""
    streams = streams_of(program, mapping.shards, system.chip, orders=mapping.orders, pairs=None)
    chip, core = (np.array([getattr(s, what) for s in mapping.shards], np.int64) for what in ("chip", "core"))
    tally = Tally(Routes(system, chip, core), system.chips)
    for _ in tallied(streams, dict.fromkeys((shard.island for shard in mapping.shards), tally), system):
        pass
    source, target, partial = streams.partial_sums.T
    far = int(partial @ (chip[source] != chip[target]))
    near = int(partial @ ((chip[source] == chip[target]) & (core[source] != core[target])))
    counts = {
        "host_in": tally.crossing,
        "host_out": tally.leaving,
        "events_to_cores": tally.deliveries - tally.leaving - int(partial.sum()),
        "events_between_chips": sum(tally.direct.values()) - far + tally.entering - tally.crossing,
        "partials_between_cores": near,
        "partials_between_chips": far,
        "spike_hops": tally.hops_ew + tally.hops_ns,
        "interchip_hops": tally.interchip,
    }
    return Traffic(system.chip.formats["message_bytes"], **{kind: n / streams.per for kind, n in counts.items()})
