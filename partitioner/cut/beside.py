"""Tiles of memories leave room beside them: they fill the state of cores whose synapses others need.

A core of weights uses up its synaptic memory and little of its state, a core of keys and values the other way round. A tile
that took all the state of a core would have it to itself; one that leaves what a full tile of weights takes lies beside it,
and the plan of SmolLM2-135M with attention on the chip (2 048 positions of 8 bits) has 1 152 cores where it had 1 496.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from partitioner.cost.budget import most_rows
from partitioner.cost.population import View
from partitioner.cut.rules import Rule

#: The place of `state_bytes` in a `Demand`.
STATE = 4
#: A tile of a memory has at least so many neurons, where it leaves room.
LEAST = 4


def beside_weights(views: Mapping[str, View], rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Rules for the populations with a memory: less state a core, by what a tile of weights takes that fills a core, where
    that is at most half of it."""
    keepers = [view for view in views.values() if view.remembers]
    taken = {view: _full(view, rules[view.name]) for view in views.values() if view.uniform} if keepers else {}
    found = {}
    for view in keepers:
        rule = rules[view.name]
        most = rule.limits[STATE]
        if most is None:
            continue
        left = most - max((state for state in taken.values() if 2 * state <= most), default=0)
        if left < most and left >= LEAST * view.neuron + view.table:
            limits = (*rule.limits[:STATE], left, *rule.limits[STATE + 1 :])
            found[view.name] = replace(rule, limits=limits)
    return found


def _full(view: View, rule: Rule) -> int:
    """State of the tallest tile of all columns, with an entry for each neuron and reader; 0 where a core holds no row."""
    rows = most_rows(lambda n: view.tile(n, view.columns, view.outputs), view.rows, rule.limits)
    sent = view.form.axon * rows * len(view.outgoing)
    return view.tile(rows, view.columns, view.outputs)[STATE] + sent if rows else 0
