"""Which exact product is the fastest here: each is tried on extreme values and timed, once for each processor.

A *shape class* is (few or many rows of payloads, bits of a payload): few rows are bound by memory, many by arithmetic,
and a product that takes 8 bits at a time needs two passes for 16. Times are processor time of one thread, so that a busy
machine changes them little; they are kept in the cache folder under a key of the processor, its instructions as they are
limited, and the versions of the libraries. A file that cannot be read or written costs a measurement, nothing else: times
choose among products that have been tried for exactness in this process, so no file can change a bit of a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.machine import instructions
from simulators.products import kept, libraries, pairs
from simulators.products.kept import Speeds

#: (rows, neurons, columns) of the two samples: a megabyte of weights read once; arithmetic that stays in the caches.
SAMPLES: Mapping[str, tuple[int, int, int]] = {"few": (1, 1024, 1024), "many": (64, 256, 512)}
#: Runs of a sample of which the fastest counts; a product this many times slower than the best is not run again.
RUNS, HOPELESS = 4, 3.0
#: The time of a product that is not exact, longer than any. It is tried again before it is ever taken.
NEVER = 1e12


@dataclass(frozen=True, slots=True)
class Product:
    """A way to multiply: ``multiply(x, weight, out)`` as `pairs.multiply`, x of type `digit`, weights of int8."""

    name: str
    digit: type[np.int8] | type[np.int16]
    multiply: Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], None]
    needs_torch: bool = False
    what: str = ""

    @property
    def passes(self) -> int:
        """How often it runs for 16-bit payloads."""
        return 2 // np.dtype(self.digit).itemsize

    def sums(self, bound: int) -> type[np.int32] | type[np.int64]:
        """What holds sums of which no terms' magnitudes add up to more than `bound`; of 8 bits by 8, fewer than 2**17."""
        return np.int32 if bound < 2**31 or self.digit is np.int8 else np.int64

    def __call__(self, x: NDArray[Any], weight: NDArray[Any], bound: int) -> NDArray[Any]:
        """The product in an array of its own."""
        kind = np.dtype(self.sums(bound))
        flat = pairs.room(x.shape[0] * weight.shape[0] * kind.itemsize, pairs.SUMS_PAST)
        out = flat.view(kind).reshape(x.shape[0], weight.shape[0])
        self.multiply(x, weight, out)
        return out

    def usable(self) -> bool:
        """Exact on extreme and on random values in this process."""
        return not (self.needs_torch and not libraries.torch_loaded()) and _is_exact(self)


PRODUCTS: tuple[Product, ...] = (
    Product("int16", np.int16, pairs.multiply, what="16-bit pairs, own kernel"),
    Product("int_mm", np.int8, libraries.int_mm, needs_torch=True, what="8-bit digits, torch._int_mm"),
    Product("float32", np.int8, libraries.float32, what="8-bit digits, float32 in proven slices"),
    Product("float64", np.int16, libraries.float64, what="16 bits, float64"),
)


@lru_cache
def _is_exact(product: Product) -> bool:
    top, columns = np.iinfo(product.digit), 509  # most that 32 bits hold, and odd
    random = np.random.default_rng(0)
    cases: list[tuple[NDArray[Any], NDArray[Any]]] = [
        (np.full((3, columns), x, product.digit), np.full((37, columns), weight, np.int8))
        for x in (top.min, top.max)
        for weight in (-128, 127)
    ]
    mixed = random.integers(top.min, top.max + 1, (9, columns)).astype(product.digit)
    cases.append((mixed, random.integers(-128, 128, (37, columns)).astype(np.int8)))
    bound = columns * 128 * -int(top.min)
    with suppress(RuntimeError, AttributeError):  # a library may lack the routine, or refuse it on this processor
        return all(
            np.array_equal(product(x, weight, bound), x.astype(np.int64) @ weight.T.astype(np.int64))
            for x, weight in cases
        )
    return False


def shape_class(rows: int, bits: int) -> str:
    """ "few-8", "few-16", "many-8" or "many-16"."""
    return f"{'few' if rows < pairs.FEW else 'many'}-{8 if bits <= 8 else 16}"


def choose(rows: int, bits: int, digits_ns: float = 0.0) -> Product:
    """The fastest exact product for so many rows of payloads of so many bits.

    digits_ns : what it takes to split a payload into 8-bit digits, for each multiply-add that follows.
    """
    times = speeds()[shape_class(rows, bits)]
    here = [product for product in PRODUCTS if product.name in times]
    here.sort(key=lambda p: times[p.name] + (digits_ns if bits > 8 and p.passes > 1 else 0.0))
    return next(product for product in here if product.usable())


def nanoseconds(rows: int, bits: int, product: Product | None = None) -> float:
    """Of one multiply-add of payloads of so many bits, on one thread, by the product that is chosen or by another."""
    name = (product or choose(rows, bits)).name
    return speeds()[shape_class(rows, bits)][name]


def speeds() -> Speeds:
    """Nanoseconds of a multiply-add by shape class and product; `NEVER` for one that is not exact here."""
    return _speeds(libraries.torch_loaded())


@lru_cache
def _speeds(with_torch: bool) -> Speeds:
    instructions.chosen()
    here = [p for p in PRODUCTS if with_torch or not p.needs_torch]
    return {kind: kept.measured(kind, [p.name for p in here], partial(_measure, kind, here)) for kind in _classes()}


def _classes() -> list[str]:
    return [f"{size}-{bits}" for size in SAMPLES for bits in (8, 16)]


def _measure(kind: str, products: list[Product]) -> dict[str, float]:
    size, bits = kind.split("-")
    rows, neurons, columns = SAMPLES[size]
    random = np.random.default_rng(0)
    weight = random.integers(-127, 128, (neurons, columns)).astype(np.int8)
    work = rows * neurons * columns
    found: dict[str, float] = {}
    with _one_thread():
        for product in products:
            passes = product.passes if bits == "16" else 1
            x = random.integers(-127, 128, (passes * rows, columns)).astype(product.digit)
            out = pairs.room(4 * len(x) * neurons, pairs.SUMS_PAST).view(np.int32).reshape(len(x), neurons)
            best = NEVER
            for _ in range(RUNS if product.usable() else 0):
                best = min(best, kept.thread_ns(partial(product.multiply, x, weight, out)) / work)
                if best > HOPELESS * min(found.values(), default=NEVER):
                    break
            found[product.name] = best
    return found


@contextmanager
def _one_thread() -> Any:
    if not libraries.torch_loaded():
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def report() -> dict[str, Any]:
    """What `doctor` shows: instructions, each product with 10^9 multiply-adds a second of one thread, the choice."""
    found = speeds()
    return {
        "instructions": instructions.chosen() or "all of the processor",
        "integer_products": {p.name: {"is": p.what, "exact": p.usable(), **_rates(p, found)} for p in PRODUCTS},
        "fastest_product": {kind: _of_class(kind).name for kind in found},
    }


def _rates(product: Product, found: Speeds) -> dict[str, float]:
    times = {kind: ns[product.name] for kind, ns in found.items() if ns.get(product.name, NEVER) < NEVER}
    return {f"{kind} GMAC/s": round(1 / ns, 1) for kind, ns in times.items()}


def _of_class(kind: str) -> Product:
    size, bits = kind.split("-")
    return choose(SAMPLES[size][0], int(bits))
