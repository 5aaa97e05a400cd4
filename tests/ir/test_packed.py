"""Packed targets: they come back, from any axon on, in the size that theory says, and damage is found."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from neurodeploy.ir.packed import SPARE, PackedTargets, pack
from neurodeploy.synapses import Sparse


def random_lists(rows: int, columns: int, mean: float, seed: int = 0) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Ascending random targets of axons of very different lengths, empty ones and full ones among them."""
    rng = np.random.default_rng([rows, columns, seed])
    lengths = np.minimum((rng.exponential(mean, columns) * (rng.random(columns) < 0.8)).astype(int), rows)
    lists = [np.sort(rng.choice(rows, n, replace=False)) for n in lengths]
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.uint32)
    return indptr, np.concatenate([*lists, np.zeros(0, np.int64)]).astype(np.int64)


SHAPES = [(1, 1, 1), (1, 40, 1), (7, 30, 3), (64, 50, 40), (5000, 200, 100), (65_536, 60, 30), (65_537, 60, 900)]
SHAPES += [(1_000_000, 300, 100), (2_000_000_000, 20, 3)]


def made(rows: int, columns: int, mean: float) -> tuple[Sparse, Sparse]:
    """The same synapses plain and packed."""
    if rows > 10_000_000:  # no permutation of so many
        indptr = np.arange(columns + 1, dtype=np.uint32) * 3
        target = np.sort(np.random.default_rng(1).integers(0, rows, (columns, 3))).reshape(-1)
    else:
        indptr, target = random_lists(rows, columns, mean)
    weight = np.ones(len(target), np.int8)
    narrow = target.astype(np.uint16 if rows <= 65_536 else np.int32)
    return Sparse(rows, columns, indptr, narrow, weight), Sparse(
        rows, columns, indptr, pack(rows, indptr, target), weight
    )


@pytest.mark.parametrize(("rows", "columns", "mean"), SHAPES)
def test_targets_come_back(rows: int, columns: int, mean: float) -> None:
    plain, packed = made(rows, columns, mean)
    assert plain.problem() == packed.problem() == ""
    assert packed.targets().dtype == plain.targets().dtype
    rng = np.random.default_rng(2)
    for first, last in [(0, columns), (0, 0), (columns, columns), *np.sort(rng.integers(0, columns + 1, (30, 2)))]:
        np.testing.assert_array_equal(packed.targets(first, last), plain.targets(first, last))
    for size in (1, 50, 10**9):
        pieces = list(packed.pieces(0, columns, size))
        assert [p.first for p in pieces] == [0, *(p.stop for p in pieces[:-1])] and pieces[-1].stop == columns
        assert all(len(p.target) <= size or p.stop == p.first + 1 for p in pieces)
        np.testing.assert_array_equal(np.concatenate([p.target for p in pieces]), plain.targets())
    assert packed.widest() == int(plain.lengths().max())


@pytest.mark.parametrize(("rows", "fan"), [(62_500, 50), (1_000_000, 100), (50_000, 100), (1000, 500)])
def test_a_target_takes_two_bits_more_than_its_gap(rows: int, fan: int) -> None:
    """log2(gap) + 2, give or take a tenth of a bit, and 8 bytes after each part."""
    columns, rng = 400, np.random.default_rng(3)
    target = np.sort(rng.random((columns, rows)).argsort(axis=1)[:, :fan] if rows < 2000 else
                     rng.integers(0, rows // fan, (columns, fan)) + np.arange(fan) * (rows // fan))  # fmt: skip
    packed = pack(rows, np.arange(columns + 1, dtype=np.uint32) * fan, target.reshape(-1))
    bits = (packed.nbytes - 2 * SPARE) * 8 / target.size
    assert bits < math.log2(rows / fan) + 2.15


def test_damage_is_found() -> None:
    _, packed = made(5000, 200, 100)
    code = packed.target
    assert isinstance(code, PackedTargets)

    def problem(**changed: object) -> str:
        return replace(packed, target=replace(code, **changed)).problem()  # type: ignore[arg-type]

    assert problem() == ""
    assert problem(rows=4999) == problem(bits=40) == problem(low=code.low[:-1]) == "indptr, target and weight disagree"
    assert problem(bits=code.bits + 1) == problem(high=code.high.view(np.int8)) == "indptr, target and weight disagree"
    rng = np.random.default_rng(4)
    for part in ("low", "high"):
        found = 0
        for _ in range(50):  # a wrong bit may give other targets that are in order; it never gives a wrong address
            broken = getattr(code, part).copy()
            broken[rng.integers(len(broken) - SPARE - 8)] ^= np.uint8(1 << rng.integers(8))
            found += problem(**{part: broken}) != ""
        assert found > (0 if part == "low" else 45)
    assert problem(high=np.zeros_like(code.high)) == "has packed targets that are too many or too few"
    shifted = replace(packed, indptr=np.concatenate(([0], packed.indptr[:-1])).astype(np.uint32))
    assert shifted.problem() == "indptr, target and weight disagree"


@pytest.mark.parametrize(
    ("indptr", "target", "says"),
    [
        ([0, 2, 3], [0, 4, 1], ""),
        ([0, 2, 3], [0, 5, 1], "out of range"),
        ([0, 2, 3], [4, 0, 1], "ascend"),
        ([0, 2, 3], [1, 1, 1], "ascend"),
        ([0, 4, 3], [0, 1, 2], "descends"),
        ([1, 2, 3], [0, 1, 2], "descends"),
        ([0, 3], [0, 1, 2], "disagree"),
        ([0, 2, 4], [0, 1, 2], "disagree"),
    ],
)
def test_what_is_no_list_of_synapses(indptr: list[int], target: list[int], says: str) -> None:
    found = Sparse(5, 2, np.array(indptr), np.array(target, np.uint16), np.ones(3, np.int8)).problem()
    assert says in found and bool(found) == bool(says)
