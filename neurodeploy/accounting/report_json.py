"""The object that ``energy --json`` prints: both phases with every entry, and the proxies apart from them."""

from __future__ import annotations

from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.proxies import Metrics, proxies

SCHEMA = "neurodeploy-energy/1"
BOUNDARY_TEXT = {
    "rails": "neurocore supplies VDD and VDDM, static and dynamic",
    "chip": "rails and the drivers of the chip-to-chip links",
    "board": "chip, the board's x86, FPGA and I/O, and the host link",
    "wall": "board, the host's own work, and the loss of the power supply",
}


def report_json(
    prefill: EnergyLedger | None, generate: EnergyLedger | None, metrics: Metrics | None = None
) -> dict[str, object]:
    """Both ledgers under the names of their phases (null where a phase was not run), each with its own notes.

    The proxies stand under a key of their own and are in no sum: they are not energies of the chip.
    """
    phases = [ledger for ledger in (prefill, generate) if ledger is not None]
    return {
        "schema": SCHEMA,
        "boundaries": dict(BOUNDARY_TEXT),
        "prefill": prefill.to_json() if prefill else None,
        "generate": generate.to_json() if generate else None,
        "assumptions": list(dict.fromkeys(text for ledger in phases for text in ledger.assumptions)),
        "not_modelled": list(dict.fromkeys(text for ledger in phases for text in ledger.not_modelled)),
        "metrics": metrics.to_json() if metrics else None,
        "proxies": [proxy.to_json() for proxy in proxies(metrics)] if metrics else [],
    }
