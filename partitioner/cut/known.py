"""`KnownCuts`: what one split of populations has worked out and the next can take over.

A search that changes the rule of one population at a time cuts all others again, mostly with the same destinations as
before; and the equal layers of a plan are equal populations, which share their `View.segments`. What is kept depends on
nothing but its key, so that cuts are the same with and without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from partitioner.cost.lists import Destinations, Segment, reached
from partitioner.cost.population import Sends, View
from partitioner.cut.joint import Shapes
from partitioner.cut.rows import Cut, Cutter
from partitioner.cut.rules import Rule

#: Larger populations are cut anew: bytes of what says where their synapses are, tiles.
INDEX, TILES = 1 << 24, 1 << 12

Key = tuple[object, ...]


@dataclass(slots=True, eq=False)
class KnownCuts:
    """For splits on one chip with the same options, whose orders of neurons are the same.

    shapes : of `cut.joint`. cutters, cuts, units : as the methods below give them. laid : the last orders of neurons
    under which something was split, its views, and what is known of them.
    """

    shapes: Shapes = field(default_factory=dict)
    cutters: dict[Key, Cutter] = field(default_factory=dict)
    cuts: dict[Key, Cut | None] = field(default_factory=dict)
    units: dict[Key, Destinations] = field(default_factory=dict)
    laid: tuple[Mapping[str, Ints], Mapping[str, View], KnownCuts] | None = None

    def under(
        self, orders: Mapping[str, Ints], views: Callable[[], Mapping[str, View]]
    ) -> tuple[Mapping[str, View], KnownCuts]:
        """The views in these orders, arrays that nobody changes, and what is known of them; made anew for other orders."""
        last = self.laid
        if last is None or last[0].keys() != orders.keys() or any(last[0][name] is not orders[name] for name in orders):
            last = self.laid = dict(orders), views(), KnownCuts()
        return last[1], last[2]

    def cut(self, view: View, rule: Rule, sends: Sends) -> Cut:
        """`Cutter.cut`."""
        key = ("cut", *_likeness(view, rule), *sends.key)
        found = self.cuts.get(key) or self._keep(key, self._cutter(view, rule).cut(sends))
        return replace(found, demands=dict(found.demands))

    def level(self, view: View, rule: Rule, cut: Cut, sends: Sends) -> Cut:
        """`Cutter.level`: `cut` itself where it changes nothing."""
        key = (len(cut.blocks.get(view.whole, ())), *_likeness(view, rule), *sends.key)
        if key not in self.cuts:
            level = self._cutter(view, rule).level(cut, sends)
            if level is not cut:
                return self._keep(key, level)
            self.cuts[key] = None
        return self.cuts[key] or cut

    def reached(self, part: Segment, cut: Cut) -> Destinations:
        """`cost.lists.reached`."""
        rows = ((columns, ranges.tobytes()) for columns, ranges in cut.blocks.items())
        key = (part.projection, part.start, *rows)
        if key not in self.units:
            self.units[key] = reached(part, cut.blocks)
        return self.units[key]

    def _cutter(self, view: View, rule: Rule) -> Cutter:
        if sum(part.projection.synapse.index_bytes for part in view.segments) > INDEX:
            return Cutter(view, rule)
        return self.cutters.setdefault(_likeness(view, rule), Cutter(view, rule))

    def _keep(self, key: Key, cut: Cut) -> Cut:
        if len(cut.demands) <= TILES:
            self.cuts[key] = cut
        return cut


def _likeness(view: View, rule: Rule) -> Key:
    """Equal where populations are cut alike, but for what they send."""
    stops = None if rule.stops is None else np.asarray(rule.stops).tobytes()
    asked = (rule.limits, rule.rows, rule.blocks, rule.most_blocks, stops)
    return view.segments or view.name, view.rows, view.neuron, view.table, view.sums.least, asked
