"""`Affinity`: which expert of a layer follows which of the layer with experts before, token by token."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping as Table
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Affinity:
    """Counts of a text of `tokens` tokens.

    pairs : (group, group, tokens) for each expert and each expert of the next such layer that both saw the same token, by
        the names of their groups; ascending by layer, pairs of the same two layers side by side.
    """

    tokens: int
    pairs: tuple[tuple[str, str, int], ...]

    def drift(self, other: Affinity) -> float:
        """``max over layers of 1/2 sum |p - q|``: total variation of the pairs, 0 (alike) to 1 (no pair in common)."""
        mine, theirs = self._shares(), other._shares()
        return max((_variation(mine.get(at, {}), theirs.get(at, {})) for at in mine | theirs), default=0.0)

    def between(self, chips: Table[str, Collection[int]]) -> float:
        """The part of the pairs whose experts share none of the `chips` that each stands on."""
        total = sum(count for _, _, count in self.pairs)
        apart = sum(n for a, b, n in self.pairs if not set(chips.get(a, ())) & set(chips.get(b, ())))
        return apart / total if total else 0.0

    def _shares(self) -> dict[str, dict[tuple[str, str], float]]:
        found = {}
        for layer, pairs in groupby(self.pairs, key=lambda pair: pair[0].rpartition(".")[0]):
            counts = {(a, b): n for a, b, n in pairs}
            total = max(1, sum(counts.values()))
            found[layer] = {pair: n / total for pair, n in counts.items()}
        return found


def _variation(p: Table[tuple[str, str], float], q: Table[tuple[str, str], float]) -> float:
    """Summed in an order that does not depend on hashes: floats come out the same."""
    return sum(abs(p.get(pair, 0.0) - q.get(pair, 0.0)) for pair in sorted(p.keys() | q.keys())) / 2
