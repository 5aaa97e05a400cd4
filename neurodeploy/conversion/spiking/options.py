"""What a user can decide about a conversion to integers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import FloatNetwork, Floats

SCHEMES = ("euler", "exponential")
Peaks = Mapping[str, Mapping[str, Floats]]


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """Decisions of a conversion.

    scheme : decays from ``dt / tau`` ("euler") or ``1 - exp(-dt / tau)`` ("exponential").
    align : lengthen shorter paths by delays, and set initial states, so that spikes are those of the float network, later
        by the number of synapses on the way to a population.
    peaks : `FloatResult.peaks` of a run on typical inputs; scales then keep currents and voltages below 24 bits with
        `margin` to spare. None: the proven bound of all inputs spiking at once is used as far as weights keep 8 bits.
    graded_inputs : input -> value of one unit of payload; all other inputs are spikes, 0 or 1.
    scales : population -> integer units of 1/64 voltage for a voltage of 1, where it shall not be chosen.
    weight_bits : 1..8. clip_delays : shorten delays beyond 62 steps instead of refusing them.
    """

    scheme: str = "euler"
    align: bool = True
    peaks: Peaks | None = None
    margin: float = 1.25
    graded_inputs: Mapping[str, float] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    weight_bits: int = 8
    clip_delays: bool = False

    def check(self, network: FloatNetwork) -> None:
        """ND1240 where an option is no option or names what is not there."""
        unknown = sorted(set(self.graded_inputs) - set(network.inputs) | set(self.scales) - set(network.nodes))
        numbers = [self.margin, *self.graded_inputs.values(), *self.scales.values()]
        if unknown:
            raise UserError("ND1240", unknown[0], f"is no input or population of {network.name}", "check the name")
        if self.scheme not in SCHEMES or not 1 <= self.weight_bits <= 8:
            problem = f"cannot be scheme {self.scheme!r} with {self.weight_bits} bits"
            raise UserError("ND1240", "conversion", problem, f"use a scheme of {SCHEMES} and 1..8 bits")
        if not all(math.isfinite(number) and number > 0 for number in numbers) or self.margin < 1:
            problem = "has a margin, a scale or a unit that is not positive"
            raise UserError("ND1240", "conversion", problem, "give positive numbers, a margin of at least 1")
