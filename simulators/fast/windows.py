"""Convolutions of a walk that are one kernel with the neurons behind them (`kernels.windows`)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.network import Network
from neurodeploy.machine.threads import parts_of, split
from neurodeploy.neurons import registry
from neurodeploy.neurons.model import Values
from simulators.fast.conv import ConvWiring
from simulators.fast.kernels import feeds, windows
from simulators.fast.lane import NARROW_SUMS, WIDE_SUMS

#: Multiply-adds that bending one sum is worth, for the threads.
WORK_BEND = 64


class Bent(NamedTuple):
    """The limits of a model whose neurons `kernels.windows.bent` computes: falling factor, low, high."""

    falling: Ints
    low: float
    high: float


def _affine(p: Values) -> Bent | None:
    return None if p["vth"].any() else Bent(p["multiplier"], -np.inf, np.inf)


def _rectified(p: Values) -> Bent:
    return Bent(p["falling"], float(p["low"].item()), float(p["high"].item()))


MODELS = {"graded_affine": _affine, "graded_rectified": _rectified}


class Windows:
    """One plain `Conv` of int8 within the step into a population of `MODELS`, prepared.

    bits : width of the payload, at most 16.
    """

    def __init__(self, wiring: ConvWiring, params: Values, bent: Bent, bits: int) -> None:
        self._wiring, self.bits = wiring, bits
        self._weight = wiring.matrices[0]
        rows, c = len(self._weight), wiring.synapse
        pixels = c.rows // rows
        bound = wiring.largest * signed_max(bits)
        self._kind = NARROW_SUMS if bound < 2**31 else WIDE_SUMS
        bias, shift = params["bias"].astype(np.int64), params["shift"]
        #: Whether real numbers of 64 bits hold every sum to its last half.
        self.exact = bound + int(np.abs(bias).max(initial=0)) < 2**51
        unit = 2.0 ** -int(params["acc_shift"].item())
        factors = (np.ldexp(factor.astype(float), -shift) for factor in (params["multiplier"], bent.falling))
        kinds = (np.broadcast_to(kind, c.rows) for kind in (bias * unit + 0.5, *factors))
        by_pixel: NDArray[np.float64] = np.stack([kind.reshape(pixels, rows) for kind in kinds])
        alike = all((one == one[:1]).all() for one in by_pixel)
        #: (3, pixels, or 1 where all are alike, channels).
        self.neurons = np.ascontiguousarray(by_pixel[:, :1]) if alike else by_pixel
        most, top = (float(signed_max(int(params[name].item()))) for name in ("state_bits", "out_bits"))
        self._numbers = np.array([unit, most, bent.low, bent.high, top])
        self._places = (pixels, rows)

    @classmethod
    def of(cls, network: Network, name: str, wiring: Any) -> Windows | None:
        """None where the population, its projection or the width of what it gets is another. wiring : of a projection."""
        population, into = network.populations[name], network.into(name)
        if population.model not in MODELS or len(into) != 1:
            return None
        (p,) = into
        bits = registry.largest_payload(network.populations[p.source]).bit_length() + 1
        plain = p.graded and not p.latency and not p.weight_exp and p.axon_exp is None and p.depth == 1
        synapse: Any = p.synapse
        if synapse.kind != "conv" or synapse.transposed or synapse.groups > 1 or bits > 16 or not plain:
            return None
        params = registry.prepared_params(population)
        bent, laid = MODELS[population.model](params), wiring(p)
        if bent is None or laid.matrices.dtype != np.int8:
            return None
        made = cls(laid, params, bent, bits)
        return made if made.exact else None

    def fast(self, tokens: int) -> bool:
        """Whether no product of a library, with windows and sums in memory, is faster here."""
        return self._wiring.fuses(tokens * self._places[0], self.bits)

    def run(
        self, tokens: int, source: NDArray[Any], narrow: NDArray[Any], out: NDArray[Any], fired: Ints, lost: Ints
    ) -> None:
        """The first tokens of payloads `source` (1, steps, width), brought to int16 in `narrow`, to payloads `out`. `fired`
        and `lost` as in `kernels.registers`."""
        c, (pixels, rows) = self._wiring.synapse, self._places
        feeds.narrowed(tokens, source, narrow[0])
        frames, found = (
            narrow[0, :tokens].reshape(tokens, *c.input_shape),
            out[0, :tokens].reshape(tokens, pixels, rows),
        )
        work = found.size * (self._weight.shape[1] // 8 + WORK_BEND)
        counts = np.zeros((parts_of(work), 3), np.int64)
        split(
            windows.convolved, work, frames, self._wiring.shape, self._wiring.taps, self._weight, self._kind,
            self.neurons, self._numbers, found, fired.reshape(pixels, rows), counts,
        )  # fmt: skip
        lost += counts.sum(axis=0)
