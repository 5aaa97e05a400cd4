"""What terminal and page say of ways to do without the chip."""

from __future__ import annotations

from typing import Any

from neurodeploy.reporting import derive
from neurodeploy.reporting.without_chip import clause, verdicts, ways


def band(nominal: float) -> dict[str, float]:
    return {"low": nominal / 2, "nominal": nominal, "high": nominal * 2}


def way(ratio: float, **others: Any) -> dict[str, Any]:
    """Of a chip that takes 4 J."""
    verdict = "pays" if ratio > 1 else "does not pay"
    return {
        "way": "host alone", "host": "laptop", "batch": 1, "activation_bits": None, "verdict": verdict, "settled": True,
        "joules_per_token": {"wall": band(4 * ratio)}, "seconds_per_token": band(1e-3), "ratio": band(ratio),
        "text": f"it {verdict}", **others,
    }  # fmt: skip


def phase(*rows: dict[str, Any], elsewhere: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    told = {
        "boundary": "wall",
        "ways": list(rows),
        "elsewhere": list(elsewhere),
        "notes": ["no quantised twin: its cycles"],
    }
    return {
        "joules_per_token": {"wall": band(4.0), "chip": band(1.0)},
        "seconds_per_token": band(2e-3),
        "without_chip": told,
    }


def test_a_row_for_the_chip_and_for_each_way() -> None:
    rows = (way(0.25), way(0.5, batch=32, settled=False), way(0.05, way="quantised twin", activation_bits=6))
    found = ways(phase(*rows, elsewhere=(way(3.0, host="h100"),)), "sample")
    assert found is not None
    heads, table = found
    assert heads[1] == "J per sample, wall>" and len({len(row) for row in (heads, *table)}) == 1
    assert [row[0] for row in table] == [
        "chip and its host", "host alone, laptop", "host alone, laptop, 32 at once", "quantised twin, 6 bits, laptop",
        "host alone, h100",
    ]  # fmt: skip
    assert [row[-1] for row in table][1:] == ["does not pay", "does not pay, not settled", "does not pay", "pays"]
    assert [row[3] for row in table] == ["1", "0.250", "0.500", "0.0500", "3.00"]


def test_sentences_and_the_verdict_of_the_page() -> None:
    one = phase(way(0.25), way(0.1, batch=32))
    assert verdicts(one) == ["It does not pay.", "It does not pay.", "No quantised twin: its cycles."]
    assert clause(one) == "does not pay beside its host alone, which takes 0.25 times its joules at the wall"
    assert clause(phase(way(2.0, settled=False))) == (
        "pays beside its host alone, which takes 2.0 times its joules at the wall (not settled by the bands)"
    )
    assert clause(one) in derive.verdict({"energy": {"generate": one}})
    assert clause(phase(way(2.0, verdict="not possible"))) is clause({}) is None


def test_an_account_that_does_not_say_it() -> None:
    assert ways({}, "token") is None and verdicts({}) == []
