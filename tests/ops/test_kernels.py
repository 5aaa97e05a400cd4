"""CPU kernels: right, as the torch kernels to rounding, the same bits for any number of tokens and threads."""

from __future__ import annotations

import os
import threading
import time

import numba
import numpy as np
import pytest
import torch

from neurodeploy.machine.jit import jit
from neurodeploy.machine.threads import GRAIN, split
from neurodeploy.ops.host import kernels
from neurodeploy.ops.host.kvcache import State
from tests.invariant import invariant_linear, linear
from tests.ops.conftest import compute

#: Rotary frequencies of a head of 24: three whole vectors are not enough for a wide machine, and there is a tail.
INV_FREQ = tuple(float(f) for f in 500.0 ** -(np.arange(0, 24, 2) / 24))

PART = {"inv_freq": INV_FREQ[:7], "head_dim": 24, "rotated": 14, "factor": 1.25}
#: label -> (operation, neurons of its inputs, attributes, numbers of each tensor)
OPERATIONS = {
    "rmsnorm": ("rmsnorm", [72], {"eps": 1e-6, "group": 72}, {"weight": 72}),
    "rmsnorm by heads": ("rmsnorm", [72], {"eps": 1e-5, "group": 24}, {"weight": 24}),
    "rmsnorm without weights": ("rmsnorm", [7], {"eps": 1e-6, "group": 7}, {}),
    "layernorm": ("layernorm", [72], {"eps": 1e-5, "group": 72}, {"weight": 72, "bias": 72}),
    "layernorm by groups": ("layernorm", [72], {"eps": 1e-5, "group": 8}, {"weight": 8, "bias": 8}),
    "rope of a part": ("rope", [72], {"style": "half", **PART}, {}),
    "rope of a part, interleaved": ("rope", [72], {"style": "interleaved", **PART}, {}),
    "rope half": ("rope", [72], {"inv_freq": INV_FREQ, "head_dim": 24, "style": "half"}, {}),
    "rope interleaved": ("rope", [72], {"inv_freq": INV_FREQ, "head_dim": 24, "style": "interleaved"}, {}),
    "temperature": ("temperature", [72], {"scale": 0.1, "floor_scale": 8}, {}),
    "silu": ("glu", [101, 101], {"act": "silu"}, {}),
    "gelu_tanh": ("glu", [101, 101], {"act": "gelu_tanh"}, {}),
    "activation silu": ("activation", [101], {"act": "silu"}, {}),
    "activation gelu_tanh": ("activation", [101], {"act": "gelu_tanh"}, {}),
    "add": ("add", [101, 101], {}, {}),
    "route": ("moe_route", [5], {"top_k": 2}, {}),
}
TOKENS = 37


@pytest.fixture(params=OPERATIONS)
def case(request, noise):
    """``(inputs with one row a token, the operation on them from a position on)``."""
    name, sizes, attrs, shapes = OPERATIONS[request.param]
    tensors = {role: noise(size) for role, size in shapes.items()}
    inputs = [noise(TOKENS, size, scale=4.0) + (7 if "layer" in name else 0) for size in sizes]
    return inputs, lambda at, *x, **on: compute(name, *x, state=State(at), **on, **attrs, **tensors)


def test_equals_torch(case, threads):
    inputs, operation = case
    found, expected = (operation(3, *inputs, kernel=kernel) for kernel in ("on_cpu", "on_torch"))
    torch.testing.assert_close(found, expected, rtol=3e-6, atol=2e-6)


def test_a_token_does_not_feel_the_others(case, threads):
    inputs, operation = case
    whole = operation(3, *inputs)
    at = 0
    for size in (1, 2, 3, 5, 11, 15):
        part = operation(3 + at, *(x[at : at + size] for x in inputs))
        assert torch.equal(part, whole[at : at + size])
        at += size
    assert at == TOKENS
    assert operation(3, *(x[:0] for x in inputs)).shape == (0, whole.shape[1])


def test_columns_of_a_larger_matrix(noise):
    """Values may be views: the head of a program is decoded into slices of one array."""
    wide = noise(9, 48)
    for x in (wide[:, 3:27], wide.t().contiguous().t()[:, :24]):
        for name, count, attrs in (
            ("rmsnorm", 1, {"eps": 1e-6, "group": 24}),
            ("glu", 2, {"act": "silu"}),
            ("rope", 1, {"inv_freq": INV_FREQ, "head_dim": 24, "style": "half"}),
        ):
            found, expected = (compute(name, *[y] * count, **attrs) for y in (x, x.contiguous()))
            assert torch.equal(found, expected)


