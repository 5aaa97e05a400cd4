"""The executor on a small network of its own: order, memory, weights, errors; costs against plain counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy.errors import InternalError, UserError
from neurodeploy.frontends.families.decoder import Decoder, Layer, build
from neurodeploy.ir.graph import HostOp, Projection
from neurodeploy.ops import OPERATIONS, lookup
from neurodeploy.ops.attention import visible_pairs
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.kernels import EXP
from neurodeploy.ops.host.kvcache import State
from neurodeploy.ops.host.linear import projection_work
from neurodeploy.ops.host.operation import Load, Operation, Work
from tests.frontends.arrays import Arrays
from tests.invariant import invariant_linear
from tests.refusals import refused

IDS = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5])


def random_store(shapes: dict[str, tuple[int, ...]]) -> Arrays:
    rng = np.random.default_rng(0)
    scaled = {name: rng.standard_normal(shape) / max(shape[-1], 1) ** 0.5 for name, shape in shapes.items()}
    return Arrays({name: array.astype(np.float32) for name, array in scaled.items()})


@dataclass
class Net:
    ops: list[Any]
    sizes: dict[str, int]
    store: Arrays

    def executor(self, **options: Any) -> Executor:
        return Executor(self.ops, self.store, self.sizes, **options)


@pytest.fixture(autouse=True)
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Projections whose bits do not depend on the batch."""
    plain = torch.nn.functional.linear
    monkeypatch.setattr(
        torch.nn.functional, "linear", lambda x, w, b=None: (plain if x.is_cuda else invariant_linear)(x, w, b)
    )


def made(decoder: Decoder) -> Net:
    built = build(decoder)
    return Net(built.ops, {name: p.size for name, p in built.populations.items()}, random_store(built.tensors))


@pytest.fixture
def net() -> Net:
    inv_freq = (1.0, 0.1, 0.01, 0.001)
    layers = (
        Layer(ffn=24, inv_freq=inv_freq, window=4),
        Layer(ffn=12, experts=3, top_k=1, temperature=(0.1, 4.0)),
        Layer(ffn=24, inv_freq=inv_freq, chunk=4, norm_after_rope=True),
    )
    return made(Decoder(11, 16, 2, 1, 8, 1e-6, "silu", 0.35, layers, False, rope_style="interleaved"))


@pytest.fixture
def learnt() -> Net:
    """GPT-2's kind: layer norms, learnt positions, no gate."""
    layers = (Layer(ffn=24), Layer(ffn=12, score_factor=0.5))
    return made(Decoder(
        11, 16, 2, 2, 8, 1e-5, "gelu_tanh", 0.35, layers, True, biases=frozenset("qkvo"), norm="layernorm",
        gated=False, positions=12, learnt_positions=True,
    ))  # fmt: skip


@pytest.mark.parametrize(("kind", "layers"), [("net", 3), ("learnt", 2)])
def test_state_goes_on(kind, layers, request):
    some = request.getfixturevalue(kind)
    executor, state = some.executor(), State()
    whole = executor.forward(IDS)
    first = executor.forward(IDS[:6], state)
    assert (state.position, len(state.caches)) == (6, layers)
    rest = executor.forward(IDS[6:], state)
    assert torch.equal(torch.cat([first, rest]), whole) and state.position == 11
    assert not torch.equal(executor.forward(IDS[6:]), rest)


def test_more_tokens_than_learnt_positions(learnt):
    state = State()
    learnt.executor().forward(IDS, state)
    says = "ND3006 .*a text of 13 tokens exceeds the 12 positions .*at most 12 tokens"
    refused(UserError, says, learnt.executor().forward, IDS[:2], state)


def test_the_work_of_a_layer_without_a_gate(learnt):
    executor = learnt.executor()
    executor.forward(IDS[:3])
    assert executor.work == sum((work(op, 3, sizes=learnt.sizes) for op in learnt.ops), Work(0, 0))


def test_last_only_is_the_last_row(net):
    executor = net.executor()
    whole = executor.forward(IDS)
    assert whole.shape == (11, 11)
    assert torch.equal(executor.forward(IDS, last_only=True), whole[-1:])


def test_chunks_are_the_whole(net):
    executor = net.executor()
    whole = executor.forward(IDS)
    chunks = list(executor.logits_chunks(IDS, chunk=4))
    assert [start for start, _ in chunks] == [0, 4, 8]
    assert torch.equal(torch.cat([part for _, part in chunks]), whole)
    hidden = executor.forward_hidden(IDS)
    assert hidden.shape == (11, 16)
    assert torch.equal(executor.head(hidden[3:5]), whole[3:5])


def test_threads_do_not_change_the_bits(net, threads):
    expected = net.executor().forward(IDS)
    torch.set_num_threads(1)
    assert torch.equal(net.executor().forward(IDS), expected)


