"""`fit` of a spiking network: the mapper itself, on every system and width that is asked about."""

from __future__ import annotations

from typing import Any

from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.network import Network
from neurodeploy.pipeline.fit_answer import of_chips
from neurodeploy.pipeline.fit_asked import Asked

Row = dict[str, Any]


def fit_network(network: Network, asked: Asked) -> dict[str, Any]:
    """Rows as for a language model, from real maps without a search for good places. No price: it needs the input."""
    rows = [
        _row(network, s, asked, bits, memory) for memory in asked.memory for bits in asked.bits for s in asked.systems
    ]
    own = [row for row in rows if row["memory_kib"] is None]
    fitting = [row for row in own if row["fits"]]
    best = min(fitting, key=lambda r: (-r["bits"], r["system_chips"], r["system"])) if fitting else None
    return {
        "kind": "spiking network",
        "fits": best is not None,
        "answer": _answer(network, own, best, asked),
        "name": network.name,
        "neurons": network.neurons,
        "synapses": sum(p.synapse.count() for p in network.projections),
        "rows": rows,
        "notes": [
            "energy and time depend on the input: convert the network, then `neurodeploy energy X.nd --input FILE`"
        ],
    }


def _row(network: Network, system: SystemSpec, asked: Asked, bits: int, memory: int | None) -> Row:
    from dataclasses import replace

    from partitioner.fit.cut import with_memory
    from partitioner.mapper import map_model
    from partitioner.options import Options
    from targets.systems import SYSTEMS

    target = replace(system, chip=with_memory(system.chip, memory))
    start: Row = {
        "system": system.name, "chip": system.chip.name, "bits": bits, "memory_kib": memory,
        "chips_available": asked.available(system), "system_chips": system.chips,
    }  # fmt: skip
    options = Options(weight_bits=bits, chips=asked.available(system), place=False)
    try:
        mapping = map_model(network, target, options, alternatives=tuple(SYSTEMS.values()))
    except (DoesNotFit, UserError) as error:
        problem = {
            "layer": str(error.subject), "resource": error.code, "need": error.problem, "limit": system.name,
            "remedy": error.fix,
        }  # fmt: skip
        return {**start, "fits": False, "chips": None, "error": error.to_json(), "problem": problem}
    return {
        **start,
        "fits": True,
        "chips": mapping.chips_used,
        "cores": mapping.cores_used,
        "cores_lower_bound": mapping.lower_bound,
        "binding_resource": mapping.binding_resource,
    }


def _answer(network: Network, rows: list[Row], best: Row | None, asked: Asked) -> str:
    if best is not None:
        bound = best["cores_lower_bound"]
        return (
            f"{network.name} fits on {best['system']}: {of_chips(best, best['chips'])} at {best['bits']} "
            f"bits, {best['cores']} cores, the least possible {bound}; {best['binding_resource']} binds"
        )
    worst = max(rows, key=lambda r: (r["system_chips"], r["bits"]))["problem"]
    system = asked.systems[0].name if asked.alone else "any system"
    return f"{network.name} does not fit on {system}: {worst['layer']}: {worst['need']}; {worst['remedy']}"
