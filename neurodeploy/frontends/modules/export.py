"""A module, or a graph of NIR in memory, as a file, with the options that its reader needs: nothing is left to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.modules import slayer
from neurodeploy.frontends.modules.frameworks import FRAMEWORKS, step_of
from neurodeploy.frontends.modules.running import copied, shapes_of
from neurodeploy.frontends.modules.tracing import follow
from neurodeploy.frontends.nir.schema import NIR_VERSION, lay_out
from neurodeploy.frontends.streams.reading import LAYOUTS, TIME_FIRST


@dataclass(frozen=True, slots=True)
class ExportedModule:
    """options : of `frontends.nir.conventions.read_as`, or of a .net. example, outputs : (samples, steps, ..), what was fed
    and what the framework itself gave. layers : name of a layer with neurons -> its node. gaps : what is lost, in words."""

    options: Mapping[str, Any]
    example: NDArray[Any]
    outputs: NDArray[Any]
    layers: Mapping[str, str]
    gaps: tuple[str, ...]


def export_module(
    module: Any, name: str, example: object, path: Path, *, layout: str | None = None, dt: float | None = None
) -> ExportedModule:
    """Write the NIR file of a module of framework `name`, and run the example in the framework.

    example : tensor or array of spikes, or of real numbers, with axes for steps and samples before the neurons; `layout`
    (of `LAYOUTS`) their order, None: as the framework has it. dt : seconds of a step, where the module does not say it.
    Raises ND1275 for layers and settings that no node of NIR stands for, ND1276 for a forward pass that cannot be followed,
    ND1277 where the module does not run on the example.
    """
    import torch

    framework = FRAMEWORKS[name]
    array = _array(module, example, f"(steps, samples, neurons), {framework.layout}", layout)
    order = layout or framework.layout
    rows = array.swapaxes(0, 1) if order == TIME_FIRST else array  # (samples, steps, ..)
    step = step_of(module, name, dt)
    ready = framework.ready(copied(module), len(rows))
    lead = framework.lead(ready)
    fed = torch.from_numpy(np.array(rows.swapaxes(0, 1) if framework.layout == TIME_FIRST else rows))
    fed = fed.to(next((p.dtype for p in ready.parameters() if p.is_floating_point()), torch.float32))
    try:
        made, shapes = shapes_of(ready, framework.run, fed, lead)
    except Exception as error:  # whatever a framework raises is told in its words
        told = f"{type(error).__name__}: {' '.join(str(error).split()):.300}"
        fix = f"give spikes as its forward pass takes them, {framework.layout}, or say the order with layout"
        problem = f"does not run on an example of {tuple(fed.shape)}: {told}"
        raise ModelError("ND1277", type(module).__name__, problem, fix) from None
    graph = follow(ready, name, shapes, tuple(rows.shape[2:]), step)
    outputs = made.numpy().swapaxes(0, 1) if framework.layout == TIME_FIRST else made.numpy()
    with h5py.File(path, "w") as file:
        lay_out(file, graph.nodes, graph.edges, {})
    options = {"source": name, "dt": step, "reset": graph.resets, **framework.fixed}
    return ExportedModule(options, rows, outputs, graph.layers, tuple(graph.gaps))


def export_slayer(
    module: Any, example: object, path: Path, *, layout: str | None = None, dt: float | None = None
) -> ExportedModule:
    """Write the .net file of a module of lava-dl's blocks, and run the example in SLAYER.

    example : with axes (samples, neurons, steps), as its blocks take it, or those of `layout` (of `LAYOUTS`). Both arrays of
    the result count neurons as the file does. Raises the errors of `export_blocks`, and ND1277 for other axes.
    """
    array = _array(module, example, slayer.LAYOUT, layout)
    if layout is not None:
        array = np.moveaxis(array, 0 if layout == TIME_FIRST else 1, -1)
    made, shape = slayer.export_blocks(module, array, path)
    options = {} if dt is None else {"dt": dt}
    known = {"input_shape": shape[::-1]} if len(shape) == 3 else {}
    return ExportedModule({**options, **known}, slayer.in_chip_order(array), slayer.in_chip_order(made), {}, ())


def _array(module: Any, example: object, axes: str, layout: str | None) -> NDArray[Any]:
    """The example as an array of three axes or more; ND1277 for none, or fewer, ND1272 for a layout that is not known."""
    import torch

    if layout not in (None, *LAYOUTS):
        raise ModelError("ND1272", f"layout {layout!r:.40}", "is not known", f"use {' or '.join(LAYOUTS)}")
    if example is None:
        fix = f"give example_inputs: spikes {axes}"
        raise ModelError("ND1277", type(module).__name__, "comes without an example, by which shapes are known", fix)
    array: NDArray[Any] = example.detach().cpu().numpy() if isinstance(example, torch.Tensor) else np.asarray(example)
    if array.ndim < 3 or not array.size:
        problem = f"has shape {array.shape}; needed: {axes}"
        raise ModelError(
            "ND1277", "example_inputs", problem, "give at least one sample of one step, with all three axes"
        )
    return array


def export_graph(graph: Any, path: Path) -> None:
    """Write a `nir.NIRGraph` as `nir.write` does, and what that refuses: numbers without an axis, fields without a value."""
    with h5py.File(path, "w") as file:
        file["version"] = NIR_VERSION
        _lay_out(file.create_group("node"), graph.to_dict())


def _lay_out(group: Any, fields: Mapping[str, Any]) -> None:
    for key, value in fields.items():
        if key == "edges":
            pairs = np.array(value, dtype=object).reshape(-1, 2)
            group.create_dataset(key, data=pairs, dtype=h5py.string_dtype())
        elif isinstance(value, Mapping):
            _lay_out(group.create_group(str(key)), value)
        elif value is not None:
            held = value.detach().cpu().numpy() if hasattr(value, "detach") else value
            group[str(key)] = held