def test_a_gpu_would_compute_the_same_to_rounding(net, learnt, monkeypatch):
    """The torch kernels, on the CPU: the same code that a GPU runs."""
    expected = [some.executor().forward(IDS) for some in (net, learnt)]
    monkeypatch.setattr(Operation, "kernel", lambda self, device: self.on_torch)
    for some, wanted in zip((net, learnt), expected, strict=True):
        torch.testing.assert_close(some.executor().forward(IDS), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu(net):
    expected = net.executor().forward(IDS)
    state = State()
    gpu = net.executor(device="cuda")
    found = torch.cat([gpu.forward(IDS[:6], state), gpu.forward(IDS[6:], state)]).cpu()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_values_are_dropped_after_their_last_use(net):
    alive: list[int] = []
    net.executor().forward(IDS, capture=lambda op, values: alive.append(len(values)))
    assert len(alive) == len(net.ops)
    assert max(alive) <= 10


def test_weights_are_read_once_or_never_kept(net):
    executor = net.executor()
    executor.forward(IDS)
    names = [name for name, _ in net.store.read]
    assert len(names) == len(set(names))
    executor.forward(IDS)
    assert len(net.store.read) == len(names)

    net.store.read.clear()
    thrifty = net.executor(keep_weights=False)
    assert torch.equal(thrifty.forward(IDS), executor.forward(IDS))
    once = len(net.store.read)
    thrifty.forward(IDS)
    assert len(net.store.read) == 2 * once


def test_a_large_table_is_read_by_rows(net, monkeypatch):
    from neurodeploy.ops.host import weights

    expected = net.executor().forward(IDS)
    monkeypatch.setattr(weights, "WHOLE_TABLE", 100)
    net.store.read.clear()
    executor = net.executor()
    assert torch.equal(executor.forward(IDS), expected)
    executor.forward(IDS)
    rows = [(key[0].start, key[0].stop) for name, key in net.store.read if name == "embed_tokens.weight"]
    assert sorted(rows) == [(i, i + 1) for i in sorted(set(IDS.tolist()))]


def test_one_operation_at_a_time(net):
    """What a calibrator does: every window through one operation, then the next."""
    executor = net.executor()
    expected = executor.forward(IDS)
    values: dict[str, torch.Tensor] = {"tokens": torch.from_numpy(IDS)}
    for op in net.ops:
        executor.run_op(op, values)
    assert torch.equal(values["logits"], expected)


def test_handlers_go_first(net):
    seen = []

    def handler(op, values):
        seen.append(op.path)
        values[op.output] = torch.zeros(values[op.input].shape[0], op.out_features)

    logits = net.executor(handlers={Projection: handler}).forward(IDS)
    assert len(seen) == sum(isinstance(op, Projection) for op in net.ops)
    assert not logits.any()


def test_an_idle_expert_costs_nothing(net):
    rows: dict[str, int] = {}

    def capture(op, values):
        if isinstance(op, Projection) and op.expert is not None:
            rows[op.path] = values[op.output].shape[0]

    executor = net.executor()
    executor.forward(IDS[:1], capture=capture)
    idle = {path for path, count in rows.items() if count == 0}
    assert len(idle) == 6
    assert not {f"{path}.weight" for path in idle} & {name for name, _ in net.store.read}


def test_work_is_counted(net):
    executor = net.executor(handlers={Projection: lambda op, v: v.__setitem__(
        op.output, torch.ones(v[op.input].shape[0], op.out_features))})  # fmt: skip
    whole = executor.forward(IDS)
    counted = executor.work
    assert whole.shape[0] == 11
    assert counted.flops > 0
    executor.work = Work(0, 0)
    state = State()
    for i in range(11):
        executor.forward(IDS[i : i + 1], state)
    assert executor.work.flops == counted.flops
    assert executor.work.bytes > counted.bytes  # decoding reads weights and keys once a token


@pytest.mark.parametrize(
    ("tokens", "code"),
    [([], "ND3003"), ([[1, 2]], "ND3003"), ([1.5], "ND3003"), (["a"], "ND3003"), ([1, 11], "ND3004"), ([-1], "ND3004")],
)
def test_wrong_tokens(net, tokens, code):
    refused(UserError, code, net.executor().forward, tokens)


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("ND9101", lambda net: net.executor().forward(IDS, State(position=4))),
        ("ND9103", lambda net: Net([*net.ops[:-1], op("fft", ("logits",), ("norm",))], net.sizes, net.store).executor()
         .forward(IDS)),
        ("ND9104", lambda net: Executor([], net.store, net.sizes)),
        ("ND9104", lambda net: Executor([op("add", ("logits",), ("x", "y"))], net.store, net.sizes)),
    ],
)  # fmt: skip
def test_what_is_our_bug(net, code, call):
    """A state that was used elsewhere, an operation that nobody knows, a network without a head."""
    refused(InternalError, code, call, net)


SIZES = {"x": 64, "g": 96, "e": 2}


def work(op, tokens, context=0, sizes=SIZES):
    """Of a call in which every token is given to one expert, where there are any."""
    if isinstance(op, Projection):
        return projection_work(op, tokens)
    return lookup(op).work(Load(op, sizes, tokens, context, tokens))


