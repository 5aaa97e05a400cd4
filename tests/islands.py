"""Linear layers that tests make by hand or find in a program, with short names for what tests ask of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from neurodeploy.ir.fixedpoint import Ints, signed_max
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import Section
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import ONE, bounds
from neurodeploy.synapses.linear import LinearLayer, linear_layer, linear_layers, program_of_layers


@dataclass(frozen=True, eq=False)  # no slots: runners keep what they prepare in a WeakKeyDictionary of islands
class Island(LinearLayer):
    """All projections of a model that share one source, in integers. Sizes are known without arrays."""

    @property
    def rows(self) -> int:
        return self.neurons.size

    @property
    def columns(self) -> int:
        return self.source.size

    @property
    def layer(self) -> int | None:
        return self.neurons.layer

    @property
    def expert(self) -> int | None:
        return self.neurons.expert

    @property
    def payload_max(self) -> int:
        return signed_max(dict[str, Any](self.source.params)["bits"])

    @property
    def weight(self) -> Any:
        return self.synapses.synapse.weight

    @property
    def axon_exp(self) -> Ints:
        """Zeros where there are none."""
        given = self.synapses.axon_exp
        return np.broadcast_to(np.zeros((), np.uint8), (self.columns,)) if given is None else given

    @property
    def params(self) -> dict[str, Any]:
        return {"bias": None, **self.neurons.params}

    def reading(self, value: str) -> Island:
        """The same layer of another host value."""
        return replace(self, encode=replace(self.encode, value=value))


def island(name: str, weight: Any, params: Mapping[str, int | Ints], **given: Any) -> Island:
    """`linear_layer` that reads "NAME.in" and makes a value of each section's path; payloads and outputs in units of 1."""
    sections = given.pop("sections", (Section(name, 0, weight.shape[0]),))
    values = (f"{name}.in", tuple(part.path for part in sections))
    made = linear_layer(name, weight, params, **{"scales": (ONE, ONE), "values": values, "sections": sections, **given})
    return _island(made)


def _island(layer: LinearLayer) -> Island:
    return Island(layer.source, layer.synapses, layer.neurons, layer.encode, layer.decode)


@lru_cache(maxsize=64)
def islands_of(program: Program) -> Mapping[str, Island]:
    """Every linear layer of a language model."""
    return {layer.name: _island(layer) for layer in linear_layers(program)}


def hollow_island(name: str, rows: int, columns: int, *, weight_bits: int = 8, **given: Any) -> Island:
    """An island of these sizes, whose rows are one section of that name."""
    params = {
        "multiplier": np.broadcast_to(np.ones((), np.int16), (rows,)),
        "shift": np.broadcast_to(np.zeros((), np.uint8), (rows,)),
    }
    weight, sums = np.broadcast_to(np.zeros((), np.int8), (rows, columns)), bounds(columns, weight_bits)
    return island(name, weight, params, weight_bits=weight_bits, block_sums=sums, **given)


def hollow_program(info: ModelInfo, islands: Sequence[Island], host: Sequence[HostOp] = ()) -> Program:
    """A program that calls these islands in order; `host` operations say what routes (`moe_route`, `moe_dispatch`)."""
    return program_of_layers(info, [*host, *islands], {}, output="")


def layer_network(layer: LinearLayer) -> Network:
    """The layer as a network by itself."""
    populations = {p.name: p for p in (layer.source, layer.neurons)}
    return Network(layer.name, populations, (layer.synapses,), (layer.name,))
