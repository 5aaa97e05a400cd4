"""Attention against a dense mask in float64, the same bits in every split of the text; the cache that it reads."""

from __future__ import annotations

import pytest
import torch

from neurodeploy.errors import InternalError
from neurodeploy.ops.host.kvcache import KVCache, State, first_visible, oldest_visible
from tests.ops.conftest import compute
from tests.refusals import refused

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


@pytest.mark.parametrize(
    ("position", "window", "chunk", "oldest"),
    [(9, None, None, 0), (9, 4, None, 6), (2, 4, None, 0), (9, None, 4, 8), (8, None, 4, 8), (7, None, 4, 4),
     (9, 1, 4, 9), (9, 100, 4, 8)],
)  # fmt: skip
def test_oldest_visible(position, window, chunk, oldest):
    assert oldest_visible(position, window, chunk) == oldest
    assert first_visible(position, window or 0, chunk or 0) == oldest


def test_holds_what_was_appended(noise):
    cache = KVCache(2, 3)
    k, v = noise(90, 6), noise(90, 6)
    for start, stop in ((0, 5), (5, 6), (6, 80), (80, 90)):
        cache.append(k[start:stop], v[start:stop])
    assert (cache.base, cache.length, cache.position) == (0, 90, 90)
    assert torch.equal(cache.key[:, :, :90].permute(2, 0, 1).reshape(90, 6), k)
    assert torch.equal(cache.value[:, :90].permute(1, 0, 2).reshape(90, 6), v)


def test_a_single_call_takes_no_more_than_it_needs(noise):
    cache = KVCache(2, 4)
    cache.append(noise(100, 8), noise(100, 8))
    assert cache.key.nbytes + cache.value.nbytes == 2 * 100 * 8 * 4


@pytest.mark.parametrize(("window", "chunk"), [(16, None), (None, 16), (16, 24)])
def test_memory_is_bounded_by_window_and_chunk(noise, window, chunk):
    cache = KVCache(1, 4, window, chunk)
    k, v = noise(3000, 4), noise(3000, 4)
    largest = 0
    for i in range(3000):
        cache.append(k[i : i + 1], v[i : i + 1])
        largest = max(largest, cache.key.nbytes + cache.value.nbytes)
        first = oldest_visible(i, window, chunk)
        assert cache.base <= first
        kept = cache.key[0, :, first - cache.base : cache.length].t()
        assert torch.equal(kept, k[first : i + 1])
    assert largest <= 2 * 4 * 4 * 160
    assert cache.base > 2800


def test_state_keeps_its_place(noise):
    state = State()
    cache = state.cache("a", 1, 4, None, None, "cpu")
    cache.append(noise(3, 4), noise(3, 4))
    refused(InternalError, "ND9101", state.cache, "a", 1, 4, None, None, "cpu")
    state.position = 3
    assert state.cache("a", 1, 4, None, None, "cpu") is cache
    refused(InternalError, "ND9101", state.cache, "b", 1, 4, None, None, "cpu")