def test_layernorm_by_hand():
    """Rows whose mean is large: the deviations are taken before they are squared."""
    x = torch.tensor([[1.0, 2.0, 3.0, 6.0], [1001.0, 1002.0, 1003.0, 1006.0]])
    weight, bias = torch.tensor([1.0, 2.0, 1.0, -1.0]), torch.tensor([0.0, 0.0, 0.5, 0.0])
    # mean 3 (1003), deviations -2 -1 0 3, mean square 3.5
    root = 3.5**0.5
    expected = torch.tensor([-2 / root, -2 / root, 0.5, -3 / root]).expand(2, 4)
    for kernel in ("on_cpu", "on_torch"):
        found = compute("layernorm", x, weight=weight, bias=bias, eps=1e-12, group=4, kernel=kernel)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_neurons_that_rope_lets_pass():
    x = torch.arange(48.0).reshape(2, 24)
    for kernel in ("on_cpu", "on_torch"):
        for style in ("half", "interleaved"):
            attrs = {"inv_freq": (0.5, 0.1), "head_dim": 12, "style": style}
            out = compute("rope", x, state=State(5), kernel=kernel, **attrs).reshape(2, 2, 12)
            assert torch.equal(out[..., 4:], x.reshape(2, 2, 12)[..., 4:])
            assert not torch.equal(out[..., :4], x.reshape(2, 2, 12)[..., :4])
            lengths = out[..., :4].square().sum(-1)
            torch.testing.assert_close(lengths, x.reshape(2, 2, 12)[..., :4].square().sum(-1))


def exponential(x: np.ndarray) -> np.ndarray:
    """`exp32` of each number."""
    return np.array([kernels.exp32(np.float32(value)) for value in x], np.float32)


def test_exponential_is_good_to_one_unit():
    x = np.concatenate([np.linspace(-87, 88, 20001), np.linspace(-1, 1, 2001)]).astype(np.float32)
    found, exact = exponential(x), np.exp(x.astype(np.float64))
    units = np.abs(found - exact) / np.spacing(exact.astype(np.float32))
    assert units.max() < 1.0


def test_exponential_beyond_its_range():
    tiny, huge = exponential(np.array([-1e4, -np.inf, -87.0])), exponential(np.array([1e4, np.inf, 88.0]))
    assert (tiny == tiny[2]).all()
    assert (huge == huge[2]).all()
    assert np.isfinite(huge).all()
    assert np.isnan(exponential(np.array([np.nan]))[0])


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 577])
def test_folds(n, noise):
    x = noise(n).numpy()
    buffer = np.empty(n + 1, np.float32)
    assert kernels.fold_sum(x, buffer) == pytest.approx(x.astype(np.float64).sum(), abs=1e-5)
    assert kernels.fold_max(x, buffer) == x.max()
    assert kernels.fold_max(-np.abs(x), buffer) == -np.abs(x).min()


def test_activations_far_out():
    gate = torch.tensor([-1e30, -200.0, -90.0, 0.0, 90.0, 200.0, 1e30])
    for act in ("silu", "gelu_tanh"):
        out = compute("glu", gate[None], torch.ones(1, 7), act=act)[0]
        assert torch.equal(out[3:], gate[3:])
        assert float(out[:3].abs().max()) < 1e-7


def test_route_takes_the_first_of_equals():
    logits = torch.tensor([[1.0, 3.0, 3.0, 3.0], [2.0, 2.0, 2.0, 2.0]])
    for kernel in ("on_cpu", "on_torch"):
        chosen = compute("moe_route", logits, top_k=2, kernel=kernel) != 0
        assert chosen.tolist() == [[False, True, True, False], [True, True, False, False]]
    torch.testing.assert_close(compute("moe_route", logits, top_k=1)[0, 1], torch.sigmoid(torch.tensor(3.0)))


