"""Linear layers of a language model as populations and projections: see `neurodeploy.ir.program`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population, Section
from neurodeploy.ir.program import Island, Program, Step
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.synapses.dense import Dense


def program_of(
    info: ModelInfo, steps: Sequence[Step], islands: Mapping[str, Island], sizes: Mapping[str, int],
    input: str = "tokens", output: str = "logits", conversion: Mapping[str, object] | None = None,
    ) -> Program:  # fmt: skip
    """The program of a language model from its islands and what calls them."""
    populations: dict[str, Population] = {}
    projections, host = [], list[HostStep]()
    for step in steps:
        if isinstance(step, HostOp):
            host.append(step)
            continue
        island = islands.get(step.island)
        if island is None or step.island in populations:
            raise InternalError("ND9004", step.path, f"island {step.island!r} is missing or called twice")
        if tuple(part.output for part in island.slices) != step.outputs:
            raise InternalError("ND9004", step.path, "the call's outputs are not the island's slices")
        source, target, projection = graded_layer(island)
        populations |= {source.name: source, target.name: target}
        projections.append(projection)
        host.append(Encode(step.input, source.name, island.input_scale))
        host.append(Decode(target.name, island.output_scale, step.outputs))
    if missing := islands.keys() - populations.keys():
        raise InternalError("ND9004", info.name, f"island {sorted(missing)[0]!r} is never called")
    outputs = tuple(name for name, population in populations.items() if population.model != INPUT)
    network = Network(info.name, populations, tuple(projections), outputs)
    return Program(info, network, tuple(host), sizes, input, output, conversion or {})


def graded_layer(island: Island) -> tuple[Population, Population, Projection]:
    """The input population, the neurons and the synapses of a linear layer; arrays are the island's own."""
    s, n, name = island.synapses, island.neurons, island.name
    source = Population(f"{name}.input", (island.columns,), INPUT, {"bits": island.payload_bits})
    params: dict[str, int | Ints] = {
        "multiplier": n.multiplier, "shift": n.shift, "acc_shift": n.acc_shift,
        "state_bits": n.state_bits, "out_bits": n.out_bits,
    }  # fmt: skip
    target = Population(
        name, (island.rows,), "graded_affine", params if n.bias is None else {**params, "bias": n.bias},
        sections=tuple(Section(part.path, part.start, part.stop, part.role, part.heads) for part in island.slices),
        layer=island.layer, expert=island.expert,
    )  # fmt: skip
    projection = Projection(
        f"{name}.synapses", source.name, name, Dense(s.weight), graded=True, weight_bits=s.weight_bits, instant=True,
        axon_exp=s.axon_shift if s.axon_shift.any() else None, block_sums=s.block_abs_sum,
    )  # fmt: skip
    return source, target, projection


def layer_network(island: Island) -> Network:
    """A linear layer by itself."""
    source, target, projection = graded_layer(island)
    return Network(island.name, {source.name: source, target.name: target}, (projection,), (target.name,))
