"""Whether the chip pays: its account beside those of ways to compute the same without it, at the wall, and what would have
to change.

::

    ratio = E(way, wall) / E(chip and its host, wall)        the chip pays where it is above 1

Ways are priced by the same account with no chip in use, so that both sides have one boundary. Where the chip does not pay,
one thing at a time is changed and the account made again (`whatif`), by bisection for the mildest value with which it would
pay; where no single change suffices, all of them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from neurodeploy.accounting.account import POWERED, account
from neurodeploy.accounting.band import Band
from neurodeploy.accounting.costs import plain, plain_chip
from neurodeploy.accounting.ledger import EnergyLedger
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.accounting.whatif import CHANGES, Case
from neurodeploy.errors import UserError, some
from neurodeploy.ir.chip import HostSpec

#: Where both sides are compared: the host is in it.
BOUNDARY = "wall"
#: Parts that shares of events are sought in.
PARTS = 1000
#: Who has power, from the most to the least, by the words for it.
FEWER_CHIPS: Mapping[str, str] = {
    "used": "only the chips in use powered",
    "gated": "chips powered only while they work",
    "gated-board": "chips and their share of the board powered only while they work",
}


class EnergyFigure(NamedTuple):
    """Joules at a boundary."""

    joules: Band
    boundary: str


@dataclass(frozen=True, slots=True, eq=False)
class Alternative:
    """A way to compute the same without a chip.

    bits : of its activations, where they are other than the model's. loads : of a unit, in a batch of `batch`.
    weight_bytes : that the host must hold. note : what belongs beside its figures.
    """

    name: str
    host: HostSpec
    batch: int
    bits: int | None
    loads: RunLoads
    weight_bytes: int
    note: str = ""

    @property
    def words(self) -> str:
        return f"{self.name} ({self.host.name}, batch {self.batch})"


def compare(a: EnergyFigure, b: EnergyFigure) -> Band:
    """``a / b``, draw by draw. ND3111 where they are of different boundaries: a chip's rails against a
    graphics card at the wall is no comparison."""
    if a.boundary != b.boundary:
        problem = f"is not to be compared with joules at the {b.boundary}"
        raise UserError("ND3111", f"joules at the {a.boundary}", problem, "take both at one boundary")
    return a.joules.over(b.joules)


class _Chip:
    """The chip's side: its account, and what it would take with a change."""

    def __init__(self, case: Case, host: HostSpec, phase: str, prompts: int) -> None:
        self.case, self._host, self._phase, self._prompts = case, host, phase, prompts

    def joules(self, case: Case) -> float:
        """Nominal: a search asks for no band."""
        system, host = replace(case.system, chip=plain_chip(case.system.chip)), plain(self._host)
        made = account(case.loads, system, host, self._phase, powered=case.powered, prompts=self._prompts)
        return made.joules(BOUNDARY).nominal

    def figure(self, ledger: EnergyLedger) -> EnergyFigure:
        return EnergyFigure(ledger.joules(BOUNDARY), BOUNDARY)

    @property
    def crossings(self) -> float:
        """Of a unit, or where a prompt opens the border once for all its tokens, of the prompt."""
        return 2 * (self.case.loads.opened if self._phase == "prefill" else self.case.loads.exchanges)

    @property
    def fewer_chips(self) -> list[str]:
        """Ways to power fewer of them, the mildest first."""
        order = ("system", *(name for name in POWERED if name != "system"))
        return [name for name in order[order.index(self.case.powered) + 1 :] if self.case.loads.chips_used]