def test_dispatch_and_combine(noise):
    x, routing = noise(6, 4), torch.zeros(6, 3)
    routing[0, 0], routing[2, 0], routing[2, 2], routing[5, 2] = 0.5, 0.25, 0.75, 1.0
    parts = compute("moe_dispatch", x, routing)
    assert [len(part) for part in parts] == [2, 0, 2]
    assert torch.equal(parts[0], torch.stack((x[0] * 0.5, x[2] * 0.25)))
    out = compute("moe_combine", routing, *(part + 1.0 for part in parts))
    expected = torch.zeros(6, 4)
    expected[0] = x[0] * 0.5 + 1
    expected[2] = (x[2] * 0.25 + 1) + (x[2] * 0.75 + 1)
    expected[5] = x[5] + 1
    assert torch.equal(out, expected)


def test_temperature_is_one_until_the_first_step():
    x = torch.ones(10, 2)
    found = compute("temperature", x, scale=0.1, floor_scale=8)
    assert torch.equal(found[:7], x[:7])
    assert float(found[7, 0]) == np.float32(1 + 0.1 * np.log(2))


@pytest.mark.parametrize("shape", [(1, 5, 3), (9, 64, 40), (4, 33, 700)])
def test_invariant_linear(shape, noise, threads):
    tokens, n, out = shape
    x, weight, bias = noise(tokens, n), noise(out, n), noise(out)
    for offset in (None, bias):
        whole = invariant_linear(x, weight, offset)
        torch.testing.assert_close(whole, torch.nn.functional.linear(x, weight, offset), rtol=1e-5, atol=1e-5)
        rows = torch.cat([invariant_linear(row[None], weight, offset) for row in x])
        assert torch.equal(whole, rows)


def test_no_multiply_add_is_fused():
    """A contracted multiply-add could round a vector body and a scalar tail differently."""
    a, c = np.float32(1 + 2**-12), np.float32(-1.0)
    x, transposed, bias = np.full((1, 1), a), np.full((1, 40), a), np.full(40, c)
    out = np.empty((1, 40), np.float32)
    linear(0, 1, x, transposed, bias, out)
    # a * a = 1 + 2^-11 + 2^-24 is rounded to 1 + 2^-11 (half to even) before -1 is added; fused, 2^-24 would be left.
    assert (out == np.float32(2**-11)).all()


def test_no_sum_is_reordered(noise):
    """An attention score is the sum over the head's dimensions one after the other, at every position of a vector."""
    q, key = noise(4, 30).numpy(), noise(30, 45).numpy()
    found = np.empty((4, 45), np.float32)
    kernels.dot_4(q, key, 0, 45, np.float32(1.0), found)
    expected = np.zeros((4, 45), np.float32)
    for d in range(30):
        expected += q[:, d : d + 1] * key[d]
    assert (found == expected).all()


@pytest.mark.parametrize("threads", [3], indirect=True)
def test_every_part_once(threads):
    done: list[tuple[int, int, str]] = []
    split(lambda part, parts, tag: done.append((part, parts, tag)), 100, "x")
    assert sorted(done) == [(part, 12, "x") for part in range(12)]


def test_small_work_stays_here():
    seen = []
    split(lambda part, parts: seen.append((part, parts, threading.get_ident())), GRAIN - 1)
    assert seen == [(0, 1, threading.get_ident())]


@pytest.mark.parametrize("threads", [3], indirect=True)
def test_several_threads_take_part(threads):
    who = set()

    def slow(part: int, parts: int) -> None:
        who.add(threading.get_ident())
        time.sleep(0.02)

    split(slow, 100)
    assert len(who) > 1


@pytest.mark.parametrize("threads", [3], indirect=True)
def test_an_error_of_a_helper_arrives(threads):
    main = threading.get_ident()

    def fail(part: int, parts: int) -> None:
        time.sleep(0.01)
        if threading.get_ident() != main:
            raise ValueError("in a helper")

    with pytest.raises(ValueError, match="in a helper"):
        split(fail, 100)


@pytest.mark.parametrize("threads", [3], indirect=True)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork(threads):
    split(lambda part, parts: None, 100)
    child = os.fork()
    if child == 0:
        done: list[int] = []
        split(lambda part, parts: done.append(part), 100)
        os._exit(0 if len(done) == 12 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_kernels_compile_where_no_folder_can_be_written(monkeypatch):
    from numba.core import caching

    monkeypatch.setattr(caching.FunctionCache._impl_class, "_locator_classes", [])

    def double(x):
        return 2 * x

    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(double)
    assert jit(double)(21) == 42
