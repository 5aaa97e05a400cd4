"""Which models run by the kernels of `kernels.registers`, and their parameters as these read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.population import Population
from neurodeploy.neurons import registry
from neurodeploy.neurons.graded_root import TABLE
from neurodeploy.neurons.model import Values
from simulators.fast.kernels import registers

Rows = Callable[[Values], tuple[Ints, ...]]
Numbers = Callable[[Values], tuple[int, ...]]


class Register(NamedTuple):
    """How a model is compiled. params : rows of one value, or one a neuron; numbers : those of all neurons together."""

    run: Any
    params: Rows
    numbers: Numbers


class Prepared(NamedTuple):
    """A population for its kernel: ``run(start, stop, inputs, places, params, numbers, out, fired, lost)``."""

    run: Any
    params: NDArray[np.int64]
    numbers: NDArray[np.int64]


def _half(shift: Ints) -> Ints:
    """What `round_shift` adds."""
    return np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)


def _most(p: Values, *names: str) -> tuple[int, ...]:
    return tuple(signed_max(int(p[name].item())) for name in names)


def _requantised(p: Values) -> tuple[Ints, ...]:
    return _half(p["pre_shift"]), p["pre_shift"], p["multiplier"], _half(p["shift"]), p["shift"], p["offset"]


def _pieces(p: Values) -> tuple[int, ...]:
    return *_most(p, "state_bits", "out_bits"), int(p["width"].item()), *p["table"].ravel().tolist()


REGISTERS: Mapping[str, Register] = {
    "graded_affine": Register(
        registers.affine, lambda p: (p["bias"] + _half(p["acc_shift"]), p["multiplier"], _half(p["shift"]), p["shift"]),
        lambda p: (int(p["acc_shift"].item()), *_most(p, "state_bits", "out_bits")),
    ),
    "graded_sum": Register(
        registers.summed, lambda p: (p["a_exp"], p["b_exp"], _half(p["shift"]), p["shift"]),
        lambda p: _most(p, "out_bits"),
    ),
    "graded_square": Register(
        registers.square, lambda p: (_half(p["shift"]), p["shift"]), lambda p: _most(p, "out_bits")
    ),
    "graded_root": Register(registers.root, lambda p: (p["bias"],), lambda p: tuple(TABLE.tolist())),
    "graded_product": Register(registers.product, _requantised, lambda p: _most(p, "state_bits", "out_bits")),
    "graded_curve": Register(registers.curve, _requantised, _pieces),
    "graded_gate": Register(registers.gate, _requantised, _pieces),
}  # fmt: skip


def prepared(population: Population) -> Prepared:
    """The kernel of a population and what it reads."""
    kernel, p = REGISTERS[population.model], registry.prepared_params(population)
    rows = [np.broadcast_to(row, (population.size,)) for row in kernel.params(p)]
    return Prepared(kernel.run, np.array(rows, np.int64), np.array(kernel.numbers(p), np.int64))


def one_to_one(ports: int) -> NDArray[np.int64]:
    """`places` of ports of which neuron i reads element i."""
    return np.array([(0, 1)] * ports, np.int64)
