"""Networks within one step, walked block by block, give what the reference gives: random ones of every model that has a
kernel, joined in every way that a walk knows, with numbers up to the ends of 32 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch  # noqa: F401  (all products can be tried)
from numpy.typing import NDArray

from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.run import Probe
from neurodeploy.ir.synapse import Synapse
from neurodeploy.neurons.registry import MODELS
from neurodeploy.ops.host.lowering import joined
from neurodeploy.synapses import Dense, Direct, build
from simulators.fast import memory
from simulators.fast import walk as walks
from simulators.fast.feeds import Added, Gathered, Summed, Taken, feed
from simulators.fast.memory import room
from simulators.fast.registers import REGISTERS
from simulators.fast.runner import FastRunner
from simulators.reference import ReferenceRunner
from tests.networks.equality import same_result

WIDTH, GROUPS = 12, 3
Array = NDArray[Any]
#: Ranges of parameters that leave payloads to see: all of a parameter's own otherwise.
LIVELY = {
    "pre_shift": (0, 40), "offset": (-99, 99), "a_exp": (0, 9), "b_exp": (0, 9), "shift": (0, 30), "acc_shift": (0, 12),
    "bias": (0, 9999), "c_bias": (0, 9999), "winners": (1, 9), "state_bits": (20, 24), "out_bits": (6, 24),
}  # fmt: skip


def params_of(seed: int, model: str, size: int, extreme: bool = False) -> dict[str, Any]:
    """Parameters of a model, some of them by neuron, or a half of them at the ends of their ranges."""
    rng, found = np.random.default_rng([seed, 7]), dict[str, Any]()
    for name, param in MODELS[model].params.items():
        low, high = LIVELY.get(name, (param.low, param.high))
        shape = size if param.per_neuron and rng.random() < 0.7 else 1
        found[name] = rng.integers(low, high + 1, shape)
        if param.table:
            steps = 2**30 if extreme else int(2.0 ** rng.integers(3, 29))
            found[name] = np.cumsum(rng.integers(-1, 2, (1, 2 * int(rng.integers(1, 9)) + 1)) * steps, axis=1)
            found[name] = np.clip(found[name], -(2**30), 2**30)
        elif extreme:
            found[name] = np.where(rng.random(shape) < 0.5, rng.choice([param.low, param.high], shape), found[name])
    return {name: int(value[0]) if value.shape == (1,) else value for name, value in found.items()}


def ones(rows: int, columns: int, row: Array, column: Array) -> Synapse:
    return build.sparse_from_coo(rows, columns, row, column, np.ones(row.size, np.int8))


def between(rng: np.random.Generator, a: int, b: int) -> Synapse:
    """Synapses from a to b neurons, of a kind that a walk reads in its own way where the sizes allow it."""
    kinds: list[Synapse] = [
        Dense(rng.integers(-128, 128, (b, a), dtype=np.int8)),
        build.sparse(b, np.arange(a + 1), rng.integers(0, b, a), rng.integers(-9, 10, a).astype(np.int8)),
    ]
    if a >= b:  # a part, or neurons in another order
        start = int(rng.integers(0, a - b + 1))
        kinds.append(ones(b, a, np.arange(b), start + np.arange(b)))
        kinds.append(ones(b, a, np.arange(b), rng.permutation(a)[:b]))
        some, weights = max(1, b - 1), rng.integers(-1, 2, max(1, b - 1)).astype(np.int8)
        kinds.append(build.sparse_from_coo(b, a, rng.permutation(b)[:some], rng.permutation(a)[:some], weights))
    if a == b:
        kinds.append(Direct(a))
    if not b % a:
        kinds.append(ones(b, a, np.arange(b), np.arange(b) // (b // a)))
    if not a % b:
        kinds.append(ones(b, a, np.arange(a) // (a // b), np.arange(a)))
    first = 2 if len(kinds) > 2 and rng.random() < 0.7 else 0
    return kinds[int(rng.integers(first, len(kinds)))]


def random_walk(seed: int) -> tuple[Network, dict[str, Array]]:
    """Two inputs, one of them of 16 bits or fewer, and up to eight populations, each fed by earlier ones."""
    rng = np.random.default_rng(seed)
    sizes = (1, GROUPS, WIDTH, 2 * WIDTH)
    bits = {"wide": 32, "narrow": int(rng.integers(2, 17))}
    populations = {name: Population(name, (WIDTH,), INPUT, {"bits": width}) for name, width in bits.items()}
    models, projections = list(REGISTERS), list[Projection]()
    for i in range(int(rng.integers(1, 9))):
        model, size = models[(seed + i) % len(models)], int(rng.choice(sizes))
        name = f"{i}.{model}"
        earlier = list(populations)
        params = params_of(seed * 10 + i, model, size)
        populations[name] = Population(name, (size,), model, params)
        for port in MODELS[model].ports:
            for _ in range(1 + (rng.random() < 0.15)):
                source = str(rng.choice(earlier[-4:]))
                synapse = between(rng, populations[source].size, size)
                if model == "graded_affine" and rng.random() < 0.5:  # a lane, where what it gets has 16 bits
                    synapse = Dense(rng.integers(-128, 128, (size, populations[source].size), dtype=np.int8))
                raised = rng.random() < 0.1 and not synapse.wire
                exponents = rng.choice([0, 8], synapse.columns).astype(np.uint8) if raised else None
                title, more = f"p{len(projections)}", {"axon_exp": exponents, "instant": not synapse.wire}
                projections.append(Projection(title, source, name, synapse, target_port=port, graded=True, **more))
    inputs = {}
    for name, width in bits.items():
        end = 2 ** (width - 1) - 1
        values = rng.integers(-end, end + 1, (2, 7, WIDTH))
        ends = rng.choice([-end - (width == 32), 0, end], values.shape)
        inputs[name] = np.where(rng.random(values.shape) < 0.3, ends, values)
    inputs["narrow"] = inputs["narrow"].astype(rng.choice([np.int16, np.int32, np.int64]))
    outputs = tuple(str(one) for one in rng.permutation(list(populations))[: int(rng.integers(1, 4))])
    return Network("walk", populations, tuple(projections), outputs), inputs


@pytest.mark.parametrize("first", range(0, 120, 40))
def test_random_walks(first: int) -> None:
    for seed in range(first, first + 40):
        network, inputs = random_walk(seed)
        expected = ReferenceRunner().run(network, inputs, 7)
        for runner in (FastRunner(), FastRunner(steps=3), FastRunner("events")):
            same_result(runner.run(network, inputs, 7), expected, f"{seed} {runner.path} {runner.steps}")


def test_what_is_sent_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payloads of any population, or of some of its neurons, are recorded in a walk; what arrives is not."""
    walked = []
    real = FastRunner._walked
    monkeypatch.setattr(FastRunner, "_walked", lambda *given: walked.append(1) or real(*given))  # type: ignore[func-returns-value]
    for seed in range(12):
        network, inputs = random_walk(seed)
        probes = [Probe(name, "s") for name in network.populations]
        some = [Probe(name, "s", (p.size - 1, 0)) for name, p in network.populations.items()]
        for wanted in (probes, some):
            expected = ReferenceRunner().run(network, inputs, 7, probes=wanted)
            same_result(FastRunner(steps=3).run(network, inputs, 7, probes=wanted), expected, str(seed))
        arriving = [Probe(name, "a") for name, p in network.populations.items() if p.model == "graded_affine"]
        if arriving:
            expected = ReferenceRunner().run(network, inputs, 7, probes=arriving)
            before = len(walked)
            same_result(FastRunner().run(network, inputs, 7, probes=arriving), expected, str(seed))
            assert len(walked) == before
    assert len(walked) == 24


