"""All runners give the same bits and the same counts: no tolerance anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch  # noqa: F401  (all products can be tried)
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import InternalError, UserError
from neurodeploy.synapses.linear import LinearLayer, program_of_layers
from simulators import get_runner
from simulators.fast.lane import Decoded
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.hybrid.test_random_mappings import INFO
from tests.islands import exponents
from tests.layers import Seen, make_island, network_of, payload_for, run_layer, run_network, seen
from tests.networks.cuts import random_mapping
from tests.refusals import refused


def same(a: tuple[np.ndarray, Seen], b: tuple[np.ndarray, Seen]) -> None:
    assert a[0].dtype == b[0].dtype == np.int32
    np.testing.assert_array_equal(a[0], b[0], strict=True)
    np.testing.assert_equal(a[1]._asdict(), b[1]._asdict())


def by_formula(island: LinearLayer, payload: np.ndarray) -> tuple[np.ndarray, Seen]:
    """`ir.program` in Python integers."""
    weight, params = island.synapses.synapse.weight, island.neurons.params
    shift, acc_shift = params["shift"].astype(object), params["acc_shift"]
    acc = (payload.astype(object) << exponents(island).astype(object)) @ weight.T.astype(object)
    acc = acc + np.asarray(params.get("bias", 0)).astype(object)
    a = (acc + ((1 << acc_shift) >> 1)) >> acc_shift
    state = np.clip(a, -(2**23 - 1), 2**23 - 1)
    y = (state * params["multiplier"].astype(object) + ((1 << shift) >> 1)) >> shift
    out = np.clip(y, -(2**23 - 1), 2**23 - 1)
    counts = np.count_nonzero(payload, axis=0), np.count_nonzero(out, axis=0)
    return out.astype(np.int32), Seen(len(payload), *counts, int((a != state).sum()), int((y != out).sum()))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 300), columns=st.integers(1, 300), tokens=st.integers(1, 9),
    bits=st.sampled_from([8, 10, 12, 14, 16]), wide=st.floats(0, 0.5), bias=st.booleans(), acc_shift=st.integers(0, 12),
    extreme=st.booleans(), seed=st.integers(0, 999),
)  # fmt: skip
def test_every_runner_equals_the_formula_and_so_does_the_island_as_a_network(
    rows: int, columns: int, tokens: int, bits: int, wide: float, bias: bool, acc_shift: int, extreme: bool, seed: int
) -> None:
    island = make_island(
        rows, columns, bits=bits, wide=int(columns * wide), bias=bias, acc_shift=acc_shift, extreme=extreme, seed=seed
    )
    payload = payload_for(island, tokens, seed)
    wanted = by_formula(island, payload)
    cores = PartitionedRunner(random_mapping(network_of(island), seed), get_system("oheo-gulch").chip)
    for runner in (ReferenceRunner(), FastRunner(), FastRunner("events"), FastRunner(steps=2), cores):
        same(wanted, run_layer(runner, island, payload))
        for inputs in (payload[None], payload[:, None]):
            same(wanted, run_network(runner, network_of(island), island.name, inputs))


@pytest.mark.parametrize("threads", [3], indirect=True)
def test_blocks_of_neurons_and_threads_do_not_change_bits(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    island = make_island(1200, 70, wide=3, bias=True)
    payload = payload_for(island, 33)
    expected = run_layer(ReferenceRunner(), island, payload)
    monkeypatch.setattr("simulators.fast.lane.SUMS_PER_BLOCK", 1 << 12)
    same(expected, run_layer(FastRunner(), island, payload))


def test_saturation_is_exact_and_counted() -> None:
    """A sum beyond 24 bits clips at 2**23 - 1 and counts once; one just inside does not."""
    island = make_island(1, 4, acc_shift=0, shifts=(15, 16))
    island.synapses.synapse.weight[:] = 127
    island.neurons.params["multiplier"][:] = 32767
    for sent, state in (([32767, 32767, 518], 8388604), ([32767, 32767, 519], 2**23 - 1), ([32767] * 4, 2**23 - 1)):
        payload = np.array([[*sent, 0][:4]], np.int16)
        for runner in (ReferenceRunner(), FastRunner()):
            out, activity = run_layer(runner, island, payload)
            assert activity.saturated_state == (127 * sum(sent) > 2**23 - 1)
            assert out[0, 0] == (state * 32767 + (1 << 14)) >> 15


def decoding_of(island: LinearLayer) -> Decoded:
    program = program_of_layers(INFO, [island], {}, "x", island.decode.values[-1])
    found = FastRunner().decoding(program.segments[0])
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["reference", "fast"])
def test_wrong_payloads_are_refused(name: str) -> None:
    island, runner = make_island(3, 5, bits=12), get_runner(name)
    payload = np.full((1, 5), 2048, np.int16)
    refused(UserError, "ND3205", run_layer, runner, island, payload)
    refused(InternalError, "ND9005", decoding_of(island), payload)
    refused(UserError, "ND3001", get_runner, "faster")


def test_no_token_is_no_work() -> None:
    decoded = decoding_of(make_island(3, 5))
    assert decoded(np.zeros((0, 5), np.int16)).shape == (0,)
    activity = seen("island", decoded.take())
    assert activity.tokens == 0 and not activity.events.any()
