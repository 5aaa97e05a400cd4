"""The tables of docs/machines.md: hosts, how they compare with measurements, and published machines.

python benchmarks/machines.py           prints them
python benchmarks/machines.py --write   puts them into the page, between its marks
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import host_validation
from neurodeploy.ir.chip import Quantity
from neurodeploy.reporting import units
from targets.hosts import HOSTS
from targets.machines import MACHINES, PublishedMachine

PAGE = Path(__file__).resolve().parents[1] / "docs" / "machines.md"
#: Fields of a host, with words for them and the unit that they are told in.
FIELDS = (
    ("peak_flops", "floating-point operations"), ("peak_int8", "8-bit operations"), ("bandwidth", "bandwidth"),
    ("idle_power", "idle power"), ("active_power", "above it, at work"), ("launch", "start of an operation"),
    ("launch_power", "above idle meanwhile"), ("around", "machine around the card"),
)  # fmt: skip


def hosts() -> str:
    lines = ["| Host | Number | Low | Nominal | High | Basis | Source |", "|---|---|---|---|---|---|---|"]
    for host in HOSTS.values():
        for name, words in FIELDS:
            quantity: Quantity | None = getattr(host, name)
            if quantity is not None:
                ends = (f"{end:.3g}" for end in (quantity.low, quantity.nominal, quantity.high))
                unit, basis = quantity.unit, quantity.basis.value
                lines.append(f"| {host.name} | {words} ({unit}) | {' | '.join(ends)} | {basis} | {quantity.source} |")
    return "\n".join(lines)


def machines() -> str:
    lines = [
        "| Machine | Work | At once | A second | Joules | Of | Basis | Boundary of the source | Nearest of ours | Source |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, MACHINES)])


def _row(machine: PublishedMachine) -> str:
    given = machine.published
    rate = given.rate or (1 / given.seconds if given.seconds else None)
    joules = units.DASH if machine.joules is None else units.si(machine.joules, "J").replace(units.SPACE, " ")
    basis = f"derived, {given.watts:,.0f} W over the rate" if machine.derived else machine.basis.value
    at_once = machine.at_once or "not stated"
    cells = (
        machine.name, machine.work, at_once, f"{rate:,.5g}" if rate else units.DASH, joules, machine.unit, basis,
        machine.boundary, machine.account or "none", machine.source,
    )  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


TABLES: dict[str, Callable[[], str]] = {
    "hosts": hosts,
    "validation": lambda: host_validation.table(host_validation.validate()),
    "machines": machines,
}


def marked(name: str, table: str) -> str:
    return f"<!-- {name} -->\n{table}\n<!-- end of {name} -->"


def page(text: str) -> str:
    """The page with its tables as they are now."""
    for name, make in TABLES.items():
        before, _, rest = text.partition(f"<!-- {name} -->")
        after = rest.partition(f"<!-- end of {name} -->")[2]
        text = before + marked(name, make()) + after
    return text


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print("\n\n".join(make() for make in TABLES.values()))
