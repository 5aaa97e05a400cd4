"""What a user gives to a runner is refused with the population's name, a code and a fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neurodeploy.errors import InternalError, UserError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import Probe, RunState
from neurodeploy.synapses.build import dense
from simulators.reference import ReferenceRunner
from tests import refusals

STEPS = 4
LEAKY = {"du": 4095, "dv": 0, "vth": 10}


def network(size: int = 3, second: str = "second") -> Network:
    populations = {
        "first": Population("first", (2,), INPUT),
        second: Population(second, (2, 2, 1), INPUT),
        "cells": Population("cells", (size,), "lif", LEAKY),
    }
    projections = (
        Projection("a", "first", "cells", dense(np.ones((size, 2), np.int8))),
        Projection("b", second, "cells", dense(np.ones((size, 4), np.int8)), delay=np.array([0, 1, 2, 1], np.uint8)),
    )
    return Network("two inputs", populations, projections, ("cells",))


def good() -> dict[str, Any]:
    return {"first": np.ones((2, STEPS, 2), np.int8), "second": np.zeros((2, STEPS, 4), bool)}


def refused(code: str, subject: str, inputs: Any = None, steps: Any = STEPS, **more: Any) -> UserError:
    run = ReferenceRunner().run
    error = refusals.refused(UserError, code, run, network(), good() if inputs is None else inputs, steps, **more)
    assert error.subject == subject
    return error


def first(value: Any = 1, shape: tuple[int, ...] = (2, STEPS, 2), kind: Any = np.int8) -> dict[str, Any]:
    """Inputs of which the first is full of that value."""
    return {"inputs": {**good(), "first": np.full(shape, value, kind)}}


@pytest.mark.parametrize(
    ("code", "subject", "given"),
    [
        *(("ND3200", "two inputs", {"steps": steps}) for steps in (-1, 1.5, True, None)),
        ("ND3201", "third", {"inputs": {**good(), "third": np.ones((2, STEPS, 2), np.int8)}}),
        ("ND3201", "cells", {"inputs": {**good(), "cells": np.ones((2, STEPS, 3), np.int8)}}),
        ("ND3202", "second", {"inputs": {"first": good()["first"]}}),
        ("ND3203", "first", first(kind=float)),
        ("ND3203", "first", first(2**70, kind=object)),
        *(("ND3204", "first", first(shape=shape)) for shape in
          ((2, STEPS, 3), (2, STEPS + 1, 2), (STEPS, 2), (0, STEPS, 2))),
        ("ND3205", "first", first(2**31, kind=np.int64)),
        ("ND3205", "first", first(2**63, kind=np.uint64)),
        ("ND3205", "first", first(-(2**31) - 1, kind=np.int64)),
        ("ND3206", "second", first(shape=(3, STEPS, 2))),
        ("ND3207", "nobody", {"probes": [Probe("nobody", "v")]}),
        ("ND3207", "cells.w", {"probes": [Probe("cells", "w")]}),
        ("ND3207", "first.v", {"probes": [Probe("first", "v")]}),
        ("ND3207", "cells.v", {"probes": [Probe("cells", "v", (0, 3))]}),
        ("ND3207", "cells.v", {"probes": [Probe("cells", "v", (-1,))]}),
        ("ND3208", "cells.v", {"probes": [Probe("cells", "v", (1,)), Probe("cells", "u"), Probe("cells", "v", (2,))]}),
    ],
)  # fmt: skip
def test_what_is_given(code: str, subject: str, given: dict[str, Any]) -> None:
    refused(code, subject, **given)


def test_no_steps_are_possible() -> None:
    empty = {name: x[:, :0] for name, x in good().items()}
    result = ReferenceRunner().run(network(), empty, 0, probes=[Probe("cells", "v")])
    assert result.outputs["cells"].shape == result.probes["cells.v"].shape == (2, 0, 3)
    assert result.state.step == 0


def test_the_ends_of_32_bits_are_inputs() -> None:
    for value in (-(2**31), 2**31 - 1):
        ReferenceRunner().run(network(), first(value, kind=np.int64)["inputs"], STEPS)


def state() -> RunState:
    return ReferenceRunner().run(network(), good(), STEPS).state


def test_states_of_other_networks() -> None:
    runner = ReferenceRunner()
    other = runner.run(network(size=4), good(), STEPS).state
    assert "4" in refused("ND3209", "cells.u", state=other).problem
    one = runner.run(network(), {name: x[:1] for name, x in good().items()}, STEPS).state
    refused("ND3210", "two inputs", state=one)
    renamed = {**good()}
    renamed["else"] = renamed.pop("second")
    runner.run(network(second="else"), renamed, STEPS, state=state())  # inputs have no state


@pytest.mark.parametrize(
    ("subject", "change"),
    [
        ("b", lambda s: s.pending.pop("b")),
        ("others", lambda s: s.neurons.update(others={})),
        ("cells", lambda s: s.neurons["cells"].pop("v")),
        ("b", lambda s: s.pending.update(b=np.zeros((2, 4, 3), np.int32))),
        ("cells.v", lambda s: s.neurons["cells"].update(v=s.neurons["cells"]["v"].astype(np.float64))),
        ("cells.v", lambda s: s.neurons["cells"]["v"].put(0, 2**31)),
        ("two inputs", lambda s: setattr(s, "step", -1)),
    ],
)
def test_states_that_cannot_be(subject: str, change: Callable[[RunState], None]) -> None:
    changed = state()
    change(changed)
    refused("ND3209", subject, state=changed)


def test_a_network_without_inputs_runs_one_sample_or_those_of_its_state() -> None:
    cells = Population("cells", (2,), "lif", {**LEAKY, "bias_mant": 700})
    alone = Network("alone", {"cells": cells}, (), ("cells",))
    runner = ReferenceRunner()
    first = runner.run(alone, {}, 3)
    assert first.outputs["cells"].tolist() == [[[1, 1], [1, 1], [1, 1]]]
    twice = RunState(3, {"cells": {k: np.repeat(v, 2, axis=0) for k, v in first.state.neurons["cells"].items()}}, {})
    second = runner.run(alone, {}, 2, state=twice)
    assert second.outputs["cells"].shape == (2, 2, 2)
    assert second.state.step == 5


def graded(bits: int = 32, weight: Any = None, **more: Any) -> Network:
    """input -> two graded neurons -> a spiking one, all within the step but for what `more` says of the second."""
    first = dense(np.ones((2, 3), np.int8) if weight is None else weight)
    populations = {
        "in": Population("in", (3,), INPUT, {"bits": bits}),
        "mid": Population("mid", (2,), "graded_affine", {"multiplier": 1, "shift": 0}),
        "out": Population("out", (2,), "threshold", {"vth": 0}),
    }
    projections = (
        Projection("first", "in", "mid", first, graded=True, instant=True),
        Projection("second", "mid", "out", dense(np.ones((2, 2), np.int8)), **{"instant": True, **more}),
    )
    return Network("graded", populations, projections, ("out",))


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("ND9012 second: is instant and has a delay", {"delay": np.zeros(2, np.uint8)}),
        ("ND9012 second: axon_exp", {"axon_exp": np.zeros(3, np.uint8)}),
        ("ND9012 second: axon_exp", {"axon_exp": np.full(2, 16, np.uint8)}),
        ("ND9012 second: axon_exp", {"axon_exp": np.zeros(2, np.int8)}),
        ("ND9040 first", {"weight": np.full((2, 3), -(2**31), np.int32)}),
    ],
)
def test_what_a_network_cannot_be(code: str, more: dict[str, Any]) -> None:
    with pytest.raises(InternalError, match=code):
        ReferenceRunner().run(graded(**more), {"in": np.zeros((1, 1, 3), np.int64)}, 1)


def test_only_what_takes_a_step_closes_a_cycle() -> None:
    made = graded()
    back = Projection("back", "out", "mid", dense(np.ones((2, 2), np.int8)), instant=True)
    with pytest.raises(InternalError, match="ND9012 mid: direct connections form a cycle"):
        replace(made, projections=(*made.projections, back)).check()
    replace(made, projections=(*made.projections, replace(back, instant=False))).check()


def test_an_input_says_its_bits() -> None:
    """Symmetric below 32: one more than the largest is refused on both sides."""
    for bits, low, high in ((8, -127, 127), (32, -(2**31), 2**31 - 1)):
        fits = np.array([[[low, 0, high]]])
        assert ReferenceRunner().run(graded(bits), {"in": fits}, 1).outputs["out"].shape == (1, 1, 2)
        for wrong in (low - 1, high + 1):
            with pytest.raises(UserError, match=f"ND3205 in: .*beyond {bits} bits"):
                ReferenceRunner().run(graded(bits), {"in": np.full((1, 1, 3), wrong)}, 1)
