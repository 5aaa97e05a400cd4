"""The reference against brute force, which runs sample by sample, and against itself after a pause."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.neurons.registry import MODELS, output_ports
from neurodeploy.synapses import Dense
from simulators.reference import ReferenceRunner
from tests.networks.brute_force import BruteForce
from tests.networks.equality import in_two, same_result
from tests.networks.random_networks import all_probes, lava_models, random_network

RUNNER = ReferenceRunner()
KINDS = ({}, {"lava": True}, {"instant": True})
QUICK = [(seed, kind) for kind, count in zip(KINDS, (100, 40, 100), strict=True) for seed in range(count)]
SLOW = [(seed, kind) for kind, count in zip(KINDS, (900, 460, 900), strict=True) for seed in range(100, 100 + count)]


def against_brute_force(seed: int, kind: dict[str, bool]) -> None:
    network, inputs, steps = random_network(seed, **kind)
    result = RUNNER.run(network, inputs, steps, probes=all_probes(network))
    wrapped: Counter[str] = Counter()
    saturated: Counter[str] = Counter()
    for sample in range(result.activity.samples):
        plain = BruteForce(network, inputs, sample, steps)
        wrapped.update(plain.wrapped)
        saturated.update(plain.saturated)
        for (name, variable), rows in plain.recorded.items():
            found = result.probes[f"{name}.{variable}"][sample]
            np.testing.assert_array_equal(found, np.array(rows), err_msg=f"{name}.{variable} of sample {sample}")
        for p in network.projections:
            if p.latency:
                pending = np.zeros((p.depth, p.synapse.rows), np.int64)
                for due, values in plain.due[p.name].items():
                    pending[due - steps - 1] = values
                np.testing.assert_array_equal(result.state.pending[p.name][sample], pending)
    assert result.activity.wrapped == {name: n for name, n in wrapped.items() if n}
    assert result.activity.saturated == {name: n for name, n in saturated.items() if n}


@pytest.mark.parametrize(("seed", "kind"), QUICK)
def test_equals_brute_force(seed: int, kind: dict[str, bool]) -> None:
    against_brute_force(seed, kind)


def test_sums_beyond_64_bits_are_counted() -> None:
    """Four times 2**62 is 2**64: nothing is left of it in int64, but each of the two steps wrapped one sum."""
    populations = {"in": Population("in", (4,), INPUT), "out": Population("out", (1,), "sigma")}
    weight = np.full((1, 4), -(2**31), np.int32)
    projection = Projection("p", "in", "out", Dense(weight), graded=True, weight_bits=32)
    network = Network("far", populations, (projection,), ("out",))
    result = RUNNER.run(network, {"in": np.full((1, 2, 4), -(2**31), np.int64)}, 2)
    assert result.activity.wrapped == {"p": 2}
    assert not result.outputs["out"].any()


@pytest.mark.real
@pytest.mark.parametrize(("seed", "kind"), SLOW)
def test_equals_brute_force_long(seed: int, kind: dict[str, bool]) -> None:
    against_brute_force(seed, kind)


def test_counts_equal_what_was_sent() -> None:
    for seed in range(60):
        network, inputs, steps = random_network(seed)
        probes = all_probes(network)
        result = RUNNER.run(network, inputs, steps, probes=probes)
        for name, ports in result.activity.fired.items():
            for port, counts in ports.items():
                sent = result.probes[f"{name}.{port}"]
                np.testing.assert_array_equal(counts, np.count_nonzero(sent, axis=(0, 1)))
        for name, output in result.outputs.items():
            assert output.dtype == np.int32
            np.testing.assert_array_equal(output, result.probes[f"{name}.{output_ports(network.populations[name])[0]}"])


@pytest.mark.parametrize("seed", range(60))
def test_resumes_with_identical_bits(seed: int) -> None:
    network, inputs, steps = random_network(seed)
    probes = all_probes(network)
    whole = RUNNER.run(network, inputs, steps, probes=probes)
    pause = int(np.random.default_rng(seed).integers(0, steps + 1))
    same_result(in_two(RUNNER, network, inputs, steps, pause, probes), whole)


def test_probes_of_chosen_neurons_change_nothing() -> None:
    network, inputs, steps = random_network(5)
    plain = RUNNER.run(network, inputs, steps)
    every = RUNNER.run(network, inputs, steps, probes=all_probes(network))
    some = [replace(p, neurons=(network.populations[p.population].size - 1, 0)) for p in all_probes(network)]
    chosen = RUNNER.run(network, inputs, steps, probes=some)
    same_result(plain.state, chosen.state)
    for name, array in chosen.probes.items():
        np.testing.assert_array_equal(array, every.probes[name][:, :, [-1, 0]])


def test_the_generator_reaches_everything() -> None:
    """Every model, kind of synapse and delay occurs, many neurons fire, sums wrap and states saturate."""
    seen: Counter[str] = Counter()
    firing: Counter[str] = Counter()
    for seed, instant in product(range(150), (False, True)):
        network, inputs, steps = random_network(seed, instant=instant)
        again = random_network(seed, instant=instant)
        same_result(inputs, again[1], "inputs of the same seed")
        result = RUNNER.run(network, inputs, steps)
        seen["wrapped"] += bool(result.activity.wrapped)
        seen["saturated"] += bool(result.activity.saturated)
        for p in network.projections:
            kind = type(p.synapse).__name__
            seen[f"{kind} {p.delay_by}"] += 1
            seen[f"instant {kind}"] += p.instant
            seen[f"exponents, latency {p.latency}"] += p.axon_exp is not None
            seen[f"exact, latency {p.latency}"] += network.populations[p.target].model == "graded_affine"
            seen["recurrent"] += p.source == p.target
            seen["other port"] += p.source_port != "s"
            seen["graded"] += p.graded
            seen["transposed"] += bool(getattr(p.synapse, "transposed", False))
            seen["groups"] += getattr(p.synapse, "groups", 1) > 1
        for name, population in network.populations.items():
            firing[population.model] += bool(sum(int(c.sum()) for c in result.activity.fired[name].values()))
    wanted = ["wrapped", "saturated", "recurrent", "other port", "graded", "transposed", "groups", "Direct none"]
    wanted += [f"{kind} {by}" for kind in ("Dense", "Sparse") for by in ("none", "axon", "synapse")]
    wanted += ["Conv none", "Conv axon", "exponents, latency 0", "exponents, latency 1"]
    wanted += ["exact, latency 0", "exact, latency 1"]
    wanted += [f"instant {kind}" for kind in ("Dense", "Sparse", "Conv")]
    assert {name: seen[name] for name in wanted if seen[name] < 10} == {}
    assert {name: firing[name] for name in MODELS if firing[name] < 3} == {}


def test_lava_programs_use_what_lava_has() -> None:
    for seed in range(100):
        network, inputs, _ = random_network(seed, lava=True)
        assert {p.model for p in network.populations.values()} <= {*lava_models(), "input"}
        assert {x.shape[0] for x in inputs.values()} == {1}
        for p in network.projections:
            assert p.weight_bits <= 8
            assert not getattr(p.synapse, "transposed", False)
