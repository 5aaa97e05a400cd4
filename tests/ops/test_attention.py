"""Attention: against a dense mask in float64, and bit for bit the same in every split of the text."""

from __future__ import annotations

import pytest
import torch

from neurodeploy.ops.host.kvcache import State
from tests.ops.conftest import compute

TOKENS = 75
#: heads, kv_heads, head_dim: the last two have a tail beyond the 32 lanes and beyond the 4 rows of the kernel.
SHAPES = {"one to one": (4, 4, 32), "three to one": (9, 3, 64), "all to one": (4, 1, 40), "odd": (2, 2, 6)}
MASKS = {
    "full": (None, None), "window": (8, None), "window of 1": (1, None), "long window": (70, None),
    "chunk": (None, 16), "chunk of 1": (None, 1), "odd chunk": (None, 7), "both": (5, 16),
}  # fmt: skip


def reference(q, k, v, shape, mask, scale):
    heads, kv_heads, dim = shape
    window, chunk = mask
    tokens = q.shape[0]
    q = q.double().view(tokens, heads, dim).transpose(0, 1)
    k, v = (
        x.double().view(tokens, kv_heads, dim).transpose(0, 1).repeat_interleave(heads // kv_heads, 0) for x in (k, v)
    )
    i, j = torch.arange(tokens)[:, None], torch.arange(tokens)[None, :]
    visible = j <= i
    if window:
        visible &= i - j < window
    if chunk:
        visible &= i // chunk == j // chunk
    scores = (q @ k.transpose(1, 2) * scale).masked_fill(~visible, -torch.inf)
    return (scores.softmax(-1) @ v).transpose(0, 1).reshape(tokens, heads * dim)


def attend(kernel, q, k, v, shape, mask, scale, sizes):
    attrs = dict(zip(("heads", "kv_heads", "head_dim", "window", "chunk"), (*shape, *mask), strict=True))
    state, out = State(), []
    for size in sizes:
        part = slice(state.position, state.position + size)
        out.append(compute("attention", q[part], k[part], v[part], kernel=kernel, state=state, scale=scale, **attrs))
        state.position += size
    assert state.position == q.shape[0]
    return torch.cat(out)


@pytest.fixture(params=SHAPES)
def shape(request):
    return SHAPES[request.param]


@pytest.fixture(params=MASKS)
def mask(request):
    return MASKS[request.param]


@pytest.fixture
def qkv(shape, noise):
    heads, kv_heads, dim = shape
    return noise(TOKENS, heads * dim), noise(TOKENS, kv_heads * dim), noise(TOKENS, kv_heads * dim)


def test_equals_a_dense_mask(qkv, shape, mask):
    expected = reference(*qkv, shape, mask, 0.3)
    for kernel in ("on_cpu", "on_torch"):
        for sizes in ([TOKENS], [30, 1, 1, 43]):
            found = attend(kernel, *qkv, shape, mask, 0.3, sizes)
            torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=3e-6)


def test_every_split_of_the_text_gives_the_same_bits(qkv, shape, mask, threads):
    whole = attend("on_cpu", *qkv, shape, mask, 0.3, [TOKENS])
    for sizes in ([1] * TOKENS, [4] * 18 + [3], [2, 33, 1, 5, 34], [74, 1]):
        assert torch.equal(attend("on_cpu", *qkv, shape, mask, 0.3, sizes), whole)


def test_what_a_query_cannot_see_does_not_matter(noise, mask):
    """Not even where it is not a number: nothing masked is ever multiplied."""
    shape = (4, 2, 32)
    q, k, v = noise(40, 128), noise(40, 64), noise(40, 64)
    whole = attend("on_cpu", q, k, v, shape, mask, 0.3, [40])
    bad_k, bad_v = k.clone(), v.clone()
    bad_k[33:], bad_v[33:] = torch.nan, torch.inf
    assert torch.equal(attend("on_cpu", q, bad_k, bad_v, shape, mask, 0.3, [40])[:33], whole[:33])


def test_large_scores(noise):
    q, k, v = noise(50, 64, scale=60.0), noise(50, 64, scale=60.0), noise(50, 64)
    found = attend("on_cpu", q, k, v, (1, 1, 64), (None, None), 1.0, [50])
    torch.testing.assert_close(found.double(), reference(q, k, v, (1, 1, 64), (None, None), 1.0), rtol=1e-3, atol=1e-3)


def test_long_texts_cross_the_tiles(noise):
    shape = (2, 1, 32)
    q, k, v = noise(1100, 64), noise(1100, 32), noise(1100, 32)
    whole = attend("on_cpu", q, k, v, shape, (None, None), 0.2, [1100])
    torch.testing.assert_close(whole.double(), reference(q, k, v, shape, (None, None), 0.2), rtol=1e-4, atol=1e-5)
    assert torch.equal(attend("on_cpu", q, k, v, shape, (None, None), 0.2, [511, 1, 3, 585]), whole)
