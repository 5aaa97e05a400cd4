"""What would help a model that needs more chips than there are: a larger system, narrower weights, no cap on cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from neurodeploy.errors import some
from neurodeploy.ir.chip import SystemSpec

#: Narrower weights that an error message tries, in this order.
NARROWER = (4, 2)


class Needs(Protocol):
    """What a mapping would take."""

    @property
    def chips(self) -> int: ...

    @property
    def cores(self) -> int: ...


def remedies(
    system: SystemSpec,
    placed: Needs,
    available: int,
    alternatives: Sequence[SystemSpec],
    bits: int,
    weight_bits: int | None,
    max_rows: int | None,
    chips: Callable[[int | None, int | None], int],
) -> str:
    """The fix of an error, every remedy with the chips that it leads to.

    bits : of the widest weight today; 0 where narrower weights are not to be tried.
    chips : (weight bits, cap of neurons a core) -> chips needed; only remedies that help are named.
    """
    chip = system.chip
    larger = [s for s in alternatives if s.chip.name == chip.name and s.chips >= placed.chips]
    found = []
    if placed.chips <= system.chips:
        found.append(f"allow {placed.chips} of the {some(system.chips, 'chip')} of {system.name}")
    elif larger:
        best = min(larger, key=lambda s: s.chips)
        found.append(f"{best.name} ({some(best.chips, 'chip')}) holds it")
    for narrow in (width for width in NARROWER if width < bits):
        needed = chips(narrow, max_rows)
        if needed >= placed.chips:
            continue
        found.append(f"{narrow}-bit weights need {some(needed, 'chip')}")
        if needed <= available:
            break
    if max_rows is not None:
        found.append(f"without the cap of {some(max_rows, 'neuron')} a core it needs {chips(weight_bits, None)}")
    nowhere = alternatives and not larger and placed.chips > system.chips
    begin = f"no known system has {some(placed.chips, 'chip')} of {chip.name}; " if nowhere else ""
    return begin + (", or ".join(found) or "use a system with more chips")
