from __future__ import annotations

from partitioner.place import Group, place
from partitioner.split import Tile

LIMITS = (10, 1000, None, None, None)


def tiles(count: int, neurons: int, name: str = "a") -> tuple[Tile, ...]:
    return tuple(Tile(name, "synapses", (n, n + 1), (0, 1), name, (neurons, 1, 1, 1, 1)) for n in range(count))


def group(name: str, count: int, neurons: int, kept: bool = False) -> Group:
    return Group(name, tiles(count, neurons, name), kept)


def test_small_tiles_share_a_core() -> None:
    placed = place([group("a", 2, 8), group("b", 4, 2)], LIMITS, cores_per_chip=4, chips=1)
    assert placed.places == ((0, 0), (0, 1), (0, 0), (0, 1), (0, 2), (0, 2))
    assert (placed.chips, placed.cores) == (1, 3)


def test_chips_are_filled_in_order() -> None:
    placed = place([group("a", 5, 10)], LIMITS, cores_per_chip=2, chips=9)
    assert placed.places == ((0, 0), (0, 1), (1, 0), (1, 1), (2, 0))
    assert (placed.chips, placed.cores) == (3, 5)


def test_a_kept_group_moves_to_the_next_chip_where_there_is_room() -> None:
    groups = [group("a", 3, 10), group("expert", 2, 10, kept=True)]
    assert place(groups, LIMITS, 4, 9).places[3:] == ((1, 0), (1, 1))
    loose = [group("a", 3, 10), group("expert", 2, 10)]
    assert place(loose, LIMITS, 4, 9).places[3:] == ((0, 3), (1, 0))


def test_a_kept_group_is_torn_rather_than_cost_a_chip() -> None:
    """Three groups of three on two chips of five: the second cannot be whole, however the rest is used."""
    groups = [group(f"expert{n}", 3, 10, kept=True) for n in range(3)]
    placed = place(groups, LIMITS, 5, 9)
    assert placed.chips == 2
    assert placed.places[3:6] == ((0, 3), (0, 4), (1, 0))


def test_what_follows_a_kept_group_fills_the_chip_before() -> None:
    groups = [group("a", 3, 10), group("expert", 2, 10, kept=True), group("b", 3, 10)]
    placed = place(groups, LIMITS, 4, 9)
    assert placed.chips == 2
    assert placed.places[3:] == ((1, 0), (1, 1), (0, 3), (1, 2), (1, 3))


def test_the_last_spare_core_keeps_a_group_whole_where_not_all_can_be() -> None:
    """Experts of 3 on chips of 4: three may leave a core empty each, four on three chips may not."""
    assert place([group(f"e{n}", 3, 10, kept=True) for n in range(3)], LIMITS, 4, 9).chips == 3
    placed = place([group(f"e{n}", 3, 10, kept=True) for n in range(4)], LIMITS, 4, 9)
    assert placed.chips == 3
    assert placed.places[:3] == ((0, 0), (0, 1), (0, 2))


def test_a_kept_group_larger_than_a_chip_is_torn() -> None:
    groups = [group("a", 1, 10), group("expert", 6, 10, kept=True), group("b", 1, 1)]
    assert place(groups, LIMITS, 4, 9).places[1] == (0, 1)


def test_a_kept_group_that_fits_stays() -> None:
    groups = [group("a", 1, 10), group("expert", 3, 10, kept=True)]
    assert place(groups, LIMITS, 4, 9).chips == 1


def test_nothing_to_place() -> None:
    placed = place([], LIMITS, 4, 9)
    assert (placed.places, placed.chips, placed.cores) == ((), 0, 0)
