"""Compiled attention is the reference's, bit for bit: all digits that a query can have, ends of all ranges, rings, several
samples, parts of a text, and two texts that go on from one state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.neurons.graded_attention import CHUNK, FULL, WINDOW
from neurodeploy.synapses import Direct
from simulators.fast.attention import Attending
from simulators.fast.runner import FastRunner
from simulators.reference import ReferenceRunner
from tests.networks.equality import same_result


def attending(seed: int, heads: int, groups: int, dim: int, kv_bits: int, kind: int, slots: int) -> Network:
    rng, size = np.random.default_rng(seed), heads * dim
    params: dict[str, Any] = {
        "heads": heads, "kv_heads": groups, "head_dim": dim, "slots": slots, "kind": kind, "kv_bits": kv_bits,
        "pre_shift": rng.integers(14, 22, size), "multiplier": 2**14, "shift": 20, "out_bits": 16,
        "score_shift": int(rng.integers(0, 24)),
    }  # fmt: skip
    for port in "qkv":
        params[f"{port}_multiplier"] = rng.integers(-(2**15), 2**15, size)
        params[f"{port}_shift"] = rng.integers(0, 18, size)
    populations = {port: Population(port, (size,), INPUT, {"bits": 32}) for port in "qkv"}
    populations["out"] = Population("out", (size,), "graded_attention", params)
    projections = tuple(Projection(p, p, "out", Direct(size), target_port=p, graded=True) for p in "qkv")
    return Network("attention", populations, projections, ("out",))


def given(seed: int, network: Network, samples: int, steps: int) -> dict[str, Any]:
    """Small and large numbers, and ends of 32 bits."""
    rng, size = np.random.default_rng([seed, 1]), network.populations["out"].size
    found = {}
    for port in "qkv":
        values = rng.integers(-(2**12), 2**12, (samples, steps, size)) << rng.integers(0, 18, (1, 1, size))
        found[port] = np.where(
            rng.random(values.shape) < 0.1, rng.choice([-(2**31), 0, 2**31 - 1], values.shape), values
        )
    return found


SHAPES = [(4, 2, 5, 16), (3, 3, 64, 16), (2, 1, 33, 8), (1, 1, 130, 16), (1, 1, 700, 16)]


def test_all_numbers_of_digits() -> None:
    digits = [Attending.of(attending(0, *shape, FULL, 9).populations["out"]).bits for shape in SHAPES]
    assert [-(-16 // bits) for bits in digits] == [2, 2, 1, 2, 3]


@pytest.mark.parametrize(("heads", "groups", "dim", "kv_bits"), SHAPES)
@pytest.mark.parametrize(("kind", "slots"), [(FULL, 90), (WINDOW, 21), (CHUNK, 17)])
@pytest.mark.parametrize("samples", [1, 2])
def test_as_the_reference(heads: int, groups: int, dim: int, kv_bits: int, kind: int, slots: int, samples: int) -> None:
    """At once, and in parts whose ends lie anywhere; whoever goes on from the other's state."""
    seed = dim + slots
    network = attending(seed, heads, groups, dim, kv_bits, kind, slots)
    steps = 70 if kind == FULL else 45
    inputs = given(seed, network, samples, steps)
    expected = ReferenceRunner().run(network, inputs, steps)
    assert expected.activity.saturated
    same_result(FastRunner().run(network, inputs, steps), expected)
    first, second = (
        {name: array[:, part] for name, array in inputs.items()} for part in (slice(0, 23), slice(23, None))
    )
    half = FastRunner(steps=9).run(network, first, 23)
    kept = {name: array.copy() for name, array in half.state.neurons["out"].items()}
    for runner in (FastRunner(), ReferenceRunner(), FastRunner()):
        rest = runner.run(network, second, steps - 23, state=half.state)
        assert np.array_equal(rest.outputs["out"], expected.outputs["out"][:, 23:])
        for name, array in rest.state.neurons["out"].items():
            assert np.array_equal(array, expected.state.neurons["out"][name])
            assert np.array_equal(half.state.neurons["out"][name], kept[name])


def test_a_state_goes_on_in_place_once() -> None:
    """Token by token nothing is copied; who goes on from an older state gets a memory of his own."""
    network = attending(3, 2, 1, 16, 16, FULL, 90)
    inputs, runner, state, memories = given(3, network, 1, 40), FastRunner(), None, []
    for t in range(40):
        result = runner.run(network, {name: array[:, t : t + 1] for name, array in inputs.items()}, 1, state=state)
        state = result.state
        memories.append(state.neurons["out"]["key"].memory)  # type: ignore[attr-defined]
        if t == 19:
            older = state
    assert len({id(memory) for memory in memories}) == 1
    again = runner.run(network, {name: array[:, 20:] for name, array in inputs.items()}, 20, state=older)
    assert again.state.neurons["out"]["key"].memory is not memories[0]  # type: ignore[attr-defined]
    same_result(again, ReferenceRunner().run(network, {n: a[:, 20:] for n, a in inputs.items()}, 20, state=older))
