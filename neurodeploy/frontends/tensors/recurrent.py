"""Recurrent layers as the operations of each step, one after another: a sequence has the length of the example.

LSTM (Hochreiter and Schmidhuber 1997), gates in torch's order i, f, g, o::

    i, f, o = sigmoid(W x + U h + b), g = tanh(..)          c' = f c + i g          h' = o tanh(c')

GRU (Cho et al. 2014, arXiv 1406.1078), gates r, z, n, torch's form and the reset gate behind the matrix::

    r, z = sigmoid(W x + U h + b)      n = tanh(W_n x + b_n + r (U_n h + c_n))      h' = (1 - z) n + z h

RNN: ``h' = tanh(W x + U h + b)``, or ReLU. A state that is not given is 0: then nothing comes from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.tensors.making import NodeMaker, Ref

Weights = NDArray[Any]
#: Steps of a sequence that are laid out; each is a copy of the layer's weights on the chip.
STEPS_MAX = 64


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Weights (gates * hidden, inputs) and (gates * hidden, hidden), biases (gates * hidden,) or None."""

    input: Weights
    hidden: Weights
    input_bias: Weights | None
    hidden_bias: Weights | None

    @property
    def size(self) -> int:
        return int(self.hidden.shape[1])


State = tuple[Ref | None, Ref | None]
Step = Callable[[NodeMaker, str, Cell, Ref, State], State]


def _gates(m: NodeMaker, name: str, cell: Cell, x: Ref, h: Ref | None, count: int) -> list[Ref]:
    """``W x + U h + b`` by gate."""
    bias = sum(b for b in (cell.input_bias, cell.hidden_bias) if b is not None)
    total = m.linear(f"{name}.in", x, cell.input, bias if isinstance(bias, np.ndarray) else None)
    if h is not None:
        total = m.binary(f"{name}.sum", total, m.linear(f"{name}.back", h, cell.hidden), "add")
    return m.split(f"{name}.gate", total, [cell.size] * count, -1)


def lstm(m: NodeMaker, name: str, cell: Cell, x: Ref, state: State) -> State:
    h, c = state
    i, f, g, o = _gates(m, name, cell, x, h, 4)
    i, f, o = (m.curve(f"{name}.{k}", v, "sigmoid") for k, v in (("i", i), ("f", f), ("o", o)))
    made = m.binary(f"{name}.new", i, m.curve(f"{name}.g", g, "tanh"), "mul")
    if c is not None:
        made = m.binary(f"{name}.cell", m.binary(f"{name}.kept", f, c, "mul"), made, "add")
    return m.binary(f"{name}.h", o, m.curve(f"{name}.tanh", made, "tanh"), "mul"), made


def gru(m: NodeMaker, name: str, cell: Cell, x: Ref, state: State) -> State:
    h = state[0]
    size = cell.size
    two = slice(0, 2 * size), slice(2 * size, 3 * size)

    def part(rows: slice) -> Cell:
        biases = (None if b is None else b[rows] for b in (cell.input_bias, cell.hidden_bias))
        return Cell(cell.input[rows], cell.hidden[rows], *biases)

    r, z = _gates(m, name, part(two[0]), x, h, 2)
    r, z = m.curve(f"{name}.r", r, "sigmoid"), m.curve(f"{name}.z", z, "sigmoid")
    new, zeros = part(two[1]), np.zeros(size)
    ours = m.linear(f"{name}.new", x, new.input, new.input_bias)
    bias = zeros if new.hidden_bias is None else new.hidden_bias
    if h is None:
        back = m.binary(f"{name}.reset", r, bias.reshape(1, -1), "mul")
    else:
        back = m.binary(f"{name}.reset", r, m.linear(f"{name}.back_n", h, new.hidden, bias), "mul")
    n = m.curve(f"{name}.n", m.binary(f"{name}.both", ours, back, "add"), "tanh")
    if h is None:  # (1 - z) n
        return m.binary(f"{name}.h", n, m.binary(f"{name}.zn", z, n, "mul"), "sub"), None
    change = m.binary(f"{name}.zd", z, m.binary(f"{name}.d", h, n, "sub"), "mul")
    return m.binary(f"{name}.h", n, change, "add"), None


def rnn(act: str) -> Step:
    def step(m: NodeMaker, name: str, cell: Cell, x: Ref, state: State) -> State:
        (total,) = _gates(m, name, cell, x, state[0], 1)
        made = m.rectify(f"{name}.h", total, low=0.0) if act == "relu" else m.curve(f"{name}.h", total, "tanh")
        return made, None

    return step


def layer(
    m: NodeMaker, name: str, cell: Cell, xs: Sequence[Ref], state: State, step: Step, *, backwards: bool = False
) -> tuple[list[Ref], State]:
    """Outputs of all steps in order, and the last state. xs : (1, inputs) each."""
    if len(xs) > STEPS_MAX:
        problem = f"has a sequence of {len(xs)} steps, {STEPS_MAX} are laid out at most"
        raise m.fail(problem, "give a shorter window, or a module of one step whose state is an input and an output")
    found: list[Ref] = []
    for number, x in enumerate(reversed(xs) if backwards else xs):
        state = step(m, f"{name}.{number}", cell, x, state)
        assert state[0] is not None
        found.append(state[0])
    return (found[::-1] if backwards else found), state


def sequence(
    m: NodeMaker, name: str, x: Ref, cells: Sequence[Cell], states: Sequence[State], step: Step, *, both: bool
) -> tuple[Ref, list[State]]:
    """Layers of one or two directions over x (steps, 1, inputs) -> (steps, 1, outputs), and the last states in torch's
    order."""
    xs = [m.moved(f"{name}.x{t}", x, lambda p, t=t: p[t]) for t in range(x.full[0])]  # type: ignore[misc]
    ends, ways = list[State](), 2 if both else 1
    for number in range(len(cells) // ways):
        made = []
        for way in range(ways):
            at = number * ways + way
            title = f"{name}.{number}{'r' if way else ''}"
            outs, end = layer(m, title, cells[at], xs, states[at], step, backwards=bool(way))
            ends.append(end)
            made.append(outs)
        xs = made[0] if ways == 1 else [m.joined(f"{name}.two", pair, -1) for pair in zip(*made, strict=True)]
    rows = [m.moved(f"{name}.row", y, lambda p: p.reshape(1, *p.shape)) for y in xs]
    return (rows[0] if len(rows) == 1 else m.joined(name, rows, 0)), ends
