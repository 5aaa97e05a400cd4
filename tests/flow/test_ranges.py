"""What is said to be proven never happens: no wrap, no clipped value, in any run of random networks at full payloads."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.flow.ranges import Width, summary, widths
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.network import Network
from simulators import get_runner
from tests.islands import hollow_island, hollow_program
from tests.networks.random_networks import random_network


def by_name(network: Network) -> dict[tuple[str, str], Width]:
    return {(width.population, width.name): width for width in widths(network)}


@pytest.mark.parametrize("seed", range(40))
def test_nothing_exceeds_what_is_proven(seed: int) -> None:
    network, inputs, steps = random_network(seed, instant=seed % 2 == 0)
    done, found = get_runner("reference").run(network, inputs, steps).activity, by_name(network)
    for p in network.projections:
        if found[p.target, p.target_port].proven:
            assert not done.wrapped.get(p.name), p.name
    for name in network.populations:
        for value, counted in (("v", name), ("s", f"{name}.s")):
            if (name, value) in found and found[name, value].proven and found[name, value].beyond == "is clipped":
                assert not done.saturated.get(counted), (name, value)


def test_a_layer_of_small_weights_is_proven_and_one_of_large_ones_is_not() -> None:
    """128 columns of 8-bit weights at 16-bit payloads: a sum of 2**29.0; the state has 24 bits, the sum any."""
    layer = hollow_program(ModelInfo("x", "x", 1, 1, 1, 1, "x"), [hollow_island("a", 3, 128)]).network
    found = by_name(layer)
    most = 128 * 127 * (2**15 - 1)
    assert found["a", "a"].need == most.bit_length() + 1 == 30 and found["a", "a"].proven
    assert found["a", "v"].need == 30 and not found["a", "v"].proven
    assert found["a", "s"].need == 24 and found["a", "s"].proven  # of a state of 24 bits times 1
    assert not found["a.input", "s"].proven
    assert summary(layer) == {"proven": 2, "counted": 2}
    assert str(found["a", "a"]) == "a: proven 30 bits"
    assert str(found["a", "v"]) == "v: calibrated to 24 bits, what exceeds them is clipped and is counted"
    narrow = hollow_program(
        ModelInfo("x", "x", 1, 1, 1, 1, "x"), [hollow_island("a", 3, 2, weight_bits=2, payload_bits=8)]
    ).network
    assert by_name(narrow)["a", "v"].need == int(np.log2(2 * 127)) + 2


def test_what_comes_later_is_bounded_by_what_came_before() -> None:
    """A population that sends at most 9 bits makes the sum behind it smaller than its port's own width would."""
    from neurodeploy.ir.network import Projection
    from neurodeploy.ir.population import INPUT, Population
    from neurodeploy.synapses import Dense

    one = {"multiplier": 1, "shift": 0}
    populations = {
        "in": Population("in", (2,), INPUT, {"bits": 8}),
        "a": Population("a", (2,), "graded_affine", one),
        "b": Population("b", (2,), "graded_affine", one),
    }
    weight = np.ones((2, 2), np.int8)
    joined = tuple(
        Projection(f"{x}{y}", x, y, Dense(weight), graded=True, instant=True) for x, y in (("in", "a"), ("a", "b"))
    )
    found = by_name(Network("chain", populations, joined, ("b",)))
    assert [found[at].need for at in (("a", "a"), ("a", "s"), ("b", "a"), ("b", "s"))] == [9, 9, 10, 10]
    assert all(width.proven for at, width in found.items() if at[0] != "in")
