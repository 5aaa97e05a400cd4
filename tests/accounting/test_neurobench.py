"""NeuroBench's metrics of a run against their definitions, evaluated one synapse at a time."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.accounting.neurobench import footprint, metrics, proxies
from neurodeploy.errors import UserError
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from neurodeploy.neurons.registry import MODELS
from neurodeploy.synapses import Dense, Direct, Sparse
from simulators.reference import ReferenceRunner
from tests.networks.random_networks import random_network
from tests.partitioner.make import join, lif, network, source


def test_operations_one_by_one() -> None:
    """Every event of a run, every non-zero weight: exact for several samples."""
    for seed in range(20):
        net, inputs, steps = random_network(seed)
        activity = ReferenceRunner().run(net, inputs, steps).activity
        macs = acs = dense = 0
        for p in net.projections:
            if isinstance(p.synapse, Direct):
                continue
            coo = p.synapse.coo()
            fired = activity.fired[p.source][p.source_port]
            effective = int(fired[coo.column[coo.weight != 0]].sum())
            origin = net.populations[p.source].model
            graded = p.graded and (origin == INPUT or MODELS[origin].out_bits > 2)
            macs, acs = (macs + effective, acs) if graded else (macs, acs + effective)
            size = p.synapse.rows * p.synapse.columns if isinstance(p.synapse, Sparse) else len(coo.row)
            dense += size * activity.steps * activity.samples
        found = metrics(Program.of(net), activity)
        assert found["SynapticOperations"] == {
            "Effective_MACs": macs / activity.samples,
            "Effective_ACs": acs / activity.samples,
            "Dense": dense / activity.samples,
        }
        assert found["MembraneUpdates"] == net.neurons * steps
        assert 0 <= found["ActivationSparsity"] <= 1 and 0 <= found["ConnectionSparsity"] <= 1


def test_sparsities_footprint_and_parameters_by_hand() -> None:
    weight = np.array([[1, 0, 3], [0, 0, 2]], np.int8)
    sparse = Sparse(2, 2, np.array([0, 1, 2]), np.array([0, 1], np.uint16), np.array([5, 0], np.int8))
    net = network(
        [source("i", 3), lif("p", 2, bias_mant=np.array([1, 2]))],
        join("w", "i", "p", Dense(weight), weight_bits=4),
        join("r", "p", "p", sparse),
    )
    activity = RunActivity(5, 2, {"i": {"s": np.array([4, 9, 2])}, "p": {"s": np.array([3, 0])}}, {}, {}, None)
    found = metrics(Program.of(net), activity)
    assert found["ConnectionSparsity"] == 1 - 4 / 10
    assert found["ActivationSparsity"] == 1 - 3 / 20
    assert found["SynapticOperations"] == {"Effective_MACs": 0.0, "Effective_ACs": (4 + 2 * 2 + 3) / 2, "Dense": 50.0}
    # weights 3 + 2, targets and pointers 8 + 24, du dv vth bias_exp and two bias_mant, 2 neurons of 48 bits
    assert footprint(net) == found["Footprint"] == 5 + 32 + -(-(13 + 13 + 19 + 2 * 16 + 5) // 8) + 12
    assert found["ParameterCount"] == 6 + 2 + 6


def test_graded_events_are_macs_and_ternary_ones_are_not() -> None:
    one = np.ones((2, 2), np.int8)
    fired = np.array([1, 1])
    for model, params, key in (
        ("sigma", {}, "Effective_MACs"),
        ("ternary_lif", {"vth_hi": 5, "vth_lo": -5}, "Effective_ACs"),
    ):
        params = {"du": 0, "dv": 0, **params} if model == "ternary_lif" else params
        net = network([Population("a", (2,), model, params), lif("p", 2)], join("w", "a", "p", Dense(one), graded=True))
        found = metrics(Program.of(net), RunActivity(1, 1, {"a": {"s": fired}}, {}, {}, None))["SynapticOperations"]
        assert found[key] == 4 and sum(found[k] for k in ("Effective_MACs", "Effective_ACs")) == 4


def test_operations_of_neurons() -> None:
    """Leaky neurons take 4 whichever way they reset; with a current that lasts 8 to zero, 6 by subtraction."""
    current = np.array([4095, 100, 100])
    net = network(
        [
            source("i", 2), Population("a", (3,), "lif", {"du": 4095, "dv": 7, "vth": 1}),
            Population("b", (3,), "lif", {"du": current, "dv": 7, "vth": 1}),
            Population("c", (2,), "lif_subtract", {"du": 100, "dv": 7, "vth": 1}),
            Population("d", (2,), "lif_subtract", {"du": 4095, "dv": 7, "vth": 1}), Population("e", (5,), "sigma", {}),
        ],
        *(join(f"w{n}", "i", n, Dense(np.ones((k, 2), np.int8))) for n, k in zip("abcde", (3, 3, 2, 2, 5), strict=True)),
    )  # fmt: skip
    fired = {name: {"s": np.zeros(p.size, np.int64)} for name, p in net.populations.items()}
    found = metrics(Program.of(net), RunActivity(7, 2, fired, {}, {}, None))
    each = 3 * 4 + (4 + 8 + 8) + 2 * 6 + 2 * 4
    assert found["NeuronOperations"] == {"Effective Neuron Ops": 7 * each, "Neuron Dense Ops": 7 * each}
    assert found["neuron_operations_leave_out"] == 5


def test_proxies() -> None:
    found = {"SynapticOperations": {"Effective_MACs": 10, "Effective_ACs": 5, "Dense": 100}, "MembraneUpdates": 7}
    values = [proxy.value for proxy in proxies(found, "sample")]
    assert values == [pytest.approx(10 * 4.6e-12 + 5 * 0.9e-12), pytest.approx(4.6e-10), 85]


def test_nothing_was_run() -> None:
    with pytest.raises(UserError, match="ND3102"):
        metrics(Program.of(network([lif("p", 2)])), RunActivity.zero())
