"""Places, hops and loads of links between chips, against walking every route link by link."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from neurodeploy.flow.links import between_chips
from neurodeploy.flow.routes import HOST, Routes, nodes, routers
from targets.systems import get_system
from tests.judges.test_link_loads import small, walk

ALIA = get_system("alia-point")
TOY = small(2, 2, 1, (3, 2))


@pytest.mark.parametrize(
    ("source", "target", "hops"),
    [((0, 0), (0, 3), (1, 1)), ((0, 1), (0, 2), (1, 1)), ((0, 0), (0, 1), (1, 0)), ((1, 2), (1, 2), (0, 0)),
     ((0, 3), (5, 3), (2, 2)), (None, (4, 3), (1, 1)), ((0, 2), None, (0, 1))],
)  # fmt: skip
def test_hops_of_a_message(
    source: tuple[int, int] | None, target: tuple[int, int] | None, hops: tuple[int, int]
) -> None:
    """From (chip, core) to (chip, core); None is the host."""
    places = [place for place in (source, target) if place is not None]
    routes = Routes(TOY, *np.array(places, np.int64).T)
    ends = [np.array([HOST if place is None else places.index(place)]) for place in (source, target)]
    assert routes.mesh(*ends).tolist() == [list(hops)]
    a, b = (nodes(TOY, np.array(0 if place is None else place[0])) for place in (source, target))
    assert routes.grid(*ends).tolist() == [np.abs(a - b).sum()]


def test_cores_of_a_router_stand_on_one_place() -> None:
    assert routers(ALIA.chip, np.array([0, ALIA.chip.cores_per_router - 1])).tolist() == [[0, 0], [0, 0]]


def test_chips_are_reached_along_the_row_first() -> None:
    for source, target, route in ((0, 5, [(0, 1), (1, 2), (2, 5)]), (5, 0, [(5, 4), (4, 3), (3, 0)]), (4, 4, [])):
        loads = between_chips(TOY, np.array([source]), np.array([target]), np.array([1]))
        ways = {"east": [(0, 1), (1, 2), (3, 4), (4, 5)], "west": [(1, 0), (2, 1), (4, 3), (5, 4)],
                "south": [(0, 3), (1, 4), (2, 5)], "north": [(3, 0), (4, 1), (5, 2)]}  # fmt: skip
        seen = [
            link for name, links in ways.items() for link, n in zip(links, getattr(loads, name).flat, strict=True) if n
        ]
        assert sorted(seen) == sorted(route)


@pytest.mark.parametrize(("seed", "boards"), [(0, 1), (1, 1), (2, 2), (3, 3)])
def test_links_are_those_of_the_route(seed: int, boards: int) -> None:
    rng = np.random.default_rng(seed)
    board = rng.integers(0, boards, 60) * ALIA.chips
    source, target = (rng.integers(0, ALIA.chips, 60) for _ in range(2))
    messages = rng.integers(0, 9, 60) / (1 if seed % 2 else 4)
    wanted: Counter[tuple[int, tuple[int, int], tuple[int, int]]] = Counter()
    ends = (tuple(map(tuple, nodes(ALIA, end).tolist())) for end in (source, target))
    for where, a, b, count in zip(board.tolist(), *ends, messages.tolist(), strict=True):
        for start, stop in walk(a, b):
            wanted[where, start, stop] += count
    loads = between_chips(ALIA, source + board, target + board, messages)
    assert sorted(loads.flat()[loads.flat() > 0].tolist()) == pytest.approx(sorted(n for n in wanted.values() if n))
    _, start, stop, most = loads.busiest()
    assert most == pytest.approx(max(wanted.values()))
    assert any(link[1:] == (start, stop) and count == pytest.approx(most) for link, count in wanted.items())
