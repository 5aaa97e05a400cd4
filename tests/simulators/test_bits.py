"""All runners give the same bits and the same counts: no tolerance anywhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import InternalError, UserError
from neurodeploy.synapses.linear import program_of_layers
from simulators import get_runner
from simulators.fast.lane import Decoded
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.hybrid.test_random_mappings import INFO
from tests.islands import Island
from tests.layers import Seen, network_of, run_layer, run_network, seen
from tests.networks.cuts import random_mapping
from tests.simulators.conftest import make_island, payload_for


def same(a: tuple[np.ndarray, Seen], b: tuple[np.ndarray, Seen]) -> None:
    assert a[0].dtype == b[0].dtype == np.int32
    np.testing.assert_array_equal(a[0], b[0])
    for name in ("tokens", "saturated_state", "saturated_out"):
        assert getattr(a[1], name) == getattr(b[1], name), name
    np.testing.assert_array_equal(a[1].events, b[1].events)
    np.testing.assert_array_equal(a[1].messages_out, b[1].messages_out)


def by_formula(island: Island, payload: np.ndarray) -> tuple[np.ndarray, Seen]:
    """`ir.program` in Python integers."""
    given = island.params
    shift, right = given["shift"].astype(object), given["acc_shift"]
    acc = (payload.astype(object) << island.axon_exp.astype(object)) @ island.weight.T.astype(object)
    acc = acc + (0 if given["bias"] is None else given["bias"].astype(object))
    a = (acc + ((1 << right) >> 1)) >> right
    state = np.clip(a, -(2**23 - 1), 2**23 - 1)
    y = (state * given["multiplier"].astype(object) + ((1 << shift) >> 1)) >> shift
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


def test_blocks_of_neurons_and_threads_do_not_change_bits(three_threads: None, monkeypatch: pytest.MonkeyPatch) -> None:
    island = make_island(1200, 70, wide=3, bias=True)
    payload = payload_for(island, 33)
    monkeypatch.setattr("simulators.fast.lane.SUMS_PER_BLOCK", 1 << 12)
    same(run_layer(ReferenceRunner(), island, payload), run_layer(FastRunner(), island, payload))


def test_token_by_token_equals_all_at_once() -> None:
    island = make_island(50, 90, wide=4)
    payload = payload_for(island, 12)
    runner = FastRunner()
    whole, counts = run_layer(runner, island, payload)
    total = [0] * len(counts)
    for token in range(12):
        out, activity = run_layer(runner, island, payload[token : token + 1])
        np.testing.assert_array_equal(out[0], whole[token])
        total = [one + other for one, other in zip(total, activity, strict=True)]
    same((whole, counts), (whole, Seen(*total)))


def test_saturation_is_exact_and_counted() -> None:
    """A sum beyond 24 bits clips at 2**23 - 1 and counts once; one just inside does not."""
    island = make_island(1, 4, acc_shift=0, shifts=(15, 16))
    island.weight[:] = 127
    island.params["multiplier"][:] = 32767
    for total, lost in ((8388607, 0), (8388609, 1)):
        payload = np.zeros((1, 4), np.int16)
        payload[0, :3] = [32767, 32767, (total - 127 * 65534) // 127]
        assert 127 * int(payload.astype(np.int64).sum()) <= total
        for runner in (ReferenceRunner(), FastRunner()):
            _, activity = run_layer(runner, island, payload)
            exact = 127 * int(payload.astype(np.int64).sum())
            assert activity.saturated_state == (exact > 8388607), (total, lost)
    payload[0] = 32767
    for runner in (ReferenceRunner(), FastRunner()):
        out, activity = run_layer(runner, island, payload)
        assert activity.saturated_state == 1
        assert out[0, 0] == (8388607 * 32767 + (1 << 14)) >> 15


def decoding_of(island: Island) -> Decoded:
    program = program_of_layers(INFO, [island.reading("x")], {}, "x", island.decode.values[-1])
    found = FastRunner().decoding(program.segments[0])
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["reference", "fast"])
def test_wrong_payloads_are_refused(name: str) -> None:
    island, runner = make_island(3, 5, bits=12), get_runner(name)
    with pytest.raises(UserError, match="ND3205"):
        run_layer(runner, island, np.full((1, 5), 2048, np.int16))
    with pytest.raises(InternalError, match="ND9005"):
        decoding_of(island)(np.full((1, 5), 2048, np.int16))
    with pytest.raises(UserError, match="ND3001"):
        get_runner("faster")


def test_no_token_is_no_work() -> None:
    decoded = decoding_of(make_island(3, 5))
    assert decoded(np.zeros((0, 5), np.int16)).shape == (0,)
    activity = seen("island", decoded.take())
    assert activity.tokens == 0 and not activity.events.any()
