"""A module on an example as its framework runs it: states reset first, step by step or all at once.

What is run is always a copy in evaluation mode: the module that was given keeps its states, its mode and its device.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from neurodeploy.frontends.modules.norse_cells import SEQUENCES
from neurodeploy.frontends.modules.pieces import Shape
from neurodeploy.frontends.modules.sinabs_cells import TWINS


def copied(module: Any) -> Any:
    """A copy on the CPU in evaluation mode, without what autograd remembers.

    Hidden states of a module that was trained are no leaves, which torch refuses to copy; the own copying of sinabs' layers
    loses what is nested in them.
    """
    memo: dict[int, Any] = {}
    for tensor in _remembered(module):
        memo[id(tensor)] = tensor.detach().clone()
    for part in module.modules():
        if hasattr(type(part), "__deepcopy__"):
            memo[id(part)] = object.__new__(type(part))
    for part in module.modules():
        if hasattr(type(part), "__deepcopy__"):
            memo[id(part)].__dict__.update(copy.deepcopy(part.__dict__, memo))
    return copy.deepcopy(module, memo).cpu().eval()


def _remembered(module: Any) -> Iterator[Any]:
    """Tensors of a module that are results of a computation."""
    stack: list[Any] = [vars(part) for part in module.modules()]
    while stack:
        held = stack.pop()
        if isinstance(held, Mapping):
            stack.extend(held.values())
        elif isinstance(held, list | tuple):
            stack.extend(held)
        elif getattr(held, "grad_fn", None) is not None:
            yield held


def shapes_of(module: Any, run: Any, example: Any, lead: int) -> tuple[Any, dict[str, tuple[Shape, Shape]]]:
    """What `run` gives for the example, and by the name of each layer the shapes of a sample in a step that enter and leave
    it where it is first used. lead : axes before the neurons."""
    shapes: dict[str, tuple[Shape, Shape]] = {}
    handles = []
    for name, part in module.named_modules():

        def note(_: Any, given: tuple[Any, ...], made: Any, name: str = name) -> None:
            if given and hasattr(given[0], "shape") and hasattr(first(made), "shape"):
                shapes.setdefault(name, (tuple(given[0].shape[lead:]), tuple(first(made).shape[lead:])))

        handles.append(part.register_forward_hook(note))
    try:
        with sys.modules["torch"].no_grad():
            return run(module, example), shapes
    finally:
        for handle in handles:
            handle.remove()


def first(made: Any) -> Any:
    """Spikes stand first where a layer gives its state too."""
    return made[0] if isinstance(made, tuple | list) and made else made


def _stacked(rows: list[Any]) -> Any:
    return sys.modules["torch"].stack(rows)


def snntorch(module: Any, example: Any) -> Any:
    """(steps, samples, ..): step by step, states are in the neurons."""
    for part in module.modules():
        if hasattr(part, "reset_mem"):
            part.reset_mem()
    return _stacked([first(module(row)) for row in example])


def norse(module: Any, example: Any) -> Any:
    """(steps, samples, ..): all at once where its layers take sequences, else step by step with the state handed on."""
    if norse_lead(module) == 2:
        return first(module(example))
    if "state" not in inspect.signature(module.forward).parameters:
        return _stacked([first(module(row)) for row in example])
    rows, state = [], None
    for row in example:
        made, state = module(row, state)
        rows.append(made)
    return _stacked(rows)


def norse_lead(module: Any) -> int:
    """2 (steps, samples) of layers that take sequences, 1 of cells."""
    own = (type(part) for part in module.modules())
    return 2 if any(kind.__module__.startswith("norse.") and kind.__name__ in SEQUENCES for kind in own) else 1


def spikingjelly(module: Any, example: Any) -> Any:
    """(steps, samples, ..): all at once in step mode "m", else step by step; states are in the neurons."""
    for part in module.modules():
        if hasattr(part, "reset"):
            part.reset()
    if spikingjelly_lead(module) == 2:
        return first(module(example))
    return _stacked([first(module(row)) for row in example])


def spikingjelly_lead(module: Any) -> int:
    """2 (steps, samples) in step mode "m", 1 in step mode "s"."""
    return 2 if any(getattr(part, "step_mode", "s") == "m" for part in module.modules()) else 1


def sinabs(module: Any, example: Any) -> Any:
    """(samples, steps, ..): in one axis, as its `Squeeze` layers and convolutions take them."""
    for part in module.modules():
        if hasattr(part, "reset_states") and hasattr(part, "v_mem"):
            part.reset_states()
    made = first(module(example.flatten(0, 1)))
    return made.unflatten(0, tuple(example.shape[:2]))


def sinabs_twins(module: Any, samples: int) -> Any:
    """The same network of layers that take samples and steps in one axis; of a `Network`, its spiking model."""
    module = getattr(module, "spiking_model", module)
    layers = sys.modules["sinabs.layers"]

    def twin(part: Any) -> Any:
        name = type(part).__name__
        if name in TWINS:
            part = getattr(layers, TWINS[name])(batch_size=samples, num_timesteps=-1, **part._param_dict)
        elif isinstance(part, layers.SqueezeMixin):
            part.batch_size, part.num_timesteps = samples, -1
        elif isinstance(part, layers.StatefulLayer):
            part = _unsqueezed(part, samples)
        else:
            for key, child in list(part.named_children()):
                setattr(part, key, twin(child))
        return part.eval()

    return twin(module)


def _unsqueezed(part: Any, samples: int) -> Any:
    """A layer without such a twin (recurrent ones), which gets its axes back around it."""
    forward = part.forward
    part.forward = lambda x: forward(x.unflatten(0, (samples, -1))).flatten(0, 1)
    return part
