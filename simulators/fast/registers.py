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
    """How a model is compiled. params, reals : rows of one value, or one a neuron, integers and real numbers; numbers :
    those of all neurons together."""

    run: Any
    params: Rows
    numbers: Numbers
    reals: Rows = lambda p: ()


class Prepared(NamedTuple):
    """A population for its kernel: ``run(start, stop, inputs, places, params, reals, numbers, out, fired, lost)``."""

    run: Any
    params: NDArray[np.int64]
    reals: NDArray[np.float64]
    numbers: NDArray[np.int64]


def _most(p: Values, *names: str) -> tuple[int, ...]:
    return tuple(signed_max(int(p[name].item())) for name in names)


def _factor(p: Values) -> Ints:
    factor: Ints = np.ldexp(p["multiplier"].astype(float), -p["shift"])
    return factor


def _requantised(run: Any, numbers: Numbers) -> Register:
    return Register(run, lambda p: (p["pre_shift"],), numbers, lambda p: (_factor(p), p["offset"]))


def _states(p: Values) -> tuple[int, ...]:
    return _most(p, "state_bits", "out_bits")


def _pieces(p: Values) -> tuple[int, ...]:
    return *_states(p), int(p["width"].item()), *p["table"].ravel().tolist()


def _sent(p: Values) -> tuple[int, ...]:
    return _most(p, "out_bits")


REGISTERS: Mapping[str, Register] = {
    "graded_affine": Register(
        registers.affine, lambda p: (p["bias"] + (1 << p["acc_shift"] >> 1),),
        lambda p: (int(p["acc_shift"].item()), *_states(p)), lambda p: (_factor(p),),
    ),
    "graded_sum": Register(registers.summed, lambda p: (p["a_exp"], p["b_exp"], p["shift"]), _sent),
    "graded_square": Register(registers.square, lambda p: (p["shift"],), _sent),
    "graded_root": Register(registers.root, lambda p: (p["bias"],), lambda p: tuple(TABLE.tolist())),
    "graded_product": _requantised(registers.product, _states),
    "graded_curve": _requantised(registers.curve, _pieces),
    "graded_gate": _requantised(registers.gate, _pieces),
}  # fmt: skip


def prepared(population: Population) -> Prepared:
    """The kernel of a population and what it reads."""
    kernel, p, size = REGISTERS[population.model], registry.prepared_params(population), population.size

    def rows(given: tuple[Ints, ...], kind: type) -> NDArray[Any]:
        return np.array([np.broadcast_to(row, size) for row in given], kind).reshape(-1, size)

    params, reals = rows(kernel.params(p), np.int64), rows(kernel.reals(p), np.float64)
    return Prepared(kernel.run, params, reals, np.array(kernel.numbers(p), np.int64))


def one_to_one(ports: int) -> NDArray[np.int64]:
    """`places` of ports of which neuron i reads element i, of any width."""
    return np.array([(0, 1, 1)] * ports, np.int64)
