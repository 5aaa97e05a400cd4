"""A population of one model, stepped outside any network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.population import Population
from neurodeploy.neurons.model import Stepped, Values
from neurodeploy.neurons.registry import MODELS, initial_state, prepared_params


def population(
    model: str, size: int, initial: Mapping[str, int | Ints] | None = None, **params: int | Ints
) -> Population:
    return Population("cells", (size,), model, params, initial or {})


class Cells:
    """The neurons of one population, `samples` times; `step` advances the integers, `float_step` the real numbers."""

    def __init__(self, cells: Population, samples: int = 1) -> None:
        self.model, self.size, self.samples, self.t = MODELS[cells.model], cells.size, samples, 0
        self.params, self.state = prepared_params(cells), initial_state(cells, samples)
        self.float_params = {name: value.astype(np.float64) for name, value in self.params.items()}
        self.float_state = {name: value.astype(np.float64) for name, value in self.state.items()}

    def inputs(self, given: Mapping[str, object]) -> Values:
        shape = (self.samples, self.size)
        return {
            port: np.broadcast_to(np.asarray(given.get(port, 0)), shape).astype(np.int64) for port in self.model.ports
        }

    def step(self, **given: object) -> Stepped:
        self.t += 1
        return self.model.step(self.params, self.state, self.inputs(given), self.t)

    def float_step(self, **given: object) -> dict[str, np.ndarray]:
        """Of the same time step as the `step` just done."""
        inputs = {port: value.astype(np.float64) for port, value in self.inputs(given).items()}
        return self.model.float_step(self.float_params, self.float_state, inputs, self.t)
