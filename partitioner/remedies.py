"""What would help a model that needs more chips than there are: a larger system, narrower weights, no caps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from neurodeploy.errors import DoesNotFit, some
from neurodeploy.ir.chip import SystemSpec
from partitioner.job import Job
from partitioner.stages import Places

#: Narrower weights that an error message tries, in this order.
NARROWER = (4, 2)


def too_small(
    job: Job, places: Places, binding: str, alternatives: Sequence[SystemSpec], chips: Callable[[Job], int]
) -> DoesNotFit:
    """The error ND2001, every remedy with the chips that it leads to; `chips` that a job needs. Only remedies that help are
    named."""
    system, options, chip = job.system, job.options, job.system.chip
    bits, found = max(view.stored_bits for view in job.views.values()), []

    def needed(weight_bits: int | None, max_rows: int | None) -> int:
        asked = replace(options, weight_bits=weight_bits, max_rows=max_rows, place=False, spread=False, search=False)
        return chips(replace(job, options=asked))

    larger = [s for s in alternatives if s.chip.name == chip.name and s.chips >= places.chips]
    if places.chips <= system.chips:
        found.append(f"allow {places.chips} of the {some(system.chips, 'chip')} of {system.name}")
    elif larger:
        best = min(larger, key=lambda s: s.chips)
        found.append(f"{best.name} ({some(best.chips, 'chip')}) holds it")
    for narrow in (width for width in NARROWER if width < bits and binding == "synapse_bytes"):
        less = needed(narrow, options.max_rows)
        if less < places.chips:
            found.append(f"{narrow}-bit weights need {some(less, 'chip')}")
            if less <= job.available:
                break
    if options.max_rows is not None:
        cap = some(options.max_rows, "neuron")
        found.append(f"without the cap of {cap} a core it needs {needed(options.weight_bits, None)}")
    nowhere = alternatives and not larger and places.chips > system.chips
    begin = f"no known system has {some(places.chips, 'chip')} of {chip.name}; " if nowhere else ""
    fix = begin + (", or ".join(found) or "use a system with more chips")
    if options.caps:
        fix += f", or lift the cap{'' if len(options.caps) == 1 else 's'} on {', '.join(options.caps)}"
    return DoesNotFit(
        "ND2001",
        job.name,
        f"needs {some(places.chips, 'chip')} ({some(places.cores, 'core')}) at {bits}-bit weights, {system.name} offers "
        f"{job.available} ({some(job.available * chip.cores, 'core')}); {binding} binds",
        fix,
    )
