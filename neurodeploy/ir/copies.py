"""`Copies`: how many equal ones a population or a host operation of a program stands for.

A program without weights holds equal layers once, and of the equal experts of a layer the first (`ir.hollow`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Copies:
    """kind : name of the class of layers. layers : their numbers in the model.

    experts, chosen : so many equal ones stand in each layer, and a token meets `chosen` of them; 1 and 1 where all tokens
        meet the only one.
    """

    kind: str
    layers: tuple[int, ...]
    experts: int = 1
    chosen: int = 1

    @property
    def count(self) -> int:
        return len(self.layers) * self.experts

    @property
    def met(self) -> int:
        """How many of them a token meets."""
        return len(self.layers) * min(self.chosen, self.experts)

    @property
    def share(self) -> Fraction:
        """Fraction of tokens that one of them sees, if experts are chosen equally often."""
        return min(Fraction(1), Fraction(self.chosen, self.experts))


#: Of what stands for itself.
ALONE = Copies("", (0,))


def class_name(paths: Sequence[str]) -> str:
    """`island_name` without the numbers of layer and expert."""
    return _joint([[word for word in path.split(".") if not word.isdigit() and word != "layers"] for path in paths])


def island_name(paths: Sequence[str]) -> str:
    """``layers.0.self_attn.q_k_v``: the path of one projection, or the common path of several, then what differs."""
    return paths[0] if len(paths) == 1 else _joint([path.split(".") for path in paths])


def _joint(paths: Sequence[Sequence[str]]) -> str:
    depth = 0
    while all(len(path) > depth + 1 and path[depth] == paths[0][depth] for path in paths):
        depth += 1
    tails = [path[-1].removesuffix("_proj") for path in paths]
    return ".".join([*paths[0][:depth], "_".join(tails)])