def test_nothing_of_what_was_in_memory_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports that nothing reaches have 0, whatever lay where their sums are kept."""

    def junk(size: int, past: int = 0) -> NDArray[np.uint8]:
        found = room(size, past)
        found[:] = 0x5A
        return found

    monkeypatch.setattr(memory, "room", junk)
    for model in REGISTERS:
        (first, *_) = MODELS[model].ports
        populations = {
            "in": Population("in", (WIDTH,), INPUT), "out": Population("out", (WIDTH,), model, params_of(3, model, WIDTH))
        }  # fmt: skip
        network = Network(
            "n", populations, (Projection("p", "in", "out", Direct(WIDTH), target_port=first, graded=True),), ("out",)
        )
        inputs = {"in": np.arange(3 * WIDTH).reshape(1, 3, WIDTH)}
        expected = ReferenceRunner().run(network, inputs, 3)
        same_result(FastRunner().run(network, inputs, 3), expected, model)


def test_what_a_walk_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those networks are walked, and others are not: with a state, with a latency, or by a chosen path."""
    network, inputs = random_walk(1)
    called = []
    monkeypatch.setattr(FastRunner, "_walked", lambda *given: called.append(given[0].path) or walks.RunActivity.zero())
    for path in ("auto", "events", "gemm"):
        FastRunner(path).run(network, inputs, 7)
    assert called == ["auto"]
    late = Projection("late", "in", "out", Dense(np.ones((2, 2), np.int8)), graded=True)
    for model, projection in (("graded_square", late), ("lif", Projection("now", "in", "out", Direct(2)))):
        given = {"du": 1, "dv": 1, "vth": 1} if model == "lif" else {}
        populations = {"in": Population("in", (2,), INPUT), "out": Population("out", (2,), model, given)}
        FastRunner().run(Network("n", populations, (projection,), ("out",)), {"in": np.ones((1, 3, 2), int)}, 3)
    assert called == ["auto"]


