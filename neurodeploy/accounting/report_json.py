"""The object that ``energy --json`` prints: all phases with every entry, and the proxies apart from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.neurobench import proxies
from neurodeploy.accounting.step_time import busiest_cores
from neurodeploy.ir.chip import ChipSpec

SCHEMA = "neurodeploy-energy/2"
BOUNDARY_TEXT = {
    "rails": "neurocore supplies VDD and VDDM, static and dynamic",
    "chip": "rails and the drivers of the chip-to-chip links",
    "board": "chip, the board's x86, FPGA and I/O, and the host link",
    "wall": "board, the host's own work, and the loss of the power supply",
}


def report_json(
    ledgers: Mapping[str, EnergyLedger | None], loads: RunLoads | None = None, chip: ChipSpec | None = None,
    metrics: Mapping[str, Any] | None = None,
) -> dict[str, object]:  # fmt: skip
    """Ledgers under the names of their phases, null where a phase was not run, each with its own notes. Of a "sample", also
    its mean step and, from its `loads` on `chip`, the cores that take longest.

    Metrics and proxies stand under keys of their own and are in no sum: they are not energies of the chip.
    """
    given = [ledger for ledger in ledgers.values() if ledger]
    found: dict[str, object] = {name: ledger and ledger.to_json() for name, ledger in ledgers.items()}
    sample = ledgers.get("sample")
    if sample and loads and chip:
        steps = int(loads.tick)
        found = {
            "step": {**sample.part("step", steps).to_json(), "unit": "time step"},
            "sample": {**sample.to_json(), "unit": "sample"},
            "steps": steps,
            "samples": loads.units,
            "phases_per_step": len(loads.steps),
            "busiest_cores": list(busiest_cores(loads.whole, chip)) if loads.whole else [],
        }
    return {
        "schema": SCHEMA,
        "boundaries": dict(BOUNDARY_TEXT),
        **found,
        "assumptions": list(dict.fromkeys(text for ledger in given for text in ledger.assumptions)),
        "not_modelled": list(dict.fromkeys(text for ledger in given for text in ledger.not_modelled)),
        "metrics": dict(metrics) if metrics is not None else None,
        "proxies": [proxy.to_json() for proxy in proxies(metrics, metrics["per"])] if metrics is not None else [],
    }