def paying(
    ways: Sequence[Alternative], elsewhere: Sequence[Alternative], case: Case, host: HostSpec, ledger: EnergyLedger, *,
    prompts: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Beside `ledger`, the account of `case`: a row for each way with its ratio, the verdict, and where the chip does not
    pay "would_pay": the mildest of each change with which it would, or what all of them together leave. `elsewhere` are
    told with their ratio alone."""
    chip = _Chip(case, host, ledger.phase, prompts)
    searched = _searched(chip)
    rows = [_row(way, chip, ledger, prompts) for way in (*ways, *elsewhere)]
    for row, way in zip(rows[: len(ways)], ways, strict=True):
        wanted = row["joules_per_token"][BOUNDARY]["nominal"]
        row["would_pay"] = None if row["verdict"] != "does not pay" else searched(wanted)
        row["text"] = _said(row, way)
    return {"boundary": BOUNDARY, "ways": rows[: len(ways)], "elsewhere": rows[len(ways) :]}


def _row(way: Alternative, chip: _Chip, ledger: EnergyLedger, prompts: int) -> dict[str, Any]:
    made = account(way.loads, chip.case.system, way.host, ledger.phase, prompts=prompts)
    ratio = compare(chip.figure(made), chip.figure(ledger))
    memory = way.host.memory_bytes
    fits = memory is None or way.weight_bytes <= memory
    verdict = "not possible" if not fits else "pays" if ratio.nominal > 1.0 else "does not pay"
    return {
        "way": way.name, "host": way.host.name, "batch": way.batch, "activation_bits": way.bits,
        "joules_per_token": {BOUNDARY: made.joules(BOUNDARY).to_json()},
        "seconds_per_token": made.seconds.to_json(),
        "batch_seconds": (made.seconds * way.batch).to_json(),
        "bound_by": made.bound_by, "note": way.note or ("" if fits else "its weights do not fit the host's memory"),
        "ratio": ratio.to_json(), "times": made.seconds.over(ledger.seconds).to_json(),
        "verdict": verdict, "settled": not ratio.low <= 1.0 <= ratio.high,
    }  # fmt: skip


def _searched(chip: _Chip) -> Callable[[float], dict[str, Any]]:
    """What to ask for joules that the chip must not exceed; accounts that were made are kept."""
    case = chip.case
    change = {name: CHANGES[name].apply for name in ("crossings", "events")}

    @cache
    def crossings(number: int) -> float:
        return chip.joules(change["crossings"](case, number))

    @cache
    def events(part: int) -> float:
        return chip.joules(change["events"](case, part / PARTS))

    @cache
    def powered(name: str) -> float:
        return chip.joules(case._replace(powered=name))

    @cache
    def together(part: int) -> float:
        least = change["crossings"](case, min(2.0, chip.crossings))
        least = least._replace(powered=(chip.fewer_chips or [case.powered])[-1])
        return chip.joules(change["events"](least, part / PARTS))

    def asked(wanted: float) -> dict[str, Any]:
        single: list[dict[str, Any]] = []
        if chip.crossings and (most := _most(crossings, int(chip.crossings), wanted)) is not None:
            single.append({"change": f"crossings={most}", "text": f"at most {some(most, 'crossing')}"})
        if (most := _most(events, PARTS, wanted)) is not None:
            single.append(
                {"change": f"events={most / PARTS:g}", "text": f"at most {100 * most / PARTS:g} % of the events"}
            )
        enough = next((name for name in chip.fewer_chips if powered(name) <= wanted), None)
        if enough is not None:
            single.append({"change": f"powered={enough}", "text": FEWER_CHIPS[enough]})
        if single:
            return {"single": single, "together": None}
        most = _most(together, PARTS, wanted)
        return {"single": [], "together": _together(chip, most, together(0) / wanted)}

    return asked


def _together(chip: _Chip, most: int | None, left: float) -> dict[str, Any]:
    """All changes at once: the share of events with which they suffice, or by how much they do not with none at all."""
    least = f"{min(2.0, chip.crossings):g}"
    names = [f"crossings={least}"] if chip.crossings else []
    words = [some(float(least), "crossing", "g")] if chip.crossings else []
    if chip.fewer_chips:
        names.append(f"powered={chip.fewer_chips[-1]}")
        words.append(FEWER_CHIPS[chip.fewer_chips[-1]])
    share = (most or 0) / PARTS
    names.append(f"events={share:g}")
    words.append(f"at most {100 * share:g} % of the events" if most else "no event at all")
    return {"change": ",".join(names), "text": ", ".join(words), "suffices": most is not None, "joules_ratio": left}


def _most(joules: Callable[[int], float], upper: int, wanted: float) -> int | None:
    """The largest number up to `upper` with which no more than `wanted` is taken, None where not even 0 is few enough;
    joules grow with the number."""
    if joules(0) > wanted:
        return None
    low, high = 0, upper
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if joules(middle) <= wanted else (low, middle - 1)
    return low


def _said(row: Mapping[str, Any], way: Alternative) -> str:
    """The verdict as a sentence."""
    ratio = row["ratio"]
    ends = " to ".join(_number(ratio[end], 2) for end in ("low", "high"))
    band = f"{_number(ratio['nominal'], 3)} times the joules at the {BOUNDARY} ({ends})"
    if row["verdict"] == "not possible":
        return f"{way.words}: {row['note']}"
    open_ = "" if row["settled"] else ", which the bands do not settle"
    if row["verdict"] == "pays":
        return f"the chip pays beside {way.words}: that takes {band}{open_}"
    said, found = f"the chip does not pay beside {way.words}: that takes {band}{open_}", row["would_pay"]
    if found["single"]:
        return f"{said}; the chip would pay with {', or '.join(one['text'] for one in found['single'])}"
    all_, left = found["together"], found["together"]["joules_ratio"]
    if all_["suffices"]:
        return f"{said}; no single change suffices, the chip would pay with all of: {all_['text']}"
    return f"{said}; nor would it with all of: {all_['text']}, which leave {_number(left, 3)} times that way's joules"


def _number(value: float, digits: int) -> str:
    """Without an exponent where a number is large: 1345.6, 3 -> "1350"."""
    return f"{float(f'{value:.{digits}g}'):,.0f}" if value >= 100 else f"{value:.{digits}g}"
