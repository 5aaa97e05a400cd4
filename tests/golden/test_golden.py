"""What was recorded comes out again: every bit on every runner, every joule, no mapping with more cores or traffic.

What each case is made of stands in `networks.py`, `bits.py`, `mappings.py` and `ledgers.py`. `scripts/golden.py` shows what
differs, and records. A case that differs is a mistake, unless a mapping became smaller: that is recorded.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from neurodeploy.machine.arithmetic import arithmetic
from neurodeploy.storage.cache import cache_folder
from tests.golden import bits, ledgers, mappings, store
from tests.golden.ledgers import flat
from tests.golden.store import Case


def every(cases: dict[str, Case]) -> pytest.MarkDecorator:
    """A test for each case and variant."""
    given = [
        pytest.param(name, variant, marks=[pytest.mark.real] if case.real else [])
        for name, case in cases.items()
        for variant in case.variants
    ]
    return pytest.mark.parametrize(("name", "variant"), given)


def recorded(kind: str, name: str, case: Case) -> Any:
    found = store.load(kind)
    if case.float and (by := found["arithmetic"][name]) != arithmetic():
        pytest.skip(f"recorded with {by}: the last bits of float sums are not those of another machine")
    if name.startswith("smollm2") and not (cache_folder() / "texts").is_dir():
        pytest.skip("run python scripts/fetch_texts.py")
    return found[name]


def same(expected: float | str, found: float | str) -> bool:
    """Words are equal, numbers within a part of 10^12."""
    if isinstance(expected, str) or isinstance(found, str):
        return expected == found
    return math.isclose(expected, found, rel_tol=1e-12)


@every(bits.CASES)
def test_bits(name: str, variant: str) -> None:
    case = bits.CASES[name]
    expected = recorded("bits", name, case)
    assert case.make(variant) == expected


@every(ledgers.CASES)
def test_ledgers(name: str, variant: str) -> None:
    case = ledgers.CASES[name]
    expected = flat(recorded("ledgers", name, case))
    found = flat(case.make(variant))
    assert found.keys() == expected.keys()
    wrong = {key: (value, found[key]) for key, value in expected.items() if not same(value, found[key])}
    assert not wrong


@every(mappings.CASES)
def test_mappings(name: str, variant: str) -> None:
    case = mappings.CASES[name]
    expected, found = recorded("mappings", name, case), case.make(variant)
    assert not mappings.grown(expected, found), "a mapping became worse"
    assert found == expected, "a mapping became better: record it with scripts/golden.py mappings --write"
