"""A spiking network without a chip, by hand: all on the host, and its quantised twin."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2

import numpy as np
import pytest

from neurodeploy.accounting.account import account
from neurodeploy.accounting.hosted import activation_bits, no_twin, on_host_loads, twin_loads
from neurodeploy.accounting.loads import RunLoads
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses.sparse import Sparse
from tests.accounting import toy
from tests.partitioner.make import CHAIN, dense, join, lif, network, source

STEPS, COLUMNS, ROWS = 8, 5, 3
#: Of a layer on the host: 4 operations to encode an input, 10 to update a neuron, 2 a synapse; 4 bytes a value, 1 a weight.
FLOPS = 2 * ROWS * COLUMNS + 4 * COLUMNS + 10 * ROWS
VALUES, WEIGHTS = 4 * (COLUMNS + ROWS), ROWS * COLUMNS + 3 * ROWS + COLUMNS


def forward(*more: Projection, model: Population | None = None) -> Network:
    populations = [source("i", COLUMNS), model or lif("p", ROWS), lif("q", 2)]
    return network(populations, join("w", "i", "p", dense(ROWS, COLUMNS)), join("v", "p", "q", dense(2, ROWS)), *more)


def one_layer() -> Program:
    return Program.of(network([source("i", COLUMNS), lif("p", ROWS)], join("w", "i", "p", dense(ROWS, COLUMNS))))


def work(loads: RunLoads) -> tuple[float, float, float]:
    own, populations = loads.host
    assert (own.flops, own.bytes, own.calls) == (0, 0, 0) and not own.integer
    return populations.flops, populations.bytes, populations.calls


@pytest.mark.parametrize("batch", [1, 32])
def test_a_sample_takes_all_its_steps_and_a_batch_its_weights_once_a_step(batch: int) -> None:
    flops, moved, calls = work(on_host_loads(one_layer(), toy.SYSTEM, STEPS, batch))
    assert flops == STEPS * FLOPS
    assert moved == pytest.approx(STEPS * (VALUES + WEIGHTS / batch))
    assert calls == STEPS / batch


@pytest.mark.parametrize("batch", [1, 32])
def test_the_twin_takes_one_pass_of_bytes(batch: int) -> None:
    """Eight steps are nine values: four bits, one digit."""
    loads = twin_loads(one_layer(), toy.SYSTEM, STEPS, batch)
    flops, moved, calls = work(loads)
    assert flops == 2 * ROWS * COLUMNS + 10 * ROWS
    assert moved == pytest.approx(COLUMNS + ROWS + (ROWS * COLUMNS + 3 * ROWS) / batch)
    assert calls == 1 / batch and loads.host[1].integer


def test_the_bits_of_an_activation() -> None:
    for steps in range(1, 600):
        assert activation_bits(one_layer().network, steps) == ceil(log2(steps + 1))
    flops = [work(twin_loads(one_layer(), toy.SYSTEM, steps, 1))[0] for steps in (255, 256)]
    assert flops[1] - flops[0] == 2 * ROWS * COLUMNS  # nine bits are two digits


def test_integers_are_at_their_own_rate() -> None:
    fast = replace(toy.HOST, peak_int8=toy.q(1e3, 1e3, 1e3, "1/s"), bandwidth=toy.q(1e9, 1e9, 1e9, "B/s"))
    slow = replace(fast, peak_int8=None)
    one, other = (account(twin_loads(one_layer(), toy.SYSTEM, STEPS, 1), toy.SYSTEM, h, "sample") for h in (fast, slow))
    assert other.seconds.nominal / one.seconds.nominal == pytest.approx(1e3 / toy.HOST.peak_flops.nominal)
    assert one.joules("board").nominal == 0.0 and one.chips_powered == 0


def test_starts_are_waited_for_and_paid_for() -> None:
    """Eight calls of 3 s at 7 W above idle, and 11 W around the card, beside the roofline."""
    host = replace(toy.HOST, launch=toy.q(3, 3, 3, "s"), launch_power=toy.q(7, 7, 7, "W"))
    loads = on_host_loads(one_layer(), toy.SYSTEM, STEPS, 1)
    before, after = (account(loads, toy.SYSTEM, each, "sample") for each in (toy.HOST, host))
    assert after.seconds.nominal - before.seconds.nominal == STEPS * 3
    more = after.by_component()["host compute"].nominal - before.by_component()["host compute"].nominal
    assert more == STEPS * 3 * (7 + toy.HOST.idle_power.nominal)
    carded = account(loads, toy.SYSTEM, replace(toy.HOST, around=toy.q(11, 11, 11, "W")), "sample")
    around = carded.by_component()["host compute"].nominal - before.by_component()["host compute"].nominal
    assert around == pytest.approx(11 * before.seconds.nominal)


def test_neurons_that_send_numbers_have_a_frame_a_step() -> None:
    net = forward(model=Population("p", (ROWS,), "delta", {"vth": 1, "spike_exp": 0}))
    assert activation_bits(net, 1000) == 8
    program = Program.of(net)
    one, many = (work(twin_loads(program, toy.SYSTEM, steps, 1))[0] for steps in (1, 10))
    assert many == 10 * one


def test_what_computes_with_time_has_no_twin() -> None:
    assert no_twin(forward()) == ""
    assert "cycles" in no_twin(CHAIN.network)
    delayed = forward(join("late", "i", "q", dense(2, COLUMNS), delay=np.full(COLUMNS, 3, np.uint8)))
    assert "delays" in no_twin(delayed)


@pytest.mark.parametrize(("weight", "resets"), [(-9, True), (9, False)])
def test_a_neuron_that_inhibits_itself_alone_is_reset_so(weight: int, resets: bool) -> None:
    self_ = Sparse(ROWS, ROWS, np.arange(ROWS + 1), np.arange(ROWS, dtype=np.uint16), np.full(ROWS, weight, np.int8))
    net = forward(join("self", "p", "p", self_))
    assert (no_twin(net) == "") is resets
    if resets:  # and is no work of the twin
        assert work(twin_loads(Program.of(net), toy.SYSTEM, 8, 1)) == work(
            twin_loads(Program.of(forward()), toy.SYSTEM, 8, 1)
        )