@pytest.mark.parametrize(("bits", "walked"), [(16, True), (32, False)])
def test_ports_that_wrap_are_walked_where_nothing_can(bits: int, walked: bool) -> None:
    """A comparison of two values each, as experts are chosen; a convolution keeps 24 bits of a sum."""
    pairs = build.sparse_from_coo(3, 4, np.tile(np.arange(3), 2), np.array([0, 1, 2, 1, 2, 3]), np.repeat([1, -1], 3))
    pixels = build.conv(np.ones((1, 1, 1, 1), int), (4, 1, 1), (1, 1), (0, 0), (1, 1))
    payload = np.random.default_rng(0).integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1), (2, 9, 4))
    for synapse in (pairs, pixels):
        populations = {
            "in": Population("in", (4, 1, 1), INPUT, {"bits": bits}),
            "out": Population("out", (synapse.rows, 1, 1), "threshold", {"vth": 0}),
        }
        made = Network("n", populations, (Projection("p", "in", "out", synapse, graded=True, instant=True),), ("out",))
        same_result(FastRunner().run(made, {"in": payload}, 9), ReferenceRunner().run(made, {"in": payload}, 9))
        assert walks.walkable(made, {}) == walked


def test_more_tokens_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A last block that is not full, and none at all; the memory of a block is the next one's."""
    for seed in (3, 4, 5):
        network, inputs = random_walk(seed)
        many = {name: np.concatenate([array] * 30, axis=1) for name, array in inputs.items()}
        runner = FastRunner()
        same_result(runner.run(network, many, 210), ReferenceRunner().run(network, many, 210), str(seed))
        none = {name: array[:, :0] for name, array in inputs.items()}
        same_result(runner.run(network, none, 0), ReferenceRunner().run(network, none, 0), str(seed))


@pytest.mark.parametrize("model", REGISTERS)
def test_ends_of_all_ranges(model: str) -> None:
    """Payloads at the ends of 32 bits, sums beyond them, and parameters at both ends of their ranges."""
    rng = np.random.default_rng(0)
    ends = np.array([-(2**31), -(2**31) + 1, -1, 0, 1, 2**31 - 1], np.int64)
    payload = rng.choice(ends, (1, 40, WIDTH))
    for seed in range(12):
        params = params_of(seed, model, WIDTH, extreme=True)
        ports = tuple(MODELS[model].ports)
        weights = [Direct(WIDTH), Dense(np.full((WIDTH, WIDTH), 1 if seed % 2 else -128, np.int8))]
        projections = tuple(
            Projection(f"{port}{n}", f"in{port}", "out", synapse, target_port=port, graded=True, instant=bool(n))
            for port in ports
            for n, synapse in enumerate(weights[: 1 + (seed + (port == "b")) % 2])
        )
        populations = {f"in{port}": Population(f"in{port}", (WIDTH,), INPUT) for port in ports}
        populations["out"] = Population("out", (WIDTH,), model, params)
        network = Network("ends", populations, projections, ("out",))
        inputs = {f"in{port}": np.roll(payload, shift, axis=1) for shift, port in enumerate(ports)}
        expected = ReferenceRunner().run(network, inputs, 40)
        same_result(FastRunner().run(network, inputs, 40), expected, f"{model} {seed}")


def test_how_ports_are_fed() -> None:
    """Parts, repetitions and block sums are seen as such, whoever made the synapses; what only looks alike is not."""
    a, b = Population("a", (WIDTH,), INPUT), Population("b", (GROUPS,), INPUT)

    def of(synapse: Synapse, **more: Any) -> Any:
        return feed([Projection("p", "a", "b", synapse, graded=True, instant=not synapse.wire, **more)])

    assert feed([joined(a, b, GROUPS)]) == Summed("a")
    assert feed([joined(b, a, GROUPS)]) == Taken("b", 0, WIDTH // GROUPS)
    assert of(Direct(5)) == Taken("a", 0, 1)
    assert of(Dense(np.ones((1, 9), np.int8))) == Summed("a")
    assert of(Dense(np.ones((9, 1), np.int8))) == Taken("a", 0, 9)
    assert of(ones(3, 9, np.arange(3), 4 + np.arange(3))) == Taken("a", 4, 1)
    order = np.array([0, 0, 1, 2, 2, 2])
    assert of(ones(6, 3, np.arange(6), order)).order.tolist() == order.tolist()
    turned = of(build.sparse_from_coo(4, 9, np.array([3, 1, 0]), np.array([5, 2, 8]), np.array([-1, 1, 0], np.int8)))
    assert isinstance(turned, Gathered)
    assert (turned.order.tolist(), turned.weight.tolist()) == ([8, 2, 0, 5], [0, 1, 0, -1])
    assert turned.runs().size == 0
    halves = of(build.sparse_from_coo(40, 32, np.arange(32), np.roll(np.arange(32), 16), np.repeat([-1, 1], 16)))
    assert halves.runs().tolist() == [16, 32, 40]
    for other in (
        of(Dense(np.full((1, 9), 2, np.int8))), of(Dense(np.ones((2, 2), np.int8))),
        of(ones(2, 4, np.array([0, 1, 0, 1]), np.arange(4))), of(ones(2, 5, np.array([0, 0, 1, 1]), np.arange(4))),
        of(Dense(np.ones((1, 9), np.int8)), weight_exp=1), feed([]),
        of(Dense(np.ones((1, 2), np.int8)), axon_exp=np.array([8, 0], np.uint8)),
    ):  # fmt: skip
        assert isinstance(other, Added)
