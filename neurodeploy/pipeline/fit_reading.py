"""What `fit` is asked about: a language model, equal layers once, or a spiking network; a bundle is either."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurodeploy.bundle import open_bundle
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.frontends.outlines.draw import DENSE, EXPERTS
from neurodeploy.ir.copies import Copies
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Encode, HostStep
from neurodeploy.ops import experts_of
from neurodeploy.pipeline.spiking_file import is_spiking_file
from neurodeploy.synapses.hollow import Facts, facts_of


def read_model(model: str | Path, dt: float | None, generic: bool) -> Program | Network:
    """A hollow program, or the network. Raises what the reader of that kind of file raises."""
    path = Path(model)
    if path.is_dir() and (path / "manifest.json").is_file():
        program = open_bundle(path).program
        return program.network if program.streamed else folded(program)
    if is_spiking_file(path):
        return _network(path, dt)
    return read_hollow(model, generic=generic)


def _network(path: Path, dt: float | None) -> Network:
    """A .nir or .net as `convert` reads it with its usual options."""
    from neurodeploy.pipeline.reading import NirOptions, read_net_file, read_nir_file

    if path.suffix.lower() == ".net":
        return read_net_file(path, dt).network
    options = NirOptions(dt, verb="fit")
    return read_nir_file(path, options).network


_LAYER, _EXPERT = re.compile(r"layers\.(\d+)\."), re.compile(r"\.experts\.(\d+)\.")


def folded(program: Program) -> Program:
    """A program with equal layers once, of the experts of a layer the first, and a count. No weight is read."""
    experts, chosen = experts_of(program.operations)
    layers: dict[int, list[HostStep]] = {}
    for step in program.host:
        layer, expert = _layer(program, step), _EXPERT.search(step.path)
        if layer is not None and (expert is None or expert[1] == "0"):
            layers.setdefault(layer, []).append(step)
    classes: dict[tuple[object, ...], list[int]] = {}
    for layer in sorted(layers):
        likeness = tuple(_likeness(program, step) for step in layers[layer])
        classes.setdefault((experts.get(layer), chosen.get(layer), likeness), []).append(layer)
    first = {layer: where[0] for where in classes.values() for layer in where}
    copies: dict[str, Copies] = {}
    for number, where in enumerate(classes.values()):
        kind, count = "layers" if len(classes) == 1 else f"kind {number}", experts.get(where[0], 1)
        for step in layers[where[0]]:
            routed = EXPERTS in step.path and count > 1
            copies[step.path] = Copies(kind, tuple(where), *((count, chosen.get(where[0], 1)) if routed else ()))
    kept = [step for step in program.host if step.path in copies or _layer(program, step) is None]
    made = {name for step in kept for name in step.outputs} | {program.input}

    def twins(names: Sequence[str]) -> tuple[str, ...]:
        """What a layer that is left out would have made, under the name of its class."""
        found = [_LAYER.sub(lambda match: f"layers.{first[int(match[1])]}.", name) for name in names]
        return tuple(name for name in found if name in made)

    host = [
        replace(step, inputs=twins(step.inputs)) if isinstance(step, HostOp)
        else replace(step, value=twins(step.inputs)[0]) if isinstance(step, Encode) else step
        for step in kept
    ]  # fmt: skip
    names = {step.path for step in kept}
    populations = {name: p for name, p in program.network.populations.items() if name in names}
    projections = tuple(p for p in program.network.projections if p.target in names)
    outputs = tuple(name for name in program.network.outputs if name in names)
    note = "read from a bundle: widths other than the converted one ask what another conversion would need"
    facts = Facts(_small(program), 0, program.info.hidden_size, *DENSE, (note,))
    if "hollow" in program.conversion:
        facts = facts_of(program)
    return replace(
        program, network=replace(program.network, populations=populations, projections=projections, outputs=outputs),
        host=tuple(host), copies=copies, conversion={"hollow": facts.to_json()},
    )  # fmt: skip


def _layer(program: Program, step: HostStep) -> int | None:
    if isinstance(step, HostOp):
        return step.layer
    behind = program.network.out_of(step.population)
    return program.network.populations[behind[0].target if behind else step.population].layer


def _likeness(program: Program, step: HostStep) -> tuple[object, ...]:
    """What is equal for steps that do the same in different layers."""
    name = _LAYER.sub("", step.path)
    if isinstance(step, HostOp):
        sizes = tuple(program.sizes[value] for value in (*step.inputs, *step.outputs))
        return name, step.op, sizes, tuple(sorted(step.attrs.items()))
    population = program.network.populations[step.population]
    return name, population.size, tuple((part.role, part.rows, part.heads) for part in population.sections)


def _small(program: Program) -> int:
    """Weights of norms, and biases of the projections that have any."""
    norms = sum(len(op.weights) * int(str(op.attrs["group"])) for op in program.operations if "group" in op.attrs)
    return norms + sum(
        part.rows
        for population in program.network.populations.values()
        for part in population.sections
        if np.any(np.atleast_1d(population.params.get("bias", 0))[part.start : part.stop])
    )
