"""`EnergyLedger`: every joule of one token as an entry with its device, its event, its boundary and its band.

The four boundaries are nested: *rails* (the neurocore supplies VDD and VDDM), *chip* (plus the drivers of the
chip-to-chip links), *board* (plus x86, FPGA and I/O of the board, and the host link), *wall* (plus the host's own work
and the loss of the power supply). The same run differs by a factor of up to 100 between them, so no figure leaves here
without its boundary.

Bands are draws of the coefficients (`band`): entries sum to the totals draw by draw, so nominal values do, and their low and
high ends do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from neurodeploy.accounting.band import ZERO, Band, total
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import Quantity

#: From the innermost to the outermost; each contains the ones before it.
BOUNDARIES = ("rails", "chip", "board", "wall")

#: Component -> what kind of joule it is, for `EnergyLedger.split`.
KINDS: Mapping[str, str] = {
    "static": "static",
    "infrastructure": "static",
    "synapses": "dynamic",
    "neurons": "dynamic",
    "core steps": "dynamic",
    "memory": "dynamic",
    "messages": "dynamic",
    "mesh hops": "dynamic",
    "inter-chip": "io",
    "host link": "io",
    "host compute": "host",
    "host islands": "host",
    "power supply": "supply",
}


def per_unit(count: float, units: int) -> int | float:
    """``count / units``, an int where integers divide."""
    return count // units if isinstance(count, int) and count % units == 0 else count / units


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """``joules = count * unit_cost`` for one token, at the innermost `boundary` that contains it.

    `count` is a number of `event` per token: an int where the total over the run divides exactly, otherwise a float.
    For powers it is the nominal time in seconds, for a loss the joules it is taken of. `counting` says how it was
    obtained: "counted" (exact integers of the run), "upper bound", "modelled" (routes and times) or "assumed". `basis`
    is that of the unit cost. Where the count has a band too, that of `joules` has it in it.
    """

    device: str
    component: str
    event: str
    boundary: str
    count: int | float
    unit_cost: Quantity
    joules: Band
    counting: str
    layer: int | None = None

    @property
    def basis(self) -> str:
        return self.unit_cost.basis.value

    def to_json(self) -> dict[str, object]:
        cost = self.unit_cost
        return {
            "device": self.device,
            "component": self.component,
            "event": self.event,
            "boundary": self.boundary,
            "layer": self.layer,
            "count": self.count,
            "counting": self.counting,
            "basis": self.basis,
            "unit_cost": {"low": cost.low, "nominal": cost.nominal, "high": cost.high, "unit": cost.unit},
            "joules": self.joules.to_json(),
            "source": cost.source,
        }


@dataclass(frozen=True, slots=True)
class EnergyLedger:
    """The energy of one token in one phase ("prefill" or "generate"), averaged over `tokens` tokens; of a spiking network,
    that of a "sample" or of a "step", and "token" in the names of fields reads so.

    Attributes
    ----------
    entries : all joules of one token; nothing is added outside of them.
    seconds : time per token (s).
    first_token_seconds : from the prompt's start to its first generated token (s); None for "generate".
    steps_counting : how the busiest core of each step was found (`RunLoads.counting`): "counted", "upper bound", "assumed".
    seconds_at_most : time per token (s) if the cores differed from step to step as far as the counts allow; None where each
        step was counted, or assumed.
    bound_by : what sets the time; `time_split` has the nominal seconds of each part.
    assumptions, not_modelled : sentences that belong beside the numbers.
    layers : names of the layers, where they have others than their numbers.
    """

    phase: str
    system: str
    host: str
    tokens: int
    entries: tuple[LedgerEntry, ...]
    seconds: Band
    first_token_seconds: Band | None
    steps_counting: str
    seconds_at_most: Band | None
    bound_by: str
    time_split: Mapping[str, float]
    chips_powered: int
    chips_used: int
    cores_used: int
    assumptions: tuple[str, ...]
    not_modelled: tuple[str, ...]
    layers: tuple[str, ...]

    def joules(self, boundary: str, components: Sequence[str] = ()) -> Band:
        """Energy per token (J) inside `boundary`: the sum of the entries of it and of all boundaries within it; of
        `components` alone, where some are given."""
        if boundary not in BOUNDARIES:
            raise UserError("ND3101", boundary, "is not an energy boundary", f"use one of {', '.join(BOUNDARIES)}")
        inside = BOUNDARIES[: BOUNDARIES.index(boundary) + 1]
        return total(
            entry.joules
            for entry in self.entries
            if entry.boundary in inside and (not components or entry.component in components)
        )

    def edp(self, boundary: str) -> Band:
        """Energy-delay product of one token (J s) at `boundary`."""
        return self.joules(boundary) * self.seconds

    @property
    def tokens_per_s(self) -> float:
        return 1.0 / self.seconds.nominal

    def by_component(self) -> dict[str, Band]:
        """Joules per token by component; the sum over components is the wall total."""
        return _grouped(self.entries, lambda entry: entry.component)

    def by_layer(self) -> dict[str, Band]:
        """Joules per token by layer; "outside layers" holds what no layer causes alone (static power, host, supply)."""

        def name(entry: LedgerEntry) -> str:
            if entry.layer is None:
                return "outside layers"
            return self.layers[entry.layer] if self.layers else str(entry.layer)

        return _grouped(self.entries, name)

    def part(self, phase: str, parts: int) -> EnergyLedger:
        """The mean of `parts` equal parts: a time step of a sample."""
        share = 1.0 / parts
        return replace(
            self,
            phase=phase,
            tokens=self.tokens * parts,
            entries=tuple(
                replace(entry, count=per_unit(entry.count, parts), joules=entry.joules * share)
                for entry in self.entries
            ),
            seconds=self.seconds * share,
            seconds_at_most=self.seconds_at_most and self.seconds_at_most * share,
            time_split={name: seconds * share for name, seconds in self.time_split.items()},
        )

    def split(self) -> dict[str, Band]:
        """Joules per token as static, dynamic, io (inter-chip and host link), host and supply."""
        return dict.fromkeys(KINDS.values(), ZERO) | _grouped(self.entries, lambda entry: KINDS[entry.component])

    def to_json(self) -> dict[str, object]:
        return {
            "phase": self.phase,
            "system": self.system,
            "host": self.host,
            "tokens": self.tokens,
            "joules_per_token": {name: self.joules(name).to_json() for name in BOUNDARIES},
            "seconds_per_token": self.seconds.to_json(),
            "tokens_per_s": self.tokens_per_s,
            "first_token_seconds": self.first_token_seconds.to_json() if self.first_token_seconds else None,
            "edp_joule_seconds": {name: self.edp(name).to_json() for name in BOUNDARIES},
            "steps_counting": self.steps_counting,
            "seconds_at_most": self.seconds_at_most.to_json() if self.seconds_at_most else None,
            "bound_by": self.bound_by,
            "seconds_split": dict(self.time_split),
            "chips": {"powered": self.chips_powered, "used": self.chips_used},
            "cores_used": self.cores_used,
            "static_dynamic_io_split": {name: band.to_json() for name, band in self.split().items()},
            "by_component": {name: band.to_json() for name, band in self.by_component().items()},
            "by_layer": {name: band.to_json() for name, band in self.by_layer().items()},
            "entries": [entry.to_json() for entry in self.entries],
            "assumptions": list(self.assumptions),
            "not_modelled": list(self.not_modelled),
        }


def _grouped(entries: Iterable[LedgerEntry], key: Callable[[LedgerEntry], str]) -> dict[str, Band]:
    groups: dict[str, list[Band]] = {}
    for entry in entries:
        groups.setdefault(key(entry), []).append(entry.joules)
    return {name: total(bands) for name, bands in groups.items()}
