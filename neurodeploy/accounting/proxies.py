"""Metrics and proxies that people compare by name. None of them is an energy of a chip here; none enters the ledger.

Metric names are NeuroBench's (algorithm track, harness 1.x); its system track requires measurements, which these are
not. A graded event times a weight is a MAC, a binary one an AC: every payload here is graded, so `Effective_ACs` is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError, UserError
from neurodeploy.ir.chip import Basis, Quantity
from neurodeploy.ir.program import Island
from neurodeploy.ir.result import ActivityCounts

_HOROWITZ = "Horowitz, ISSCC 2014, 45 nm, 0.9 V, fp32; re-read in PMC8934428 Table 3"
MAC_45NM = Quantity(4.6e-12, 4.6e-12, 4.6e-12, "J", Basis.PUBLISHED, f"{_HOROWITZ}: multiply 3.7 pJ + add 0.9 pJ")
AC_45NM = Quantity(0.9e-12, 0.9e-12, 0.9e-12, "J", Basis.PUBLISHED, f"{_HOROWITZ}: add 0.9 pJ")
#: Bytes kept for each neuron (int16 multiplier, uint8 shift) and each axon (uint8 exponent) besides the weights.
NEURON_BYTES, AXON_BYTES = 3, 1


@dataclass(frozen=True, slots=True)
class Proxy:
    """A number under the name that others use for it, with its unit and where the rule comes from."""

    name: str
    value: float
    unit: str
    source: str

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "value": self.value, "unit": self.unit, "source": self.source}


@dataclass(frozen=True, slots=True)
class Metrics:
    """NeuroBench's names. Operations and updates are means per token; sparsities are fractions of zeros.

    `effective_is_exact` is False where the zeros among the weights were not given: then `effective_macs` counts them.
    """

    footprint_bytes: int
    connection_sparsity: float | None
    activation_sparsity: float
    effective_macs: float
    effective_acs: float
    dense: float
    membrane_updates: float
    effective_is_exact: bool

    def to_json(self) -> dict[str, object]:
        return {
            "Footprint": self.footprint_bytes,
            "ConnectionSparsity": self.connection_sparsity,
            "ActivationSparsity": self.activation_sparsity,
            "SynapticOperations": {
                "Effective_MACs": self.effective_macs,
                "Effective_ACs": self.effective_acs,
                "Dense": self.dense,
            },
            "MembraneUpdates": self.membrane_updates,
            "effective_is_exact": self.effective_is_exact,
        }


def metrics(
    counts: ActivityCounts,
    islands: Mapping[str, Island],
    *,
    nonzeros: Mapping[str, NDArray[np.int64]] | None = None,
    weight_bits: int = 8,
) -> Metrics:
    """NeuroBench's algorithm metrics of a run, per token.

    ``Dense = sum of rows * columns * tokens``, ``Effective_MACs = sum_j events_j * nonzeros_j``, ``ActivationSparsity =
    1 - events / (columns * tokens)`` over all islands that ran, ``MembraneUpdates = sum of rows * tokens``.
    They describe the algorithm: an island counts the same whether a chip or the host computed it.

    Parameters
    ----------
    nonzeros : for each island the non-zero weights by axon, shape (columns,); without it every stored weight counts.

    Raises
    ------
    UserError : ND3102, no token was run. InternalError : ND9031, counts of an island that has no sizes.
    """
    if counts.tokens <= 0:
        raise UserError("ND3102", "energy", "no token was run, and metrics are per token", "run at least one token")
    dense = effective = updates = events = axons = 0
    for name, activity in counts.everywhere().items():
        if name not in islands:
            raise InternalError("ND9031", name, "was run and has no sizes")
        island, fired = islands[name], int(activity.events.sum())
        dense += island.rows * island.columns * activity.tokens
        effective += fired * island.rows if nonzeros is None else int(activity.events @ nonzeros[name])
        updates += island.rows * activity.tokens
        events += fired
        axons += island.columns * activity.tokens
    weights = sum(island.rows * island.columns for island in islands.values())
    stored = None if nonzeros is None else sum(int(nonzeros[name].sum()) for name in islands)
    extra = sum(NEURON_BYTES * island.rows + AXON_BYTES * island.columns for island in islands.values())
    return Metrics(
        footprint_bytes=(weights * weight_bits + 7) // 8 + extra,
        connection_sparsity=None if stored is None or not weights else 1 - stored / weights,
        activation_sparsity=1 - events / axons if axons else 0.0,
        effective_macs=effective / counts.tokens,
        effective_acs=0.0,
        dense=dense / counts.tokens,
        membrane_updates=updates / counts.tokens,
        effective_is_exact=nonzeros is not None,
    )


def proxies(measured: Metrics) -> tuple[Proxy, ...]:
    """The proxies in use elsewhere, each with its rule. They say nothing about memory, messages or static power."""
    horowitz = measured.effective_macs * MAC_45NM.nominal + measured.effective_acs * AC_45NM.nominal
    return (
        Proxy("45 nm fp32, effective operations", horowitz, "J", f"4.6 pJ MAC + 0.9 pJ AC, {_HOROWITZ}"),
        Proxy("45 nm fp32, dense operations", measured.dense * MAC_45NM.nominal, "J", f"4.6 pJ MAC, {_HOROWITZ}"),
        Proxy(
            "N-DNS power proxy",
            measured.effective_macs + measured.effective_acs + 10 * measured.membrane_updates,
            "operations",
            "SynOPS + 10 NeuronOPS, Intel N-DNS challenge (arXiv 2303.09503), per token instead of per second",
        ),
    )
