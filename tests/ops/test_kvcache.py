"""The cache: what it holds, how far it grows, and when it forgets."""

from __future__ import annotations

import pytest
import torch

from neurodeploy.errors import InternalError
from neurodeploy.ops.host.kvcache import KVCache, State, first_visible, oldest_visible
from tests.refusals import refused


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
