"""What a user can decide about a conversion to integers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from neurodeploy.errors import UserError
from neurodeploy.ir.float_network import FloatNetwork, Floats

SCHEMES = ("euler", "exponential")
#: Room over what was seen in a run, as a factor.
MARGIN = 1.25
Peaks = Mapping[str, Mapping[str, Floats]]


@dataclass(frozen=True, slots=True)
class QuantizeOptions:
    """Decisions of a conversion.

    scheme : decays from ``dt / tau`` ("euler") or ``1 - exp(-dt / tau)`` ("exponential").
    peaks : `FloatResult.peaks` of a run on typical inputs; scales then keep currents and voltages below 24 bits with
        `MARGIN` to spare. None: the proven bound of all inputs spiking at once is used as far as weights keep 8 bits.
    graded_inputs : input -> value of one unit of payload; all other inputs are spikes, 0 or 1.
    scales : population -> integer units of 1/64 voltage for a voltage of 1, where it shall not be chosen.
    weight_bits : 1..8.
    """

    scheme: str = "euler"
    peaks: Peaks | None = None
    graded_inputs: Mapping[str, float] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    weight_bits: int = 8

    def check(self, network: FloatNetwork) -> None:
        """ND1240 where an option is no option or names what is not there."""
        unknown = sorted(set(self.graded_inputs) - set(network.inputs) | set(self.scales) - set(network.nodes))
        if unknown:
            raise UserError("ND1240", unknown[0], f"is no input or population of {network.name}", "check the name")
        if self.scheme not in SCHEMES or not 1 <= self.weight_bits <= 8:
            problem = f"cannot be scheme {self.scheme!r} with {self.weight_bits} bits"
            raise UserError("ND1240", "conversion", problem, f"use a scheme of {SCHEMES} and 1..8 bits")
        if not all(
            math.isfinite(number) and number > 0 for number in (*self.graded_inputs.values(), *self.scales.values())
        ):
            problem = "has a scale or a unit that is not positive"
            raise UserError("ND1240", "conversion", problem, "give positive numbers")
