from __future__ import annotations

import random
import time

import pytest

from partitioner.offload.choice import choose


def least(sizes: list[int], prices: list[int], capacity: int) -> int | None:
    """The least price of all sets after which the rest fits and none of which could come back."""
    count, best = len(sizes), None
    for bits in range(1 << count):
        gone = [i for i in range(count) if bits >> i & 1]
        stays = sum(sizes) - sum(sizes[i] for i in gone)
        if stays <= capacity and all(stays + sizes[i] > capacity for i in gone):
            price = sum(prices[i] for i in gone)
            best = price if best is None else min(best, price)
    return best


@pytest.mark.parametrize("seed", range(8))
def test_no_set_that_must_leave_is_cheaper(seed: int) -> None:
    rnd = random.Random(seed)
    for _ in range(120):
        count = rnd.randint(1, 8)
        sizes = [rnd.randint(1, rnd.choice([2, 4, 12])) for _ in range(count)]
        prices = [rnd.randint(-6, 9) for _ in range(count)]
        capacity = rnd.randint(0, sum(sizes) + 2)
        gone = choose(sizes, prices, capacity)
        stays = sum(sizes) - sum(sizes[i] for i in gone)
        assert stays <= capacity
        assert all(stays + sizes[i] > capacity for i in gone), "something left that would still fit"
        assert sum(prices[i] for i in gone) == least(sizes, prices, capacity), (sizes, prices, capacity)


def test_a_host_that_is_cheaper_does_not_empty_the_chips() -> None:
    assert choose([4, 4, 4], [-9, -9, -9], 12) == ()
    assert len(choose([4, 4, 4], [-9, -9, -9], 9)) == 1


def test_of_equal_units_the_last_leave() -> None:
    assert choose([3] * 6, [5] * 6, 12) == (4, 5)


def test_nothing_stays_without_room() -> None:
    assert choose([2, 1], [1, 1], 0) == (0, 1)


def test_thousands_of_experts_on_hundreds_of_chips() -> None:
    """3072 experts, 48 attention layers, a head: a second or two of arithmetic, not hours."""
    sizes = [960] * 3072 + [640] * 48 + [7924]
    prices = [1_000_003] * 3072 + [70_000_001] * 48 + [9]
    start = time.process_time()
    gone = choose(sizes, prices, 1152 * 120)
    assert time.process_time() - start < 20
    stays = sum(sizes) - sum(sizes[i] for i in gone)
    assert 1152 * 120 - min(sizes[i] for i in gone) < stays <= 1152 * 120
    assert not any(3072 <= i < 3120 for i in gone), "attention is dearer by the core and stays"
