"""The keys and values that one attention operation has seen, and the `State` of one sequence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neurodeploy.errors import InternalError
from neurodeploy.ir.run import RunState
from neurodeploy.machine.jit import jit

if TYPE_CHECKING:
    from torch import Tensor

#: Columns that a growing cache adds at least, so that decoding does not copy it at every token.
GROWTH = 64


def oldest_visible(position: int, window: int | None, chunk: int | None) -> int:
    """First key that the query at `position` may see: all of them, the last `window`, or those of its own chunk."""
    first = 0
    if window:
        first = max(first, position - window + 1)
    if chunk:
        first = max(first, position - position % chunk)
    return first


#: The same for kernels; a window or a chunk of 0 is none.
first_visible = jit(oldest_visible)


@jit
def store(key, value, start, keys, values):  # type: ignore[no-untyped-def]
    """Write key, value (T, kv_heads, D) into the cache arrays from column `start` on. One thread: it is only a copy."""
    tokens, heads, dim = key.shape
    for h in range(heads):
        for t in range(tokens):
            source, target = value[t, h], values[h, start + t]
            for d in range(dim):
                target[d] = source[d]
        for d in range(dim):
            row = keys[h, d, start : start + tokens]
            for t in range(tokens):
                row[t] = key[t, h, d]


class KVCache:
    """float32 keys (kv_heads, head_dim, capacity), values (kv_heads, capacity, head_dim); column 0 is position `base`.

    It grows by doubling. Where a window or a chunk bounds what later queries can see, older columns are dropped when
    room runs out, so that the memory is bounded by the window, the chunk and the longest call.
    """

    def __init__(
        self, kv_heads: int, head_dim: int, window: int | None = None, chunk: int | None = None, device: str = "cpu"
    ) -> None:
        import torch

        self.window, self.chunk = window, chunk
        self.base = 0
        self.length = 0
        self.key = torch.zeros((kv_heads, head_dim, 0), dtype=torch.float32, device=device)
        self.value = torch.zeros((kv_heads, 0, head_dim), dtype=torch.float32, device=device)

    @property
    def position(self) -> int:
        """The position that comes next."""
        return self.base + self.length

    def append(self, key: Tensor, value: Tensor) -> None:
        """Add the keys and values of T tokens, each (T, kv_heads * head_dim)."""
        tokens = key.shape[0]
        self._make_room(tokens)
        heads, dim, _ = self.key.shape
        end = self.length + tokens
        key, value = key.reshape(tokens, heads, dim), value.reshape(tokens, heads, dim)
        if self.key.device.type == "cpu" and not key.requires_grad:
            store(key.numpy(), value.numpy(), self.length, self.key.numpy(), self.value.numpy())
        else:
            self.key[:, :, self.length : end] = key.permute(1, 2, 0)
            self.value[:, self.length : end] = value.permute(1, 0, 2)
        self.length = end

    def _make_room(self, tokens: int) -> None:
        capacity = self.key.shape[2]
        if self.length + tokens <= capacity:
            return
        drop = min(max(oldest_visible(self.position, self.window, self.chunk) - self.base, 0), self.length)
        kept = self.length - drop
        needed = kept + tokens
        if 2 * needed > capacity or capacity == 0:
            grown = needed if self.length == 0 else max(2 * needed, needed + GROWTH)
        else:
            grown = capacity
        heads, dim, _ = self.key.shape
        new_key, new_value = self.key.new_empty((heads, dim, grown)), self.value.new_empty((heads, grown, dim))
        if kept:
            new_key[:, :, :kept] = self.key[:, :, drop : self.length]
            new_value[:, :kept] = self.value[:, drop : self.length]
        self.key, self.value, self.base, self.length = new_key, new_value, self.base + drop, kept


@dataclass(slots=True, eq=False)
class State:
    """One sequence on its way through an executor: the next position, each attention operation's cache by path, and what
    populations on the chip carry from tick to tick, if any do."""

    position: int = 0
    caches: dict[str, KVCache] = field(default_factory=dict)
    chip: RunState | None = None

    def cache(
        self, path: str, kv_heads: int, head_dim: int, window: int | None, chunk: int | None, device: str
    ) -> KVCache:
        """The cache of one attention operation, made when first asked for. It must be at the state's position."""
        if path not in self.caches:
            self.caches[path] = KVCache(kv_heads, head_dim, window, chunk, device)
        found = self.caches[path]
        if found.position != self.position:
            raise InternalError(
                "ND9101",
                path,
                f"cache is at position {found.position}, the sequence at {self.position}",
                "run every operation once for each call of `forward`",
            )
        return found
