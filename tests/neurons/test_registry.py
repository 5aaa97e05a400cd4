"""Names, checks and sizes of populations: what a wrong parameter says, and what a right one becomes."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import UserError
from neurodeploy.flow.ranges import beyond_chip
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.neurons import registry
from neurodeploy.neurons.registry import MODELS, check_network, check_population, initial_state, prepared_params
from neurodeploy.synapses import Dense
from tests.neurons.stepping import population
from tests.refusals import refused

LIF = {"du": 10, "dv": 20, "vth": 5}


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        (population("lif", 3, du=10, dv=20, vht=5), "ND3241", ("cells", "vht", "vth")),
        (population("lif", 3, {"w": 1}, **LIF), "ND3241", ("cells", "w", "u, v")),
        (population("atrlif", 3, {"theta": 1}), "ND3242", ("cells", "delta_i", "0..4096")),
        (population("lif", 3, du=10, dv=20), "ND3242", ("cells", "vth")),
        (population("lif", 3, du=10, dv=0.5, vth=5), "ND3243", ("cells", "dv", "float64", "int64")),
        (population("lif", 3, du=10, dv=np.zeros(3, np.float32), vth=5), "ND3243", ("cells", "dv", "float32")),
        (population("delta", 3, vth=1, cum_error=True), "ND3243", ("cells", "cum_error", "bool")),
        (population("lif", 3, {"u": 0.0}, **LIF), "ND3243", ("cells", "u")),
        (population("lif", 3, **{**LIF, "vth": np.zeros((3, 1), np.int64)}), "ND3244", ("cells", "(3, 1)", "(3,)")),
        (population("lif", 3, **{**LIF, "vth": np.zeros(2, np.int64)}), "ND3244", ("cells", "vth", "(2,)")),
        (population("delta", 3, vth=1, state_exp=np.zeros(3, np.int64)), "ND3244", ("state_exp", "one integer")),
        (population("lif", 3, **{**LIF, "du": 4096}), "ND3245", ("cells", "du = 4096", "-1..4095")),
        (population("lif", 3, **{**LIF, "du": -2}), "ND3245", ("cells", "du = -2")),
        (population("lif", 3, **{**LIF, "vth": 10**30}), "ND3245", ("cells", "vth")),
        (population("lif", 3, **{**LIF, "bias_mant": np.array([0, 40000, 1], np.uint64)}), "ND3245", ("40000",)),
        (population("lif", 3, {"u": 2**23 + 1}, **LIF), "ND3245", ("cells", "u = 8388609")),
        (population("ternary_lif", 3, du=1, dv=1, vth_hi=1, vth_lo=2), "ND3246", ("cells", "vth_lo", "vth_hi")),
        (population("delta", 3, vth=2**24 - 1, spike_exp=4, state_exp=4), "ND3246", ("cells", "vth", "spike_exp")),
        (population("sigma_delta", 3, vth=1, bias=2**15 - 1, spike_exp=9, state_exp=9), "ND3246", ("cells", "bias")),
        (population("rf", 3, sin_decay=1, cos_decay=1, vth=2**20, state_exp=12), "ND3246", ("vth", "state_exp")),
        (population("gif", 3), "ND3240", ("gif", "lif")),
        (Population("cells", (3,), INPUT, {"bias": 1}), "ND3241", ("cells", "bias")),
    ],
)  # fmt: skip
def test_what_is_wrong(given: Population, code: str, words: tuple[str, ...]) -> None:
    error = refused(UserError, code, check_population, given)
    assert all(word in str(error) for word in words), error


def test_an_initial_threshold_of_atrlif_is_refused_because_lava_overwrites_it() -> None:
    deltas = {f"delta_{name}": 1 for name in ("i", "v", "theta", "r")}
    with pytest.raises(UserError, match="theta"):
        check_population(population("atrlif", 1, {"theta": 1}, theta_0=3, theta_step=1, **deltas))
    cells = population("atrlif", 1, theta_0=3, theta_step=1, **deltas)
    assert initial_state(cells, 2)["theta"].tolist() == [[192], [192]]


def test_prepared() -> None:
    cells = population("lif", 3, du=np.int8(7), dv=np.array([1, 2, 3], np.uint16), vth=np.array([4]))
    params = prepared_params(cells)
    assert {name: (value.dtype, value.shape) for name, value in params.items()} == {
        name: (np.dtype(np.int64), (3,) if name == "dv" else (1,)) for name in MODELS["lif"].params
    }
    assert params["bias_exp"].tolist() == [0]
    state = initial_state(population("lif", 3, {"v": np.array([1, 2, 3])}, **LIF), 2)
    assert state["v"].tolist() == [[1, 2, 3], [1, 2, 3]] and state["u"].shape == (2, 3)
    state["v"][0, 0] = 9  # an array of its own


def test_inputs_have_a_width_and_no_state() -> None:
    source = Population("in", (4,), INPUT)
    check_population(source)
    assert (
        prepared_params(source) == {"bits": np.array([32]), "vth": np.zeros(1), "keep": np.ones(1), "of": np.ones(1)}
        and initial_state(source, 2) == {}
        and registry.state_bytes(source) == 0
    )
    assert registry.output_ports(source) == ("s",) and registry.input_ports(source) == ()


def test_state_bytes() -> None:
    assert registry.state_bytes(population("lif", 3, **LIF)) == 6
    same = population("lif", 3, **{**LIF, "bias_mant": np.array([5, 5, 5])})
    assert registry.state_bytes(same) == 6
    own = population("lif", 3, **{**LIF, "bias_mant": np.array([5, 5, 6])})
    assert registry.state_bytes(own) == 8  # 48 bits of state, 16 of the mantissa
    own = population("lif", 3, **{**LIF, "bias_mant": np.array([5, 5, 6]), "dv": np.array([1, 2, 3])})
    assert registry.state_bytes(own) == 10  # 13 bits more for 0..4096
    assert registry.state_bytes(population("threshold", 3, vth=0)) == 0


def test_what_the_chip_cannot_hold() -> None:
    assert beyond_chip(population("lif", 3, **LIF)) == ()
    notes = beyond_chip(population("lif", 3, du=-1, dv=4096, vth=2**17, bias_exp=-1))
    assert [note.split(": ")[1].split(" ")[0] for note in notes] == ["du", "dv", "vth", "bias_exp"]
    assert beyond_chip(Population("in", (1,), INPUT)) == ()


def network(source_port: str = "s", target_port: str = "a", model: str = "lif") -> Network:
    populations = {
        "in": Population("in", (2,), INPUT),
        "cells": population(model, 3, **(LIF if model == "lif" else {})),
    }
    joined = Projection("p", "in", "cells", Dense(np.ones((3, 2), np.int8)), source_port, target_port)
    return Network("n", populations, (joined,), ("cells",))


def test_networks() -> None:
    check_network(network())
    for given, code, words in (
        ({"source_port": "s2"}, "ND3247", ("projection p", '"s2"', "population in", "one of: s")),
        ({"target_port": "re"}, "ND3247", ('"re"', "population cells", "one of: a")),
        ({"model": "spiker"}, "ND3247", ('"a"', "none")),
        ({"model": "gif"}, "ND3240", ()),
    ):
        error = refused(UserError, code, check_network, network(**given))
        assert all(word in str(error) for word in words)


def test_tables_are_whole() -> None:
    """Each model says where its rules come from, has a file of its name, and defaults within its ranges."""
    folder = Path(registry.__file__).parent
    for name, model in MODELS.items():
        assert name == model.name != INPUT and (folder / f"{name}.py").is_file()
        assert model.lava is None or "lava-nc" in str(import_module(f"neurodeploy.neurons.{name}").__doc__)
        assert len(set(model.ports) | set(model.outputs) | set(model.state)) == (
            len(model.ports) + len(model.outputs) + len(model.state)
        ), "a probe could not tell them apart"
        for param in model.params.values():
            assert param.low <= param.high and (param.default is None or param.low <= param.default <= param.high)
            assert param.chip is None or param.low <= param.chip[0] <= param.chip[1] <= param.high
        doc = ast.get_docstring(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))) or ""
        assert "quation" in doc
        assert model.lava is not None or "lava-dl" in doc or "of our own" in doc
