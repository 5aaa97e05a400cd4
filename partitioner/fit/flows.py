"""Messages between the host and the chips of a unit, from its tiles: what a link or a port carries at full activity.

One event for each column enters every chip that holds it, and is delivered to every core that holds it; one message for each
word of a row's output leaves. Partial sums stay between cores and are not counted here (`accounting` counts them).
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from neurodeploy.flow.border import BorderLoads, Entries
from neurodeploy.flow.streams import Streams
from neurodeploy.ir.chip import ChipSpec
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from partitioner.fit.chips import Spot
from partitioner.fit.plan import Unit


class Flows:
    """Flows of copies; those that begin at the same place of a chip are equal but for the chips' numbers."""

    def __init__(self, network: Network, units: list[Unit], chip: ChipSpec) -> None:
        self.network, self.units, self.chip = network, units, chip
        self._known: dict[tuple[int, int, int], list[BorderLoads]] = {}

    def of(self, spot: Spot) -> list[BorderLoads]:
        """A flow for each island of the unit, in order."""
        per_chip, unit = self.chip.cores, self.units[spot.unit]
        apart = spot.tail[0] % per_chip if spot.tail is not None else -1
        key = (spot.unit, spot.start % per_chip, apart)
        if key not in self._known:
            self._known[key] = self._flows(unit, spot)
        base = self._chip(spot, 0)
        tail = spot.tail[0] // per_chip if spot.tail is not None else 0
        full = spot.cores // per_chip
        return [
            flow._replace(
                chips=np.where(flow.chips < full, base + flow.chips, tail) if apart >= 0 else base + flow.chips
            )
            for flow in self._known[key]
        ]

    def _chip(self, spot: Spot, core: int) -> int:
        return (spot.start + core) // self.chip.cores

    def _flows(self, unit: Unit, spot: Spot) -> list[BorderLoads]:
        """With chips counted from the copy's first."""
        per_chip, shards = self.chip.cores, unit.mapping.shards
        core = np.array([shard.chip * per_chip + shard.core for shard in shards], np.int64)
        chip = core // per_chip if spot.tail is not None else (spot.start + core) // per_chip - spot.start // per_chip
        alone = {view.name: replace(view, share=Fraction(1)) for view in unit.views}
        streams = Streams(self.network, alone, shards, 1)
        names, outputs = np.array([shard.island for shard in shards]), streams.outputs
        first = Entries(int(chip.max()) + 1)
        found = {}
        for name in alone:
            chips = np.unique(chip[names == name])
            found[name] = BorderLoads(chips, *np.zeros((3, len(chips)), np.int64))

        def add(flow: BorderLoads, to: Ints, tile: Ints, messages: Ints) -> None:
            np.add.at(to, np.searchsorted(flow.chips, chip[tile]), messages)

        for stream in streams.events():
            flow = found[str(names[stream.target[0]])]
            new = first.fresh(stream.name, stream.axon, chip[stream.target])
            add(flow, flow.entering, stream.target[new], stream.messages[new])
            add(flow, flow.delivered, stream.target, stream.messages)
        for name, flow in found.items():
            tile, _, messages = outputs[names[outputs[:, 0]] == name].T
            add(flow, flow.leaving, tile, messages)
        return list(found.values())
