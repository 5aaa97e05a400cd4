"""`fit`: would this model fit, on which system, at which width, at what price: from a configuration alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodeploy.bundle import AnyPath
from neurodeploy.conversion.hollow import raised
from neurodeploy.errors import DoesNotFit, NeurodeployError, UserError
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.program import Program
from neurodeploy.pipeline import fit_answer
from neurodeploy.pipeline.fit_pricing import Pricing, assumed, layout
from neurodeploy.pipeline.fit_reading import checked, read_model
from neurodeploy.pipeline.saving import check_out, saved
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.verbs import verb
from neurodeploy.reporting import fitted

if TYPE_CHECKING:
    from partitioner.fit.plan import Fit

    Plan = Fit | NeurodeployError

SCHEMA = "neurodeploy-fit/2"
#: Widths of weights that are tried where none are asked for.
BITS = (8, 4, 2)


@verb
def fit_models() -> dict[str, str]:
    """Names that `fit` knows without a file, with what they are and where their configuration is from."""
    from neurodeploy.frontends.names import known

    return {name: f"{entry.title}: {entry.source}" for name, entry in known().items()}


@verb
def fit(
    model: AnyPath,
    system: str | Path | None = None,
    *,
    chip: str | Path | None = None,
    bits: Sequence[int] = BITS,
    chips: int | None = None,
    context: int | None = None,
    activity: float | None = None,
    host: str = "cpu-generic",
    memory_kib: Sequence[int] = (),
    head: str = "auto",
    dt: float | None = None,
    generic: bool = False,
    on_chip: str | None = None,
    kv_bits: int | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Feasibility without weights; the dictionary is what ``fit --json`` prints: "fits", "answer" in a line, and why.

    Parameters
    ----------
    model : a Hugging Face folder or its config.json, a .gguf, a .nir or .net, a bundle, a hub id or a name of `fit_models`.
    system : the system that is asked about, a name or a file of your own (docs/chips.md); None tries all. chip : a file of
        a chip that takes the place of the system's own.
    bits : widths of weights to try, 1 to 8. chips : use at most so many chips.
    context : tokens before the one that is priced, and of the prompt (default 1024, or the model's positions); with
        attention on the chip also what a layer remembers at most (default 2048).
    activity : fraction of non-zero activations (default: what is known of the family).
    host : profile of the host. memory_kib : further sizes of a core's synaptic memory to try.
    head : the vocabulary projection on the "chip", the "host", or "auto": on the chips where they hold it too.
    dt : seconds of a time step, for .nir. generic : take an unknown family for Llama's.
    on_chip : of a language model "projections", "block" or "all", as in `convert`; by default what a bundle has,
        else "projections". kv_bits : of "all", the width of a key or value on the chip, 8 or 16 (default).
    out : keep the answer as a page (.html), as .json or .csv; "out" then names the file.

    Raises
    ------
    UserError ND2045 : an option out of range. ND4001, ND4003 : no such system or host. BundleError ND5004, ND5013 : `out`
        cannot be written, or ends in something else. `ModelError` : of the reader.
    """
    check_out(out)
    asked = checked(system, bits, chips, context, activity, host, memory_kib, head, on_chip, kv_bits, chip)
    if progress:
        progress("fit", 0, 1)
    program, kept = read_model(model, dt, generic, asked)
    given = assumed(program, asked)
    prices, rows = Pricing(program, asked, given), list[fit_answer.Row]()
    made: dict[tuple[str, int, int | None, str], Plan] = {}
    plans: list[Plan] = []
    for memory, width, at in product(asked.memory, asked.bits, asked.systems):
        # what repeats is planned once for a chip, whatever the system
        key = (at.chip.name, width, memory, "" if program.copies else at.name)
        if key not in made:
            made[key] = _plan(program, at, width, memory, asked.available(at))
        plans.append(found := made[key])
        rows.append(fit_answer.row(found, at, asked, width, memory))
        if not isinstance(found, NeurodeployError) and rows[-1]["fits"]:
            rows[-1] |= prices.of_row(found, rows[-1], layout(found, rows[-1]))
    fit_answer.add_problems(rows)
    own = [row for row in rows if row["memory_kib"] is None]
    best = fitted.best(own)
    where = best or fitted.nearest(own)
    chip_plan = None
    for plan, row in zip(plans, rows, strict=True):
        if row is where and not isinstance(plan, NeurodeployError):
            chip_plan = prices.chip_plan(plan, row)
    fallback = None if best else replace(prices, program=raised(program)).fallback(own)
    if progress:
        progress("fit", 1, 1)
    told = {
        "schema": SCHEMA,
        "model": str(model),
        "fits": best is not None,
        "answer": fit_answer.answer(program, own, best, fallback, asked),
        **fit_answer.model_json(program),
        "on_chip": fit_answer.on_chip(program, kept),
        "assumed": given and {"activity": given.activity, "activity_source": given.source, "context": given.prompt},
        "host": asked.host.name,
        "plans": [fit_answer.plan_json(plan, *key) for key, plan in made.items()],
        "rows": rows,
        "chip_plan": chip_plan,
        "fallback": fallback,
        "assumptions": prices.assumptions(),
        "notes": [*(s.origin.note(s.name) for s in asked.systems if s.origin), *fit_answer.notes(program)],
    }
    return saved("fit", told, out)


def _plan(program: Program, system: SystemSpec, bits: int, memory: int | None, chips: int) -> Plan:
    """The plan, or the error of a model that this chip cannot hold however many there are, or that this system cannot."""
    from partitioner.fit.plan import plan
    from targets.systems import SYSTEMS

    try:
        return plan(program, system, bits, memory, chips, tuple(SYSTEMS.values()))
    except (DoesNotFit, UserError) as error:
        return error
