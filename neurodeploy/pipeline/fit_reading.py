"""What `fit` is asked about: a language model, equal layers once, or a spiking network; a bundle is either."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurodeploy.bundle import open_bundle
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.frontends.outlines.draw import DENSE, EXPERTS
from neurodeploy.ir.copies import Copies
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.hollow import Facts
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import IslandCall, Program, Step
from neurodeploy.ops import experts_of
from neurodeploy.pipeline.spiking_file import is_spiking_file


def read_model(model: str | Path, dt: float | None, generic: bool) -> Program | Network:
    """A hollow program, or the network. Raises what the reader of that kind of file raises."""
    path = Path(model)
    if path.is_dir() and (path / "manifest.json").is_file():
        program = open_bundle(path).program
        return program.network if program.network is not None else folded(program)
    if is_spiking_file(path):
        return _network(path, dt)
    return read_hollow(model, generic=generic)


def _network(path: Path, dt: float | None) -> Network:
    """A .nir or .net as `convert` reads it with its usual options."""
    from neurodeploy.pipeline.reading import NetOptions, NirOptions, read_net_file, read_nir_file

    if path.suffix.lower() == ".net":
        return read_net_file(path, NetOptions(dt, None, 0, 0, None, None, 0, 6)).network
    options = NirOptions(dt, verb="fit")
    return read_nir_file(path, options).network


_LAYER, _EXPERT = re.compile(r"layers\.(\d+)\."), re.compile(r"\.experts\.(\d+)\.")


def folded(program: Program) -> Program:
    """A program with equal layers once, of the experts of a layer the first, and a count. No weight is read."""
    experts, chosen = experts_of(program.steps)
    layers: dict[int, list[Step]] = {}
    for step in program.steps:
        expert = _EXPERT.search(step.path)
        if step.layer is not None and (expert is None or expert[1] == "0"):
            layers.setdefault(step.layer, []).append(step)
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
    kept = [step for step in program.steps if step.layer is None or step.path in copies]
    made = {name for step in kept for name in step.outputs} | {program.input}
    steps = []
    for step in kept:  # what a layer that is left out would have made stands under the name of its class
        names = (_LAYER.sub(lambda found: f"layers.{first[int(found[1])]}.", name) for name in step.inputs)
        inputs = tuple(name for name in names if name in made)
        steps.append(replace(step, inputs=inputs) if isinstance(step, HostOp) else replace(step, input=inputs[0]))
    islands = {name: island for name, island in program.islands.items() if island.layer is None or name in copies}
    note = "read from a bundle: widths other than the converted one ask what another conversion would need"
    facts = Facts(_small(program), 0, program.info.hidden_size, *DENSE, (note,))
    return replace(program, steps=tuple(steps), islands=islands, copies=copies, conversion={"hollow": facts.to_json()})


def _likeness(program: Program, step: Step) -> tuple[object, ...]:
    """What is equal for steps that do the same in different layers."""
    name = _LAYER.sub("", step.path)
    if isinstance(step, IslandCall):
        island = program.islands[step.island]
        return name, island.columns, tuple((part.role, part.rows, part.heads) for part in island.slices)
    sizes = tuple(program.sizes[value] for value in (*step.inputs, *step.outputs))
    return name, step.op, sizes, tuple(sorted(step.attrs.items()))


def _small(program: Program) -> int:
    """Weights of norms, and biases of the projections that have any."""
    hosts = [step for step in program.steps if isinstance(step, HostOp)]
    norms = sum(len(step.weights) * int(str(step.attrs["group"])) for step in hosts if "group" in step.attrs)
    biases = sum(
        part.rows
        for island in program.islands.values()
        for part in island.slices
        if (bias := island.neurons.bias) is not None and np.any(bias[part.start : part.stop])
    )
    return norms + biases
