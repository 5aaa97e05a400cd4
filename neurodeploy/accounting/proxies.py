"""Proxies that people compare by name. None of them is an energy of a chip here; none enters the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurodeploy.ir.chip import Basis, Quantity

_HOROWITZ = "Horowitz, ISSCC 2014, 45 nm, 0.9 V, fp32; re-read in PMC8934428 Table 3"
MAC_45NM = Quantity(4.6e-12, 4.6e-12, 4.6e-12, "J", Basis.PUBLISHED, f"{_HOROWITZ}: multiply 3.7 pJ + add 0.9 pJ")
AC_45NM = Quantity(0.9e-12, 0.9e-12, 0.9e-12, "J", Basis.PUBLISHED, f"{_HOROWITZ}: add 0.9 pJ")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A number under the name that others use for it, with its unit and where the rule comes from."""

    name: str
    value: float
    unit: str
    source: str

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "value": self.value, "unit": self.unit, "source": self.source}


def proxies(found: Mapping[str, Any], per: str) -> tuple[Proxy, ...]:
    """The proxies in use elsewhere from metrics a `per` ("token", "sample"), each with its rule. They say nothing about
    memory, messages or static power."""
    operations = found["SynapticOperations"]
    macs, acs = operations["Effective_MACs"], operations["Effective_ACs"]
    return (
        Proxy("45 nm fp32, effective operations", macs * MAC_45NM.nominal + acs * AC_45NM.nominal, "J",
              f"{MAC_45NM.source}; an accumulation is the addition alone"),
        Proxy("45 nm fp32, dense operations", operations["Dense"] * MAC_45NM.nominal, "J", MAC_45NM.source),
        Proxy("N-DNS power proxy", macs + acs + 10 * found["MembraneUpdates"], "operations",
              f"SynOPS + 10 NeuronOPS, Intel N-DNS challenge (arXiv 2303.09503), per {per} instead of per second"),
    )  # fmt: skip
