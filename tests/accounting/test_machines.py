"""docs/machines.md says what the tables say; hosts hold the published figures but for known misses."""

from __future__ import annotations

import pytest

from benchmarks import machines
from benchmarks.host_validation import HostRow, alone, validate
from targets.hosts import HOSTS
from targets.machines import MACHINES

#: Prompts of a length that does not count: half a second each, which no term of a roofline explains.
OUTSIDE = {(f"{what} of a prompt token", length) for what in ("time", "energy") for length in (500, 1000)}


@pytest.fixture(scope="module")
def rows() -> list[HostRow]:
    return validate()


def test_bands_of_hosts_hold_what_was_measured_except_where_said(rows: list[HostRow]) -> None:
    assert {(row.what, row.length) for row in rows if not row.covered} == OUTSIDE
    assert len(rows) == 25


def test_a_token_takes_its_weights_over_the_bandwidth_and_its_starts() -> None:
    """0.49 G weights of two bytes at 68 GB/s, and 12 operations a layer, the embedding, the last norm and the head."""
    weights = 24 * (896 * (1152 + 896) + 3 * 896 * 4864) + 151936 * 896
    host = HOSTS["jetson-orin-nano"]
    assert host.launch is not None
    _, seconds = alone("Qwen2-500M", "jetson-orin-nano", "generate", 500)
    starts = (24 * 12 + 3) * host.launch.nominal
    assert seconds.nominal == pytest.approx(2 * weights / host.bandwidth.nominal + starts, rel=0.02)


@pytest.mark.parametrize("name", machines.TABLES)
def test_the_page_has_the_table_as_it_is_made(name: str) -> None:
    assert machines.marked(name, machines.TABLES[name]()) in machines.PAGE.read_text(encoding="utf-8")


def test_joules_follow_from_watts_and_the_rate() -> None:
    by_name = {machine.name: machine for machine in MACHINES if machine.derived}
    assert by_name["NorthPole, 16 cards"].joules == pytest.approx(0.0237, rel=1e-3)
    assert by_name["NorthPole, rack of 288 cards"].joules == pytest.approx(30_000 * 0.0028 / 84)
    for machine in MACHINES:
        given = machine.published
        assert given.joules is None or given.watts is None  # nothing is given twice
        assert machine.joules is not None and machine.boundary and machine.source
        assert machine.account in (None, "rails", "chip", "board", "wall")
