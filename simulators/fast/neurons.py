"""The neurons of one population during a run: compiled for the models of the tables below, else the model's own numpy
step.

All take a block of steps and give the same bits; the compiled ones need neither the interpreter nor a temporary array
a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.population import Population
from neurodeploy.machine.threads import most_parts, split
from neurodeploy.neurons import leaky, registry
from neurodeploy.neurons.arithmetic import ALIGN_BITS, DECAY_ONE, Integers
from neurodeploy.neurons.delta import exponent
from neurodeploy.neurons.graded_max_delta import SIGMA
from neurodeploy.neurons.model import Values
from simulators.fast.kernels import changes, graded, resonators
from simulators.fast.kernels import leaky as leaky_kernels
from simulators.fast.ports import ExactPort, Port
from simulators.fast.registers import REGISTERS, place, prepared

#: Inputs and states up to here keep every exact sum of `neurons.leaky` within 32 bits: |u| stays below 2**24, since a
#: larger current is turned back by 2**24, and the bias is below 2**30.
NARROW_INPUT, NARROW_STATE = 2**18, 2**24
#: Work of one neuron and step in units of a multiply-add of `machine.threads`.
NEURON_WORK = 12
Arrays = Mapping[str, NDArray[Any]]
Ports = Mapping[str, Port | ExactPort]


class Neurons:
    """Numpy: ``step`` of the model for one step at a time, of a model without state for all in one call."""

    def __init__(self, population: Population, state: Values) -> None:
        self.population, self.model = population, registry.get_model(population.model)
        self.size = population.size
        self.params = registry.prepared_params(population)
        self.state = {name: np.ascontiguousarray(array) for name, array in state.items()}
        self.lost = np.zeros((1, 3), np.int64)

    def advance(self, start: int, stop: int, first: int, ports: Ports, outputs: Arrays) -> None:
        """Steps start..stop of the block; `first` is the time step (from 1) of the block's step 0.

        ports : what arrived at each; outputs : port -> payloads (samples, steps of the block, size) to be written.
        """
        for t in range(start, stop) if self.model.state else [start]:
            at: Any = t if self.model.state else slice(start, stop)
            arrived = {name: port.arrived[:, at].astype(np.int64) for name, port in ports.items()}
            stepped = self.model.step(self.params, self.state, arrived, first + t)
            self.lost[0] += stepped[1:]
            for port, payload in stepped.outputs.items():
                outputs[port][:, at] = payload

    def counts(self) -> tuple[int, int, int]:
        """Values of the run that wrapped, states that were clipped, payloads that were."""
        wrapped, saturated, saturated_out = self.lost.sum(axis=0).tolist()
        return wrapped, saturated, saturated_out

    def states(self, last: bool = False) -> Values:
        """Every state variable as int64 (samples, size). `last`: the run has ended, nothing narrower is kept."""
        return self.state


class LeakyParams(NamedTuple):
    """Arguments of the kernel in both widths; see `kernels.leaky.leaky`."""

    alike: bool
    narrow: tuple[NDArray[np.int32], ...]
    wide: tuple[NDArray[np.int64], ...]


LEAKY_MODES: Mapping[str, int] = {
    "lif": leaky_kernels.SPIKE, "lif_reset": leaky_kernels.SPIKE, "lif_subtract": leaky_kernels.SUBTRACT,
    "ternary_lif": leaky_kernels.SPIKE, "li": leaky_kernels.VOLTAGE,
}  # fmt: skip
_leaky_params: WeakKeyDictionary[Population, LeakyParams] = WeakKeyDictionary()


def _prepare_leaky(population: Population, p: Mapping[str, Ints]) -> LeakyParams:
    never = np.full(1, 2**24, np.int64)  # in units of 64: 2**30, beyond every clipped voltage
    high, low = p.get("vth", p.get("vth_hi", never)), p.get("vth_lo", -never)
    values = (
        DECAY_ONE - 1 - p["du"],
        DECAY_ONE - p["dv"],
        leaky.bias(Integers(), p),
        high << ALIGN_BITS,
        low << ALIGN_BITS,
    )
    alike = all(array.size == 1 for array in values)
    length = leaky_kernels.TILE if alike else population.size
    wide = tuple(
        np.array(np.broadcast_to(array, (length,)), np.int64) for array in values
    )  # writable: one compiled type
    return LeakyParams(alike, tuple(array.astype(np.int32) for array in wide), wide)


class Leaky(Neurons):
    """`lif`, `lif_reset`, `lif_subtract`, `ternary_lif`, `li`: in 32 bits while that is proven exact."""

    def __init__(self, population: Population, state: Values) -> None:
        super().__init__(population, state)
        p = self.params
        if population not in _leaky_params:
            _leaky_params[population] = _prepare_leaky(population, p)
        self.prepared = _leaky_params[population]
        self.mode = LEAKY_MODES[population.model]
        self.period = int(p["reset_interval"].item()) if "reset_interval" in p else 0
        self.offset = int(p["reset_offset"].item()) if self.period else 0
        self.u, self.v = self.state.pop("u"), self.state.pop("v")
        self._narrowed()
        self.lost = np.zeros((most_parts(), 3), np.int64)

    def advance(self, start: int, stop: int, first: int, ports: Ports, outputs: Arrays) -> None:
        port = ports["a"]
        params = self._width(port, start, stop)
        due = (self.offset - first) % self.period if self.period else 0
        split(
            leaky_kernels.leaky, self.u.size * (stop - start) * NEURON_WORK, self.mode, start, stop, due, self.period,
            self.prepared.alike, port.arrived, self.u, self.v, *params, outputs["s"], self.lost,
        )  # fmt: skip

    def _width(self, port: Port | ExactPort, start: int, stop: int) -> tuple[NDArray[Any], ...]:
        """Parameters of the width that this block needs, after bringing the states to it."""
        largest = port.largest
        if largest > NARROW_INPUT:
            block = port.arrived[:, start:stop]
            largest = max(int(block.max(initial=0)), -int(block.min(initial=0)))
        narrow = largest <= NARROW_INPUT
        if narrow and self._narrowed():
            return self.prepared.narrow
        if self.u.dtype != np.int64:
            self.u, self.v = self.u.astype(np.int64), self.v.astype(np.int64)
        return self.prepared.wide

    def _narrowed(self) -> bool:
        """Whether the states are int32 now: all that fit are, which also halves their memory."""
        if self.u.dtype == np.int64:
            if any(max(int(x.max(initial=0)), -int(x.min(initial=0))) > NARROW_STATE for x in (self.u, self.v)):
                return False
            self.u = self.u.astype(np.int32)  # one after another: the first makes room for the second
            self.v = self.v.astype(np.int32)
        return True

    def states(self, last: bool = False) -> Values:
        found = {"u": self.u.astype(np.int64)}
        if last:
            self.u = found["u"]
        return {**found, "v": self.v.astype(np.int64)}


class ModelKernel(NamedTuple):
    """How a model is compiled: ``run(*settings, start, stop, inputs, state, params, out, lost)``.

    settings, params : of the prepared parameters; the latter are given as one int64 for each neuron.
    """

    run: Any
    state: tuple[str, ...]
    params: Callable[[Arrays], tuple[Any, ...]] = lambda p: (p["vth"],)
    settings: Callable[[Arrays], tuple[Any, ...]] = lambda p: ()


def _delta(summing: bool) -> ModelKernel:
    def settings(p: Arrays) -> tuple[Any, ...]:
        rectified = summing and int(p["act_mode"].item()) == 1
        numbers = int(exponent(p).item()), int(p["state_exp"].item())
        return summing, rectified, bool(p["cum_error"].item()), *numbers

    names = ("act", "residue", "error", "sigma" if summing else "act")
    return ModelKernel(graded.delta, names, _scaled if summing else lambda p: (p["vth"] << exponent(p), 0), settings)


def _scaled(p: Arrays) -> tuple[Any, ...]:
    return p["vth"] << exponent(p), p["bias"] << exponent(p)


def _resonator(resetting: bool) -> ModelKernel:
    return ModelKernel(
        resonators.resonator, ("real", "imag"),
        lambda p: (p["sin_decay"], p["cos_decay"], p["vth"] << p["state_exp"]),
        lambda p: (resetting, int(p["state_exp"].item()), int(p["decay_bits"].item())),
    )  # fmt: skip


def _widths(p: Arrays) -> tuple[int, int]:
    """The largest value and payload."""
    return signed_max(int(p["value_bits"].item())), signed_max(int(p["out_bits"].item()))


def _sigma_delta(p: Arrays) -> tuple[Any, ...]:
    numbers = (int(p[name].item()) for name in ("sums", "changes", "acc_shift"))
    ends = signed_max(int(p["state_bits"].item())), int(p["low"].item()), int(p["high"].item())
    return *numbers, *ends, _widths(p)


#: Models with graded payloads, resonators and thresholds.
KERNELS: Mapping[str, ModelKernel] = {
    "threshold": ModelKernel(graded.threshold, ()),
    "graded_vec": ModelKernel(graded.graded, ("v",), settings=lambda p: (False, False)),
    "graded_relu": ModelKernel(graded.graded, ("v",), settings=lambda p: (True, False)),
    "sigma": ModelKernel(graded.graded, ("sigma",), lambda p: (0,), lambda p: (False, True)),
    "delta": _delta(summing=False),
    "sigma_delta": _delta(summing=True),
    "sigma_delta_corrected": ModelKernel(
        graded.sigma_delta_corrected, ("act", "sigma"), _scaled,
        lambda p: (int(p["act_mode"].item()) == 1, int(p["state_exp"].item())),
    ),
    "graded_sigma_delta": ModelKernel(
        changes.sigma_delta, ("sigma", "act"),
        lambda p: tuple(p[name] for name in ("multiplier", "falling", "shift", "bias", "vth")), _sigma_delta,
    ),
    "graded_max_delta": ModelKernel(
        changes.largest, ("act", *SIGMA.values()), lambda p: (p["inputs"], p["vth"]), lambda p: (_widths(p),),
    ),
    "graded_rate": ModelKernel(
        changes.rate, ("i", "v"), lambda p: (p["vth"], p["bias"]),
        lambda p: (int(p["sums"].item()), int(p["signed"].item())),
    ),
    "rf": _resonator(resetting=False),
    "rf_iz": _resonator(resetting=True),
}  # fmt: skip


class Compiled(Neurons):
    """A model of `KERNELS`: int64 states."""

    def __init__(self, population: Population, state: Values) -> None:
        super().__init__(population, state)
        kernel = KERNELS[population.model]
        wide = tuple(np.array(np.broadcast_to(value, (self.size,)), np.int64) for value in kernel.params(self.params))
        self.run, self.settings = kernel.run, kernel.settings(self.params)
        self.given = tuple(self.state[name] for name in kernel.state), wide

    def advance(self, start: int, stop: int, first: int, ports: Ports, outputs: Arrays) -> None:
        arrived = tuple(ports[name].arrived for name in self.model.ports)
        self.run(*self.settings, start, stop, arrived, *self.given, outputs["s"], self.lost[0])


class Registers(Neurons):
    """A model of `registers.REGISTERS`: no state, exact ports."""

    def __init__(self, population: Population, state: Values) -> None:
        super().__init__(population, state)
        self.run, *self.given = prepared(population)
        self.places = np.array([place(population.model, port) for port in self.model.ports])
        self.fired = np.zeros(self.size, np.int64)

    def advance(self, start: int, stop: int, first: int, ports: Ports, outputs: Arrays) -> None:
        arrived = tuple(ports[name].arrived for name in self.model.ports)
        self.run(start, stop, arrived, self.places, *self.given, outputs["s"], self.fired, self.lost[0])


#: Which class runs the models of a table; of any other, numpy.
KINDS: tuple[tuple[Mapping[str, Any], type[Neurons]], ...] = (
    (LEAKY_MODES, Leaky),
    (KERNELS, Compiled),
    (REGISTERS, Registers),
)


def neurons(population: Population, state: Values) -> Neurons:
    """The fastest way to run this population; it owns `state`."""
    kind = next((kind for table, kind in KINDS if population.model in table), Neurons)
    return kind(population, state)
