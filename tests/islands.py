"""Linear layers that tests make by hand, *islands*, without weights; what tests ask of a layer; the layers of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.fixedpoint import signed_max
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.population import Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode
from neurodeploy.synapses.hollow import ONE, bounds
from neurodeploy.synapses.linear import LinearLayer, linear_layer, linear_layers, program_of_layers


@lru_cache(maxsize=64)
def islands_of(program: Program) -> Mapping[str, LinearLayer]:
    """Every linear layer of a language model."""
    return {layer.name: layer for layer in linear_layers(program)}


def steps_of(program: Program) -> list[HostOp | Decode]:
    """Host operations, and what the host decodes of islands, in order."""
    return [step for step in program.host if not isinstance(step, Encode)]


def payload_max(island: LinearLayer) -> int:
    return signed_max(int(island.source.params["bits"]))


def exponents(island: LinearLayer) -> NDArray[np.uint8]:
    """One for each axon, of an island too that needs none."""
    found = island.synapses.axon_exp
    return np.broadcast_to(np.zeros((), np.uint8), (island.source.size,)) if found is None else found


def reading(island: LinearLayer, value: str) -> LinearLayer:
    """The island, called with this value of the host."""
    return replace(island, encode=replace(island.encode, value=value))


def hollow_island(
    name: str, rows: int, columns: int, *, layer: int | None = None, expert: int | None = None, weight_bits: int = 8,
    payload_bits: int = 16,
) -> LinearLayer:  # fmt: skip
    """An island of these sizes; its rows are one section of that name."""

    def every(value: int, kind: Any, *shape: int) -> NDArray[Any]:
        return np.broadcast_to(np.full((), value, kind), shape)

    params = {"multiplier": every(1, np.int16, rows), "shift": every(0, np.uint8, rows), "acc_shift": 0}
    return linear_layer(
        name, every(0, np.int8, rows, columns), params, scales=(ONE, ONE), values=(f"{name}.in", (name,)),
        payload_bits=payload_bits, weight_bits=weight_bits, block_sums=bounds(columns, weight_bits),
        sections=[Section(name, 0, rows)], layer=layer, expert=expert,
    )  # fmt: skip


def hollow_program(info: ModelInfo, islands: Sequence[LinearLayer], host: Sequence[HostOp] = ()) -> Program:
    """A program that calls these islands in order; `host` operations say what routes (`moe_route`, `moe_dispatch`)."""
    return program_of_layers(
        info, [*host, *(reading(island, f"{island.name}.in") for island in islands)], {}, output=""
    )
