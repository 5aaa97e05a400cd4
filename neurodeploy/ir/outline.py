"""`Outline`: what a mapper and a price need of a language model before anybody has its weights: shapes, counts, host work.

Equal layers are one `Block` with a list of their numbers, equal experts one `Matrix` with a count, so that a model of a
million cores is a few dozen records. A `Matrix` is a class of islands: all projections that read one population, as the
converter would gather them (`ir.program.Island`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from neurodeploy.ir.graph import ModelInfo


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one projection: `role` as in `ir.graph.Projection`, `heads` > 0 where they are attention heads."""

    role: str
    rows: int
    heads: int = 0


@dataclass(frozen=True, slots=True)
class Matrix:
    """A class of islands of shape (rows, columns), rows in the order of `parts`.

    experts, chosen : so many equal ones stand in each layer, and a token meets `chosen` of them; 1 and 1 where all
        tokens meet the only one.
    """

    name: str
    columns: int
    parts: tuple[Part, ...]
    experts: int = 1
    chosen: int = 1

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def weights(self) -> int:
        """Weights of one of them."""
        return self.rows * self.columns

    @property
    def share(self) -> Fraction:
        """Fraction of tokens that one of them sees, if experts are chosen equally often."""
        return min(Fraction(1), Fraction(self.chosen, self.experts))

    @property
    def shape(self) -> tuple[int, tuple[Part, ...]]:
        """What decides how it is cut."""
        return self.columns, self.parts


@dataclass(frozen=True, slots=True)
class HostWork:
    """A host operation's work in one layer: (floating-point operations, bytes) a token, in both phases.

    known : whether the formula is that of `neurodeploy.ops`; otherwise the operation has no kernel here and the figure is
        an estimate.
    """

    op: str
    generate: tuple[int, int]
    prefill: tuple[int, int]
    known: bool = True


@dataclass(frozen=True, slots=True)
class Block:
    """A class of equal layers: `layers` are their numbers in the model."""

    name: str
    layers: tuple[int, ...]
    matrices: tuple[Matrix, ...]
    host: tuple[HostWork, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """A language model without weights.

    head : the vocabulary projection, None where there is none. embedding : (rows, columns) of the table that the host keeps,
    positions : rows of a learnt table of positions. small : parameters that are no matrix: norms, biases and the like.
    context : tokens before the one that is priced.
    around : host work outside of layers (embedding, last norm, sampling).
    activity : assumed fraction of non-zero activations, with its source.
    notes : what a reader must know; left_out : parts of the model that no text passes through.
    """

    info: ModelInfo
    blocks: tuple[Block, ...]
    head: Matrix | None
    embedding: tuple[int, int]
    positions: int
    small: int
    context: int
    around: tuple[HostWork, ...]
    activity: float
    activity_source: str
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def matrices(self) -> Iterator[tuple[Block, Matrix]]:
        """Every class with its block, the head left out."""
        for block in self.blocks:
            for matrix in block.matrices:
                yield block, matrix

    @property
    def body(self) -> int:
        """Weights of all linear layers but the head."""
        return sum(len(block.layers) * matrix.experts * matrix.weights for block, matrix in self.matrices())

    @property
    def active(self) -> int:
        """Weights of the body that one token meets."""
        return sum(
            len(block.layers) * min(matrix.chosen, matrix.experts) * matrix.weights for block, matrix in self.matrices()
        )

    @property
    def table(self) -> int:
        """Weights of the embedding table."""
        return self.embedding[0] * self.embedding[1]

    @property
    def total(self) -> int:
        """Every parameter of the text model: body, embedding, positions, what is `small`, and the head where it is not the
        embedding again."""
        head = self.head.weights if self.head is not None and not self.info.tied_embeddings else 0
        return self.body + self.table + self.positions * self.info.hidden_size + head + self.small
