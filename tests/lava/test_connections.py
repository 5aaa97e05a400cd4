"""Projections as Lava's processes, without Lava: layouts, formats and the reasons for our own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import UserError
from neurodeploy.ir.network import Projection
from neurodeploy.synapses import Conv, Dense, Sparse, build
from simulators.lava.connections import SparseMatrix, connection, refused
from simulators.lava.scene import _buffer, pending_of

MIXED = np.array([[2, -4, 0], [6, 8, -10]], np.int8)
SPARSE = build.sparse_from_coo(2, 3, np.array([0, 1, 1]), np.array([1, 0, 2]), np.array([-4, 6, 8]))


def projection(synapse: Dense | Sparse | Conv, **given: object) -> Projection:
    return Projection("p", "a", "b", synapse, **given)  # type: ignore[arg-type]


def dense_of(matrix: SparseMatrix) -> np.ndarray:
    found = np.zeros(matrix.shape, np.int64)
    for row in range(matrix.shape[0]):
        for at in range(matrix.indptr[row], matrix.indptr[row + 1]):
            found[row, matrix.indices[at]] = matrix.data[at]
    return found


def test_dense() -> None:
    made = connection(projection(Dense(np.asfortranarray(MIXED)), weight_exp=-3, weight_bits=8, graded=True))
    assert (made.process, made.model, made.reason) == ("lava.proc.dense.process:Dense", "PyDenseModelBitAcc", "")
    assert made.arguments["weights"].dtype == np.int32
    assert np.array_equal(made.arguments["weights"], MIXED)
    assert made.arguments["weight_exp"] == -3
    assert made.arguments["num_message_bits"] > 0
    assert made.arguments["sign_mode"] == {"$member": "lava.utils.weightutils:SignMode:MIXED"}
    assert connection(projection(Dense(MIXED))).arguments["num_message_bits"] == 0


def test_axonal_delays_become_one_for_each_synapse() -> None:
    delay = np.array([0, 3, 1], np.uint8)
    made = connection(projection(Dense(MIXED), delay=delay))
    assert made.process.endswith("DelayDense")
    assert made.arguments["max_delay"] == 3
    assert made.arguments["delays"].dtype == np.int64
    assert np.array_equal(made.arguments["delays"], [[0, 3, 1], [0, 3, 1]])
    assert connection(projection(Dense(MIXED), delay=np.zeros(3, np.uint8))).process.endswith(":Dense")


def test_sparse_by_row() -> None:
    made = connection(projection(SPARSE))
    assert made.process == "lava.proc.sparse.process:Sparse"
    assert np.array_equal(dense_of(made.arguments["weights"]), [[0, -4, 0], [6, 0, 8]])
    delayed = connection(projection(SPARSE, delay=np.array([5, 0, 2], np.uint8)))
    assert delayed.process.endswith("DelaySparse")
    # In the order of the synapses by axon: (1, 0), (0, 1), (1, 2).
    assert np.array_equal(dense_of(delayed.arguments["delays"]), [[0, 0, 0], [5, 0, 2]])
    assert delayed.arguments["delays"].data.dtype == np.int64


def test_the_kernel_is_flipped_in_space_only() -> None:
    kernel = np.arange(2 * 2 * 3 * 1, dtype=np.int8).reshape(2, 2, 3, 1)
    made = connection(projection(Conv(kernel, (4, 5, 1), padding=(1, 0), stride=(2, 1))))
    assert made.process == "lava.proc.conv.process:Conv"
    assert np.array_equal(made.arguments["weight"][1, 0, 0, 0], kernel[1, 1, 2, 0])
    assert made.arguments["padding"] == [1, 0]
    assert made.arguments["input_shape"] == [4, 5, 1]


@pytest.mark.parametrize(
    ("synapse", "given", "reason"),
    [
        (Conv(np.ones((1, 2, 2, 1), np.int8), (4, 4, 1), transposed=True), {}, "transposed"),
        (Conv(np.ones((1, 2, 2, 1), np.int8), (2, 2, 1)), {"delay": np.full(4, 2, np.uint8)}, "no delays"),
        (Conv(np.ones((1, 2, 2, 1), np.int8), (2, 2, 1)), {"weight_exp": 1}, "ignores weight_exp"),
        (Conv(np.ones((128, 1, 1, 1), np.int8), (2, 2, 128), groups=128), {}, "128 does not fit"),
        (Conv(np.ones((1, 1, 1, 1), np.int8), (2, 2, 1), padding=(64, 0)), {}, "128 does not fit"),
        (Conv(np.ones((1, 3, 1, 1), np.int8), (150, 2, 1), dilation=(64, 1)), {}, "129 does not fit"),
        (Dense(MIXED), {"weight_bits": 16}, "these have 16"),
        (build.sparse_from_coo(2, 3, np.zeros(0, int), np.zeros(0, int), np.zeros(0, int)), {}, "empty"),
    ],
)
def test_what_lava_lacks_runs_as_ours(synapse: Dense | Sparse | Conv, given: dict[str, object], reason: str) -> None:
    p = projection(synapse, **given)
    made = connection(p)
    assert made.process == "own"
    assert reason in made.reason == refused(p)
    assert made.arguments["weight"].size == made.arguments["target"].size == made.arguments["delay"].size


@pytest.mark.parametrize(("bits", "mode"), [(8, "excitatory"), (8, "inhibitory"), (6, "mixed")])
def test_a_format_that_does_not_hold_the_weights(bits: int, mode: str) -> None:
    with pytest.raises(UserError, match="ND4104"):
        connection(projection(Dense(MIXED), weight_bits=bits, sign_mode=mode))


@pytest.mark.parametrize("depth", [1, 4])
def test_pending_sums_there_and_back(depth: int) -> None:
    delay = np.full(3, depth - 1, np.uint8)
    convolution = Conv(np.ones((2, 1, 1, 3), np.int8), (1, 1, 3))
    own = replace(projection(convolution), delay=delay, synapse=convolution)
    for p in (projection(Dense(MIXED), delay=delay), projection(SPARSE, delay=np.full(3, depth - 1, np.uint8)), own):
        pending = np.arange(p.depth * 2, dtype=np.int32).reshape(p.depth, 2)
        process = connection(p).process
        there = _buffer(p, process, pending)
        back = pending_of(p, process, there)
        assert back.dtype == np.int32
        assert np.array_equal(back, pending)
