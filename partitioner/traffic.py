"""Messages a token at full activity: over the host border, between the cores of a chip, between chips, and their hops.

In this strategy the host encodes the input of every island. One message for each column (each event, at most) crosses
the border to the first chip that needs it, is passed on to every further chip that needs it, and is delivered once to
every core that holds its column. One message for each row returns to the host. Partial sums go from the core that made
them to the core of the row's reducer, unless that is the same core. An expert counts for the fraction of tokens that it
is expected to see.

Hops are those of `flow.links`, one copy of a message for each destination core (Loihi has no multicast on its mesh):
X-Y routes on the mesh of a chip from its port or from core to core, with ports at router (0, 0); and X-Y routes over the
grid of chips from the host's chip 0, one message for each destination chip.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from neurodeploy.flow.links import route
from neurodeploy.flow.nets import Nets
from neurodeploy.flow.routes import HOST
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program

from .classify import activity_of
from .program_nets import mapping_nets


@dataclass(frozen=True, slots=True)
class Traffic:
    """Expected messages for one token, each of `message_bytes` bytes.

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

    def to_json(self) -> dict[str, dict[str, float]]:
        """``{kind: {"messages": messages a token, "bytes": bytes a token}}``"""
        kinds = [entry.name for entry in fields(self) if entry.name != "message_bytes"]
        counts = {kind: float(getattr(self, kind)) for kind in kinds}
        return {kind: {"messages": n, "bytes": n * self.message_bytes} for kind, n in counts.items()}


def traffic(mapping: Mapping, program: Program, system: SystemSpec) -> Traffic:
    """Sum over all islands that are on chips."""
    nets, chip, core = mapping_nets(mapping, program, system)
    activity = activity_of(program)
    placed = {shard.island for shard in mapping.shards}
    fan = np.diff(nets.indptr)
    source, weight = np.repeat(nets.source, fan), np.repeat(nets.weight, fan)
    events, inside = source == HOST, (source != HOST) & (nets.pins != HOST)
    same = inside & (chip[source] == chip[nets.pins])
    routed = route(nets, chip, core, system)
    counts = {
        "host_out": int(weight[nets.pins == HOST].sum()),
        "events_to_cores": int(weight[events].sum()),
        "events_between_chips": _further_chips(nets, chip),
        "partials_between_cores": int(weight[same].sum()),
        "partials_between_chips": int(weight[inside & ~same].sum()),
        "spike_hops": routed.mesh.hops_ew + routed.mesh.hops_ns,
        "interchip_hops": routed.packets,
    }
    host_in = sum(activity[name] * program.islands[name].columns for name in placed)
    parts = {kind: count / nets.per for kind, count in counts.items()}
    return Traffic(system.chip.formats["message_bytes"], host_in=float(host_in), **parts)


def _further_chips(nets: Nets, chip: Ints) -> int:
    """What the host sends, once for each destination chip but the first."""
    total = 0
    for index in np.flatnonzero(nets.source == HOST).tolist():
        pins = nets.pins[nets.indptr[index] : nets.indptr[index + 1]]
        total += int(nets.weight[index]) * (len(np.unique(chip[pins])) - 1)
    return total
