"""`Measurement`: one figure of a run on a board, and what the account says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from neurodeploy.accounting.account import account
from neurodeploy.accounting.band import Band
from neurodeploy.accounting.ledger import KINDS, EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.errors import UserError
from neurodeploy.ir.chip import ChipSpec, HostSpec, SystemSpec

QUANTITIES = ("joules", "seconds", "watts", "first_token_seconds")
#: Of these, those that have no boundary.
TIMES = ("seconds", "first_token_seconds")
#: Joules of a measurement: all inside its boundary, or of one kind.
PARTS = ("", "static", "dynamic")


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """One figure of a run on a board: `quantity` of a unit of `phase`, joules and watts at `boundary`, of `part` of them.

    error : relative standard deviation of `value`, that of what the model cannot say among it.
    """

    name: str
    loads: RunLoads
    system: SystemSpec
    host: HostSpec
    phase: str
    quantity: str
    boundary: str
    value: float
    error: float
    powered: str = "used"
    part: str = ""

    def ledger(self, chip: ChipSpec) -> EnergyLedger:
        return account(self.loads, replace(self.system, chip=chip), self.host, self.phase, powered=self.powered)

    def of(self, ledger: EnergyLedger) -> Band:
        """The figure out of an account of the run."""
        if self.quantity in TIMES:
            seconds: Band | None = getattr(ledger, self.quantity)
            if seconds is None:
                raise wrong_rows(self.name, "has no first token", 'measure that of the phase "prefill"')
            return seconds
        joules = ledger.joules(self.boundary, tuple(name for name, kind in KINDS.items() if kind == self.part))
        return joules if self.quantity == "joules" else joules.over(ledger.seconds)

    def computed(self, chip: ChipSpec) -> float:
        """What the account says with the coefficients of `chip`, nominal."""
        return self.of(self.ledger(chip)).nominal


def wrong_rows(subject: str, problem: str, fix: str) -> UserError:
    return UserError("ND3108", subject, problem, fix)
