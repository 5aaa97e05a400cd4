"""What `fit` is asked about: an `Outline` of a language model, or a spiking network; a bundle is either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neurodeploy.bundle import open_bundle
from neurodeploy.frontends.outlines import CONTEXT, read_outline
from neurodeploy.frontends.outlines.draw import DENSE, class_name, host_work
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.network import Network
from neurodeploy.ir.outline import Block, HostWork, Matrix, Outline, Part
from neurodeploy.ir.program import Island, IslandCall, Program
from neurodeploy.ops import experts_of
from neurodeploy.pipeline.spiking_file import is_spiking_file


def read_model(model: str | Path, context: int | None, dt: float | None, generic: bool) -> Outline | Network:
    """The outline or the network. Raises what the reader of that kind of file raises."""
    path = Path(model)
    if path.is_dir() and (path / "manifest.json").is_file():
        program = open_bundle(path).program
        return program.network if program.streamed else program_outline(program, context or CONTEXT)
    if is_spiking_file(path):
        return _network(path, dt)
    return read_outline(model, context or CONTEXT, generic=generic)


def _network(path: Path, dt: float | None) -> Network:
    """A .nir or .net as `convert` reads it with its usual options."""
    from neurodeploy.pipeline.reading import NetOptions, NirOptions, read_net_file, read_nir_file

    if path.suffix.lower() == ".net":
        return read_net_file(path, NetOptions(dt, None, 0, 0, None, None, 0, 6)).network
    options = NirOptions(dt, verb="fit")
    return read_nir_file(path, options).network


def program_outline(program: Program, context: int) -> Outline:
    """The outline of a converted program: its islands by layer, equal layers together; no weight is read."""
    info = program.info
    context = min(context, info.max_positions)
    experts, chosen = experts_of(program.steps)
    layers: dict[int, list[Matrix]] = {}
    head = None
    for island in program.islands.values():
        if island.layer is None:
            head = _matrix(island, "lm_head", 1, 1)
        elif not island.expert:  # of several experts the first stands for all
            count = 1 if island.expert is None else experts.get(island.layer, 1)
            paths = [part.path for part in island.slices]
            layers.setdefault(island.layer, []).append(
                _matrix(island, class_name(paths), count, chosen.get(island.layer, 1) if count > 1 else 1)
            )
    host: dict[int | None, list[HostWork]] = {}
    for step in _hosts(program):
        work = host_work(step, program.sizes, context, chosen.get(step.layer, 1))
        host.setdefault(step.layer, []).append(work)
    classes: dict[tuple[tuple[Matrix, ...], tuple[HostWork, ...]], list[int]] = {}
    for layer in sorted(layers):
        classes.setdefault((tuple(layers[layer]), tuple(host.get(layer, ()))), []).append(layer)
    blocks = tuple(
        Block("layers" if len(classes) == 1 else f"kind {number}", tuple(where), matrices, work)
        for number, ((matrices, work), where) in enumerate(classes.items())
    )
    return Outline(
        info, blocks, head, (info.vocab_size, info.hidden_size), 0, _small(program), context,
        tuple(host.get(None, ())), *DENSE,
        notes=("read from a bundle: widths other than the converted one ask what another conversion would need",),
    )  # fmt: skip


def _small(program: Program) -> int:
    """Weights of norms, and biases of the projections that have any."""
    norms = sum(len(step.weights) * int(str(step.attrs["group"])) for step in _hosts(program) if "group" in step.attrs)
    biases = sum(
        part.rows
        for island in program.islands.values()
        for part in island.slices
        if (bias := island.neurons.bias) is not None and np.any(bias[part.start : part.stop])
    )
    return norms + biases


def _hosts(program: Program) -> Sequence[HostOp]:
    return [step for step in program.steps if not isinstance(step, IslandCall)]


def _matrix(island: Island, name: str, experts: int, chosen: int) -> Matrix:
    parts = tuple(Part(part.role, part.rows, part.heads) for part in island.slices)
    return Matrix(name, island.columns, parts, experts, chosen)
