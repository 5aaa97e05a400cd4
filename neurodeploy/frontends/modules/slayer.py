"""Networks of lava-dl's SLAYER blocks as lava-dl's own .net file: integers already, by the export of each block.

A .net is a chain, so the blocks must be one: each takes what the one before it gave.

(lava-dl 0.6.0, ``slayer/block/base.py``.)
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.modules.pieces import TracedLayer, refused
from neurodeploy.frontends.modules.running import copied, first

#: The package of its classes, and what they are called here.
PACKAGE, NAME = "lava", "lava-dl"
BLOCKS = "lava.lib.dl.slayer.block."
#: The order of the axes of what its blocks take: NCT, NCHWT.
LAYOUT = "(samples, neurons, steps)"


def blocks_of(module: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The outermost blocks of a module, each with its name."""
    if type(module).__module__.startswith(BLOCKS):
        yield name, module
        return
    for key, part in module.named_children():
        yield from blocks_of(part, f"{name}.{key}" if name else key)


def export_blocks(module: Any, example: NDArray[Any], path: Path) -> tuple[NDArray[Any], tuple[int, ...]]:
    """Write the .net of a module, and run the example (samples, .., steps) in SLAYER.

    Returns what it gave, (samples, .., steps), and the shape of an input of one step. The module that is given is left as it
    is. Raises ND1275 for blocks that take real numbers, ND1276 where the blocks are no chain, ND1277 where the module does
    not run on the example.
    """
    import h5py

    torch: Any = sys.modules["torch"]
    ready, kind = copied(module), type(module).__name__
    calls: list[tuple[str, Any, Any, Any]] = []
    for name, block in blocks_of(ready):
        if type(block).__name__ == "Input":
            layer = TracedLayer(block, name, (), (), 1.0)
            raise refused(
                layer, "scales data before it sends them", "give the blocks behind it, or its .net and the data"
            )
        block.register_forward_hook(
            lambda block, given, made, name=name: calls.append((name, block, given[0], first(made)))
        )
    try:
        with torch.no_grad():
            made = first(ready(torch.from_numpy(np.array(example, np.float32))))
    except Exception as error:  # whatever it raises is told in its words
        told = f"{type(error).__name__}: {' '.join(str(error).split()):.300}"
        problem = f"does not run on an example of {example.shape}: {told}"
        raise ModelError("ND1277", kind, problem, f"give spikes as its forward pass takes them, {LAYOUT}") from None
    _check_chain(kind, calls, made)
    with h5py.File(path, "w") as file:
        layers = file.create_group("layer")
        for index, (_, block, _, _) in enumerate(calls):
            block.export_hdf5(layers.create_group(str(index)))
    return made.numpy(), tuple(example.shape[1:-1])


def _check_chain(kind: str, calls: list[tuple[str, Any, Any, Any]], made: Any) -> None:
    """ND1276 unless each block is used once, on what the one before it gave."""
    names = [name for name, *_ in calls]
    joined = [given is before for (*_, before), (_, _, given, _) in pairwise(calls)]
    if not calls or len(set(names)) < len(names) or not all(joined) or calls[-1][3] is not made:
        problem = f"its blocks ({', '.join(names) or 'none'}) are no chain, and a .net is one"
        raise ModelError(
            "ND1276", kind, problem, "give blocks that follow one another, each used once, and nothing between"
        )


def in_chip_order(rows: NDArray[Any]) -> NDArray[Any]:
    """(samples, C, steps) or (samples, C, H, W, steps) -> (samples, steps, neurons); a .net counts them (x, y, channel)."""
    axes = (0, rows.ndim - 1, *range(rows.ndim - 2, 0, -1))
    return np.array(rows.transpose(axes).reshape(len(rows), rows.shape[-1], -1))
