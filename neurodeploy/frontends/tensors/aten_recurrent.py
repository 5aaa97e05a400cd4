"""Recurrent operators of ATen."""

from __future__ import annotations

import numpy as np

from neurodeploy.frontends.tensors import recurrent as recurrences
from neurodeploy.frontends.tensors.aten_calls import Call, Given
from neurodeploy.frontends.tensors.making import NodeMaker, Operand, Ref


def recurrent(step: recurrences.Step, cells: bool = False) -> Call:
    """`lstm`, `gru`, `rnn_tanh`, `rnn_relu` of a sequence of one sample; `cells`: their state is a pair."""

    def call(m: NodeMaker, name: str, a: Given) -> list[Ref]:
        x, given, params, biased, layers = a[0], a[1], list(a[2]), bool(a[3]), int(a[4])
        both, first = bool(a[7]), bool(a[8])
        each = 4 if biased else 2
        count = layers * (2 if both else 1)
        if len(params) != each * count:
            raise m.fail("has projections of its outputs", "leave proj_size out")
        kept = [params[n * each : (n + 1) * each] for n in range(count)]
        own = [recurrences.Cell(p[0], p[1], *(p[2:4] if biased else (None, None))) for p in kept]
        states = list(given) if cells else [given]
        ours = [[_state(m, f"{name}.start", s, n) for s in states] for n in range(count)]
        turned = m.moved(f"{name}.time", x, lambda p: p.swapaxes(0, 1)) if first else x
        made, ends = recurrences.sequence(
            m, name, turned, own, [(s[0], s[1] if cells else None) for s in ours], step, both=both
        )
        out = m.moved(f"{name}.out", made, lambda p: p.swapaxes(0, 1)) if first else made
        lasts = []
        for k in range(2 if cells else 1):
            rows = [m.moved(f"{name}.last", end[k], lambda p: p.reshape(1, *p.shape)) for end in ends]  # type: ignore[arg-type]
            lasts.append(rows[0] if len(rows) == 1 else m.joined(f"{name}.state", rows, 0))
        return [out, *lasts]

    return call


def _state(m: NodeMaker, name: str, given: Operand, number: int) -> Ref | None:
    """The state of one layer; None where it is 0."""
    if isinstance(given, Ref):
        return m.moved(f"{name}{number}", given, lambda p: p[number])
    if np.asarray(given[number]).any():
        raise m.fail("starts from a constant that is not 0", "make the state an input")
    return None