def op(name, outputs=("x",), inputs=("x",), weights=None, **attrs):
    return HostOp(name, name, inputs, outputs, attrs, weights or {})


@pytest.mark.parametrize(("window", "chunk"), [(None, None), (5, None), (None, 4), (3, 8)])
@pytest.mark.parametrize("context", [0, 1, 13])
def test_visible_pairs(window, chunk, context):
    counted = sum(
        1
        for i in range(context, context + 9)
        for j in range(i + 1)
        if (window is None or i - j < window) and (chunk is None or i // chunk == j // chunk)
    )
    assert visible_pairs(9, context, window, chunk) == counted


ATTENTION = {"heads": 4, "kv_heads": 2, "head_dim": 16, "scale": 0.25, "window": None, "chunk": None}
CASES = {
    "embedding": (op("embedding", scale=2.0), Work(3 * 64, 8 * 3 * 64)),
    "position_embedding": (op("position_embedding", weights={"weight": "w"}), Work(3 * 64, 12 * 3 * 64)),
    "rmsnorm": (op("rmsnorm", weights={"weight": "w"}, eps=1e-6, group=16), Work(3 * 64 * 4 + 3 * 12, 8 * 3 * 64 + 64)),
    # mean: 63 + 1; deviations 64; squares 64, their mean 63 + 1; epsilon, root, reciprocal; three passes of one flop each
    "layernorm": (
        op("layernorm", weights={"weight": "w", "bias": "b"}, eps=1e-5, group=64),
        Work(3 * (7 * 64 + 4), 8 * 3 * 64 + 8 * 64),
    ),
    "rope": (op("rope", head_dim=16, inv_freq=(), style="half"), Work(3 * 3 * 64, 8 * 3 * 64 + 4 * 3 * 16)),
    "rope of a part": (
        op("rope", head_dim=16, inv_freq=(1.0,) * 6, style="half", rotated=12, factor=1.2),
        Work(3 * 3 * 48, 8 * 3 * 64 + 4 * 3 * 12),
    ),
    "temperature": (op("temperature", scale=0.1, floor_scale=8.0), Work(3 * 64, 8 * 3 * 64 + 12)),
    # 3 queries after 5 tokens see 6 + 7 + 8 keys of 8 distinct ones.
    "attention": (
        op("attention", inputs=("x", "x", "x"), **ATTENTION),
        Work(21 * 4 * (64 + EXP + 4) + 3 * 64, 8 * 3 * 64 + 8 * 3 * 32 + 8 * 2 * 16 * 8),
    ),
    "glu": (op("glu", ("g",), act="silu"), Work(3 * 96 * (EXP + 4), 12 * 3 * 96)),
    "activation": (op("activation", act="gelu_tanh"), Work(3 * 64 * (EXP + 8), 8 * 3 * 64)),
    "add": (op("add"), Work(3 * 64, 12 * 3 * 64)),
    "estimate": (op("estimate", what="recurrence", flops=7, bytes=11), Work(3 * 7, 3 * 11)),
    "rope_angles": (op("rope_angles", ("e",), inv_freq=(1.0,)), Work(0, 8 * 3 * 2)),
    "position_factor": (op("position_factor", ("e",), scale=0.1, floor_scale=8), Work(0, 4 * 3 * 2)),
    "moe_route": (op("moe_route", ("e",), top_k=1), Work(3 * (2 + EXP + 2), 8 * 3 * 2)),
    "moe_dispatch": (op("moe_dispatch", ("x", "x"), ("x", "e")), Work(3 * 64, 8 * 3 * 64 + 4 * 3 * 2)),
    "concat": (op("concat", ("g",), ("x", "e")), Work(0, 8 * 3 * 96)),
    "moe_combine": (op("moe_combine", inputs=("e", "x", "x")), Work(3 * 64, 12 * 3 * 64 + 4 * 3 * 2)),
    # 96 numbers of 16 flops; 64 read, 96 written
    "tensor": (
        op(
            "tensor",
            outputs=("g",),
            form="curve",
            told='{"settings": {"act": "tanh"}, "in": [[64]], "out": [96], "arrays": {}}',
        ),
        Work(3 * 96 * 16, 4 * (3 * 96 + 3 * 64)),
    ),
    "projection": (
        Projection("p", "x", "g", 64, 96, "w", "b"),
        Work(3 * (2 * 64 * 96 + 96), 4 * (64 * 96 + 96 + 3 * (64 + 96))),
    ),
}


def test_every_operation_has_a_case():
    assert {operation.op for operation, _ in CASES.values() if isinstance(operation, HostOp)} == set(OPERATIONS)


@pytest.mark.parametrize("name", CASES)
def test_work(name):
    operation, expected = CASES[name]
    assert work(operation, 3, 5) == expected


def test_a_projection_of_no_token():
    assert work(CASES["projection"][0], 0) == Work(0, 0)
