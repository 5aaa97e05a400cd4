"""`fit`: would this model fit, on which system, at which width, at what price: from a configuration alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.network import Network
from neurodeploy.ir.outline import Outline
from neurodeploy.pipeline.fit_reading import read_model
from neurodeploy.pipeline.session import Progress

if TYPE_CHECKING:
    from partitioner.fit import Fit

SCHEMA = "neurodeploy-fit/2"
#: Widths of weights that are tried where none are asked for.
BITS = (8, 4, 2)
HEADS = ("auto", "chip", "host")
#: Largest context, in tokens.
LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a call, checked. systems : those to try; alone : whether the user named one."""

    systems: tuple[SystemSpec, ...]
    alone: bool
    bits: tuple[int, ...]
    memory: tuple[int | None, ...]
    chips: int | None
    head: str
    host: HostSpec
    activity: float | None

    def available(self, system: SystemSpec) -> int:
        return system.chips if self.chips is None else min(self.chips, system.chips)


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
    asked = _checked(system, bits, chips, context, activity, host, memory_kib, head)
    if progress:
        progress("fit", 0, 1)
    read = read_model(model, context, dt, generic)
    found = _network(read, asked) if isinstance(read, Network) else _outline(read, asked)
    if progress:
        progress("fit", 1, 1)
    return {"schema": SCHEMA, "model": str(model), **found}


def _checked(
    system: str | None, bits: Sequence[int], chips: int | None, context: int | None, activity: float | None, host: str,
    memory: Sequence[int], head: str,
) -> Asked:  # fmt: skip
    from targets.hosts import get_host
    from targets.systems import SYSTEMS, get_system

    def need(holds: bool, name: str, value: object, takes: str) -> None:
        if not holds:
            raise UserError("ND2045", name, f"is {value!r:.60}, fit takes {takes}", "give such a value")

    need(bool(bits) and all(type(b) is int and 1 <= b <= 8 for b in bits), "bits", tuple(bits), "widths of 1 to 8")
    need(all(type(k) is int and 1 <= k <= 1 << 20 for k in memory), "memory_kib", tuple(memory), "1 to 1048576 KiB")
    need(chips is None or (type(chips) is int and chips >= 1), "chips", chips, "at least 1")
    need(context is None or (type(context) is int and 1 <= context <= LONGEST), "context", context, f"1 to {LONGEST}")
    need(activity is None or 0 < activity <= 1, "activity", activity, "a fraction above 0 and at most 1")
    need(head in HEADS, "head", head, f"one of {', '.join(HEADS)}")
    profile = get_host(host)
    systems = tuple(SYSTEMS.values()) if system is None else (get_system(system),)
    if system is not None and chips is not None:
        need(chips <= systems[0].chips, "chips", chips, f"at most the {systems[0].chips} of {systems[0].name}")
    wanted = tuple(sorted(set(bits), reverse=True))
    sizes: tuple[int | None, ...] = (None, *sorted(set(memory), reverse=True))
    return Asked(systems, system is not None, wanted, sizes, chips, head, profile, activity)


def _outline(outline: Outline, asked: Asked) -> dict[str, Any]:
    from neurodeploy.pipeline import fit_answer, fit_priced

    assumed = fit_priced.assumed(outline, asked)
    made: dict[tuple[str, int, int | None], Fit | DoesNotFit] = {}
    rows: list[dict[str, Any]] = []
    for memory, bits, system in product(asked.memory, asked.bits, asked.systems):
        key = (system.chip.name, bits, memory)
        if key not in made:
            made[key] = _plan(outline, system, bits, memory)
        plan = made[key]
        rows.append(fit_answer.row(plan, system, asked, bits, memory))
        if not isinstance(plan, DoesNotFit) and rows[-1]["fits"]:
            rows[-1] |= fit_priced.priced(outline, plan, system, asked, assumed, rows[-1]["head"] == "chip")
    fit_answer.add_problems(rows)
    own = [row for row in rows if row["memory_kib"] is None]
    best = fit_answer.best(own)
    fallback = None
    if best is None:
        fallback = fit_priced.fallback(outline, asked, assumed, own)
    where = best or fit_answer.nearest(own)
    chosen = made[where["chip"], where["bits"], None] if where is not None else None
    chips = None
    if where is not None and chosen is not None and not isinstance(chosen, DoesNotFit):
        chips = fit_priced.chip_plan(outline, chosen, asked, assumed, where)
    return {
        "kind": "language model",
        "fits": best is not None,
        "answer": fit_answer.answer(outline, own, best, fallback, asked),
        **fit_answer.model_json(outline),
        "assumed": {"activity": assumed.activity, "activity_source": assumed.source, "context": assumed.prompt},
        "host": asked.host.name,
        "plans": [fit_answer.plan_json(plan, *key) for key, plan in made.items()],
        "rows": rows,
        "chip_plan": chips,
        "fallback": fallback,
        "assumptions": fit_priced.assumptions(outline, asked, assumed),
        "notes": [*outline.notes, *fit_answer.notes(outline)],
    }


def _plan(outline: Outline, system: SystemSpec, bits: int, memory: int | None) -> Fit | DoesNotFit:
    """The plan, or the error of a model that this chip cannot hold however many there are."""
    from partitioner.fit import plan

    try:
        return plan(outline, system.chip, bits, memory)
    except DoesNotFit as error:
        return error


def _network(network: Network, asked: Asked) -> dict[str, Any]:
    from neurodeploy.pipeline.fit_network import fit_network

    return fit_network(network, asked)
