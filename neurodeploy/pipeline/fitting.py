"""`fit`: would this model fit, on which system, at which width, at what price: from a configuration alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.pipeline import fit_answer, fit_priced
from neurodeploy.pipeline.fit_asked import Asked, checked
from neurodeploy.pipeline.fit_network import fit_network
from neurodeploy.pipeline.fit_reading import read_model
from neurodeploy.pipeline.session import Progress
from neurodeploy.synapses.hollow import facts_of

if TYPE_CHECKING:
    from partitioner.fit.plan import Fit

SCHEMA = "neurodeploy-fit/2"
#: Widths of weights that are tried where none are asked for.
BITS = (8, 4, 2)


def fit_models() -> dict[str, str]:
    """Names that `fit` knows without a file, with what they are and where their configuration is from."""
    from neurodeploy.frontends.names import known

    return {name: f"{entry.title}: {entry.source}" for name, entry in known().items()}


def fit(
    model: str | Path,
    system: str | None = None,
    *,
    bits: Sequence[int] = BITS,
    chips: int | None = None,
    context: int | None = None,
    activity: float | None = None,
    host: str = "cpu-generic",
    memory_kib: Sequence[int] = (),
    head: str = "auto",
    dt: float | None = None,
    generic: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Feasibility without weights; the dictionary is what ``fit --json`` prints: "fits", "answer" in a line, and why.

    Parameters
    ----------
    model : a Hugging Face folder or its config.json, a .gguf, a .nir or .net, a bundle, a hub id or a name of `fit_models`.
    system : the system that is asked about; None tries all.
    bits : widths of weights to try, 1 to 8. chips : use at most so many chips.
    context : tokens before the one that is priced, and of the prompt (default 1024, or the model's positions).
    activity : fraction of non-zero activations (default: what is known of the family).
    host : profile of the host. memory_kib : further sizes of a core's synaptic memory to try.
    head : the vocabulary projection on the "chip", the "host", or "auto": on the chips where they hold it too.
    dt : seconds of a time step, for .nir. generic : take an unknown family for Llama's.

    Raises
    ------
    UserError ND2045 : an option out of range. ND4001, ND4003 : no such system or host. `ModelError` : of the reader.
    """
    asked = checked(system, bits, chips, context, activity, host, memory_kib, head)
    if progress:
        progress("fit", 0, 1)
    read = read_model(model, dt, generic)
    found = fit_network(read, asked) if isinstance(read, Network) else _hollow(read, asked)
    if progress:
        progress("fit", 1, 1)
    return {"schema": SCHEMA, "model": str(model), **found}


def _hollow(program: Program, asked: Asked) -> dict[str, Any]:
    assumed = fit_priced.assumed(program, asked)
    made: dict[tuple[str, int, int | None], Fit | DoesNotFit] = {}
    rows: list[dict[str, Any]] = []
    for memory, bits, system in product(asked.memory, asked.bits, asked.systems):
        key = (system.chip.name, bits, memory)
        if key not in made:
            made[key] = _plan(program, system, bits, memory)
        plan = made[key]
        rows.append(fit_answer.row(plan, system, asked, bits, memory))
        if not isinstance(plan, DoesNotFit) and rows[-1]["fits"]:
            rows[-1] |= fit_priced.priced(program, plan, system, asked, assumed, rows[-1]["head"] == "chip")
    fit_answer.add_problems(rows)
    own = [row for row in rows if row["memory_kib"] is None]
    best = fit_answer.best(own)
    fallback = None
    if best is None:
        fallback = fit_priced.fallback(program, asked, assumed, own)
    where = best or fit_answer.nearest(own)
    chosen = made[where["chip"], where["bits"], None] if where is not None else None
    chips = None
    if where is not None and chosen is not None and not isinstance(chosen, DoesNotFit):
        chips = fit_priced.chip_plan(program, chosen, asked, assumed, where)
    return {
        "kind": "language model",
        "fits": best is not None,
        "answer": fit_answer.answer(program, own, best, fallback, asked),
        **fit_answer.model_json(program),
        "assumed": {"activity": assumed.activity, "activity_source": assumed.source, "context": assumed.prompt},
        "host": asked.host.name,
        "plans": [fit_answer.plan_json(plan, *key) for key, plan in made.items()],
        "rows": rows,
        "chip_plan": chips,
        "fallback": fallback,
        "assumptions": fit_priced.assumptions(program, asked, assumed),
        "notes": [*facts_of(program).notes, *fit_answer.notes(program)],
    }


def _plan(program: Program, system: SystemSpec, bits: int, memory: int | None) -> Fit | DoesNotFit:
    """The plan, or the error of a model that this chip cannot hold however many there are."""
    from partitioner.fit.plan import plan
    from targets.systems import SYSTEMS

    try:
        return plan(program, system.chip, bits, memory, SYSTEMS.values())
    except DoesNotFit as error:
        return error
