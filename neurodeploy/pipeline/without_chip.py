"""Ways to compute what a bundle does without its chip, beside every account: all on the host, at batch 1 and batched, the
quantised twin of a spiking network, and the hosts of other profiles."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Table
from typing import Any

from neurodeploy.accounting.hosted import activation_bits, no_twin, on_host_loads, twin_loads
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.outlines import Assumed
from neurodeploy.accounting.paying import Alternative, paying
from neurodeploy.accounting.whatif import Case
from neurodeploy.conversion.hollow import raised
from neurodeploy.ir.chip import HostSpec, SystemSpec
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.fit_pricing import everything, loads_of
from neurodeploy.pipeline.fit_reading import folded

#: Sequences or samples that a host computes together, where nothing else is asked for.
BATCH = 32
ALONE, TWIN = "host alone", "quantised twin"
#: Loads of a way at a batch.
Loads = Callable[[int], RunLoads]


def without_chip(
    program: Program, worked: Table[str, RunLoads], ledgers: Table[str, EnergyLedger], system: SystemSpec, host: HostSpec,
    powered: str, batch: int,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """By phase, what `accounting.paying` says of the chip beside each way."""
    from targets.hosts import HOSTS

    prompt = next(iter(worked.values())).units
    loads, weights, notes = (
        _of_stream(program, worked, system) if program.streamed else _of_text(program, system, prompt)
    )
    found: dict[str, dict[str, Any]] = {}
    for phase, each in worked.items():
        bits = activation_bits(program.network, int(each.tick)) if TWIN in loads else None
        here = [
            Alternative(name, host, size, bits if name == TWIN else None, of(size), weights)
            for name, of in loads.items()
            for size in dict.fromkeys((1, batch))
        ]
        others = [
            Alternative(ALONE, other, 1, None, loads[ALONE](1), weights)
            for other in HOSTS.values()
            if other.name != host.name
        ]
        found[phase] = paying(here, others, Case(each, system, powered), host, ledgers[phase]) | {"notes": notes}
    return found


def _of_text(program: Program, system: SystemSpec, prompt: int) -> tuple[dict[str, Loads], int, list[str]]:
    whole = folded(raised(program))
    gone, assumed = everything(whole), Assumed(1.0, "the host computes all", prompt)
    weights = sum(entry.copies * entry.rows * entry.columns for entry in gone)
    return {ALONE: lambda batch: loads_of(whole, (), None, gone, system, assumed, batch)}, weights, []


def _of_stream(
    program: Program, worked: Table[str, RunLoads], system: SystemSpec
) -> tuple[dict[str, Loads], int, list[str]]:
    steps = max(1, round(next(iter(worked.values())).tick))
    found: dict[str, Loads] = {ALONE: lambda batch: on_host_loads(program, system, steps, batch)}
    missing = no_twin(program.network)
    if not missing:
        found[TWIN] = lambda batch: twin_loads(program, system, steps, batch)
    weights = sum(p.synapse.weight.size for p in program.network.projections)
    return found, weights, [f"no quantised twin: {missing}"] if missing else []
