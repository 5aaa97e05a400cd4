"""The frameworks whose modules are taken: by what a module is recognised, its axes, its step, its layers, how it is run.

Their conventions (scheme, > or >=) are those of `frontends.nir.frameworks.CONVENTIONS`, under the same names. Blocks of
lava-dl are taken too, by a file of its own format (`slayer`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from neurodeploy.errors import ModelError
from neurodeploy.frontends.modules import norse_cells, running, sinabs_cells, slayer, snntorch_cells, spikingjelly_cells
from neurodeploy.frontends.modules.pieces import Maker
from neurodeploy.frontends.modules.torch_layers import LAYERS
from neurodeploy.frontends.nir.frameworks import CONVENTIONS
from neurodeploy.frontends.streams.reading import SAMPLE_FIRST, TIME_FIRST


@dataclass(frozen=True, slots=True)
class Framework:
    """cells : class -> node. layout : the order of the axes of an input, of `LAYOUTS`. run : (module, input in that order)
    -> what it gives, in that order; it resets all states first. ready : (module, samples) -> the module to be run. lead :
    module -> axes before the neurons. fixed : options of the reader that hold for all its modules."""

    cells: Mapping[str, Maker]
    layout: str
    run: Callable[[Any, Any], Any]
    lead: Callable[[Any], int]
    ready: Callable[[Any, int], Any] = lambda module, samples: module
    fixed: Mapping[str, Any] = field(default_factory=dict)


#: By the package that defines the classes of its layers.
FRAMEWORKS: Mapping[str, Framework] = {
    "snntorch": Framework(snntorch_cells.CELLS, TIME_FIRST, running.snntorch, lambda module: 1),
    "norse": Framework(norse_cells.CELLS, TIME_FIRST, running.norse, running.norse_lead),
    "spikingjelly": Framework(spikingjelly_cells.CELLS, TIME_FIRST, running.spikingjelly, running.spikingjelly_lead),
    "sinabs": Framework(
        sinabs_cells.CELLS, SAMPLE_FIRST, running.sinabs, lambda module: 1, running.sinabs_twins, {"unit_gain": False}
    ),
}


def framework_of(model: object) -> str | None:
    """The framework of a module of torch, by the package of its layers' classes; None for anything else.

    Loads nothing: where torch is not loaded there is no module. ND1275 for layers of two frameworks.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return None
    homes = {home_of(part)[0] for part in model.modules()}
    found = homes & set(FRAMEWORKS)
    if slayer.PACKAGE in homes and any(slayer.blocks_of(model)):
        found.add(slayer.NAME)
    if len(found) > 1:
        problem = f"has layers of {' and '.join(sorted(found))}, whose conventions differ"
        raise ModelError("ND1275", type(model).__name__, problem, "give a module of one framework")
    return found.pop() if found else None


def is_graph(model: object) -> bool:
    """Whether a model is a `nir.NIRGraph`."""
    nir = sys.modules.get("nir")
    return nir is not None and isinstance(model, nir.NIRGraph)


def layout_of(name: str) -> str:
    """The order of the axes of an example, as the framework has it."""
    return FRAMEWORKS[name].layout if name in FRAMEWORKS else slayer.LAYOUT


def home_of(part: object) -> tuple[str, str]:
    """The package and name of the class of a layer: of a user's own class, the nearest that a package defines."""
    for base in type(part).__mro__:
        package = base.__module__.partition(".")[0]
        if package in ("torch", slayer.PACKAGE) or package in FRAMEWORKS:
            return package, base.__name__
    return "", type(part).__name__


def maker_of(part: object, name: str) -> Maker | None:
    """What makes nodes of a layer of framework `name`, or of torch; None where nothing does."""
    package, kind = home_of(part)
    table = LAYERS if package == "torch" else FRAMEWORKS[name].cells if package == name else {}
    return table.get(kind)


def step_of(module: Any, name: str, dt: float | None) -> float:
    """Seconds of a step: of Norse its neurons say it, of SpikingJelly the user, if at all; otherwise as its files have it.

    ND1275 where neurons differ.
    """
    said = {float(part.dt) for part in module.modules() if home_of(part)[0] == name and hasattr(part, "dt")}
    if len(said) > 1:
        raise ModelError("ND1275", type(module).__name__, f"has steps of {sorted(said)} s", "give all neurons one dt")
    return said.pop() if said else CONVENTIONS[name].step if dt is None else dt
