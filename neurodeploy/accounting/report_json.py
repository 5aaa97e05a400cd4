"""The object that ``energy --json`` prints: all phases with every entry, and the proxies apart from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.proxies import proxies
from neurodeploy.accounting.timing import busiest_cores
from neurodeploy.ir.chip import ChipSpec

SCHEMA = "neurodeploy-energy/1"
BOUNDARY_TEXT = {
    "rails": "neurocore supplies VDD and VDDM, static and dynamic",
    "chip": "rails and the drivers of the chip-to-chip links",
    "board": "chip, the board's x86, FPGA and I/O, and the host link",
    "wall": "board, the host's own work, and the loss of the power supply",
}


def report_json(
    prefill: EnergyLedger | None, generate: EnergyLedger | None, metrics: Mapping[str, Any] | None = None
) -> dict[str, object]:
    """Both ledgers under the names of their phases (null where a phase was not run), each with its own notes."""
    found = {name: ledger and ledger.to_json() for name, ledger in (("prefill", prefill), ("generate", generate))}
    return _report(found, [ledger for ledger in (prefill, generate) if ledger], metrics, "token")


def network_json(
    sample: EnergyLedger, loads: RunLoads, chip: ChipSpec, metrics: Mapping[str, Any] | None = None
) -> dict[str, object]:
    """The sample of a spiking network and its mean step, `by_layer` by population, and the cores that take longest."""
    (step,) = loads.steps
    steps = int(step.times)
    found: dict[str, object] = {
        "step": {**sample.part("step", steps).to_json(), "unit": "time step"},
        "sample": {**sample.to_json(), "unit": "sample"},
        "steps": steps,
        "samples": loads.units,
        "phases_per_step": int(step.floors) // steps,
        "busiest_cores": list(busiest_cores(step, chip)),
    }
    return _report(found, [sample], metrics, "sample")


def _report(
    found: Mapping[str, object], ledgers: list[EnergyLedger], metrics: Mapping[str, Any] | None, per: str
) -> dict[str, object]:
    """Metrics and proxies stand under keys of their own and are in no sum: they are not energies of the chip."""
    return {
        "schema": SCHEMA,
        "boundaries": dict(BOUNDARY_TEXT),
        **found,
        "assumptions": list(dict.fromkeys(text for ledger in ledgers for text in ledger.assumptions)),
        "not_modelled": list(dict.fromkeys(text for ledger in ledgers for text in ledger.not_modelled)),
        "metrics": dict(metrics) if metrics is not None else None,
        "proxies": [proxy.to_json() for proxy in proxies(metrics, per)] if metrics is not None else [],
    }
