"""Which models run by the kernels of `kernels.registers`, and their parameters as these read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import STATE_BITS, Ints, signed_max
from neurodeploy.ir.population import Population
from neurodeploy.machine.threads import parts_of, split
from neurodeploy.neurons import registry
from neurodeploy.neurons.graded_root import TABLE
from neurodeploy.neurons.graded_rotation import FACTOR_BITS
from neurodeploy.neurons.model import Values
from neurodeploy.neurons.registers import REGISTER_BITS
from simulators.fast.kernels import registers, scaled

INT64_MAX = 2**63 - 1
#: Work of one neuron in units of a multiply-add of `machine.threads`.
WORK = 24
Rows = Callable[[Values], tuple[Ints, ...]]
Numbers = Callable[[Values], tuple[int, ...]]


class Register(NamedTuple):
    """How a model is compiled. params, reals : rows of one value, or one a neuron, integers and real numbers; numbers :
    those of all neurons together; held : bits in which what arrives at its ports is held."""

    run: Any
    params: Rows
    numbers: Numbers
    reals: Rows = lambda p: ()
    held: Mapping[str, int] = MappingProxyType({})


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
    return Register(run, lambda p: (p["pre_shift"],), numbers, _reals)


def _reals(p: Values) -> tuple[Ints, ...]:
    return _factor(p), p["offset"], p["vth"]


def _states(p: Values) -> tuple[int, ...]:
    return _most(p, "state_bits", "out_bits")


def _pieces(p: Values) -> tuple[int, ...]:
    return *_states(p), int(p["width"].item()), *p["table"].ravel().tolist()


def _sent(p: Values) -> tuple[int, ...]:
    return _most(p, "out_bits")


def shared(kernel: Any) -> Any:
    """A kernel of `kernels.scaled` over all its parts, called as one of `kernels.registers`."""

    def run(start: int, stop: int, *given: Any) -> None:
        *most, out, fired, lost = given
        work = out.shape[0] * (stop - start) * out.shape[2] * WORK
        counts = np.zeros((parts_of(work), 3), np.int64)
        split(kernel, work, start, stop, *most, out, fired, counts)
        lost += counts.sum(axis=0)

    return run


REGISTERS: Mapping[str, Register] = {
    "graded_affine": Register(
        shared(scaled.affine), lambda p: (p["bias"] + (1 << p["acc_shift"] >> 1), p["vth"]),
        lambda p: (int(p["acc_shift"].item()), *_states(p), int(p["vth"].any())), lambda p: (_factor(p),),
    ),
    "graded_rectified": Register(
        shared(scaled.rectified), lambda p: (p["bias"] + (1 << p["acc_shift"] >> 1),),
        lambda p: (int(p["acc_shift"].item()), *_states(p), int(p["low"].item()), int(p["high"].item())),
        lambda p: (_factor(p), np.ldexp(p["falling"].astype(float), -p["shift"])),
    ),
    "graded_max": Register(shared(scaled.maximum), lambda p: (p["inputs"],), _sent),
    "graded_sum": Register(registers.summed, lambda p: (p["a_exp"], p["b_exp"], p["shift"]), _sent),
    "graded_square": Register(registers.square, lambda p: (p["shift"],), _sent),
    "graded_root": Register(registers.root, lambda p: (p["bias"],), lambda p: tuple(TABLE.tolist())),
    "graded_product": _requantised(registers.product, _states),
    "graded_curve": _requantised(registers.curve, _pieces),
    "graded_gate": _requantised(registers.gate, _pieces),
    "graded_winner": _requantised(registers.winner, lambda p: (int(p["winners"].item()), *_pieces(p))),
    "graded_rotation": Register(
        registers.rotation, lambda p: (p["pre_shift"], p["a_exp"], p["b_exp"], p["c_bias"]),
        lambda p: (*_states(p), signed_max(FACTOR_BITS)), _reals,
        {"a": STATE_BITS, "b": STATE_BITS, "d": FACTOR_BITS},
    ),
}  # fmt: skip


def prepared(population: Population) -> Prepared:
    """The kernel of a population and what it reads."""
    return _prepared(REGISTERS[population.model], population)


def requantising(population: Population) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """What `kernels.registers.requantise` reads of a population: params, reals, numbers."""
    return _prepared(_requantised(registers.requantise, _states), population)[1:]


def _prepared(kernel: Register, population: Population) -> Prepared:
    p, size = registry.prepared_params(population), population.size

    def rows(given: tuple[Ints, ...], kind: type) -> NDArray[Any]:
        return np.array([np.broadcast_to(row, size) for row in given], kind).reshape(-1, size)

    params, reals = rows(kernel.params(p), np.int64), rows(kernel.reals(p), np.float64)
    return Prepared(kernel.run, params, reals, np.array(kernel.numbers(p), np.int64))


def place(model: str, port: str, first: int = 0, repeat: int = 1, largest: int = INT64_MAX) -> tuple[int, int, int]:
    """A row of `places`: where a port finds what arrives, none of it larger than `largest`."""
    most = signed_max(REGISTERS[model].held.get(port, REGISTER_BITS))
    return first, repeat, most if largest > most else 0
