"""One group of a `.net` file, read field by field: types and ranges are checked, and what nobody asked for is found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.errors import ModelError
from neurodeploy.frontends.hdf5_guard import AGAIN, Dataset, Group, read_array, read_text
from neurodeploy.ir.fixedpoint import Ints

#: Neurons of one layer: 16 chips of a million (Loihi 2 has 1 M neurons a chip).
LAYER_LIMIT = 1 << 24
SIDE_LIMIT = 1 << 20
#: Numbers in one dataset, and synapses written out of one kernel: as many as a chip of Loihi 2 has memory for.
VALUES_LIMIT = 1 << 26
INT32_MAX = 2**31 - 1


@dataclass(slots=True)
class Notes:
    """What people must know: `repairs` changed values, `ignored` fields without effect, `host` work that remains.

    `transforms` has the part of `host` that `write_net` needs, in numbers: population -> {"weight": w, "bias": b}.
    """

    repairs: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    host: list[str] = field(default_factory=list)
    transforms: dict[str, dict[str, int]] = field(default_factory=dict)


def whole(data: Dataset) -> Ints:
    """The numbers of a dataset as int64. ND1288 for NaN, infinity, fractions and what exceeds 32 bits; ND1281."""
    array = read_array(data)
    if array.size > VALUES_LIMIT:
        raise ModelError("ND1281", data.subject, f"has {array.size} values, at most {VALUES_LIMIT} are read", AGAIN)
    if array.dtype.kind in "bi":
        array = array.astype(np.int64)
    flat = array.reshape(-1)
    for begin in range(0, flat.size, 1 << 20):
        part = flat[begin : begin + (1 << 20)]
        with np.errstate(invalid="ignore"):
            good = (np.abs(part) <= INT32_MAX) & (np.trunc(part) == part)
        if not good.all():
            at = begin + int(np.argmin(good))
            problem = f"holds {flat[at]} at position {at}; integers of at most 31 bits are needed"
            raise ModelError("ND1288", data.subject, problem, "export it with slayer's 8-bit quantisation")
    return array.astype(np.int64, copy=False)


class Fields:
    """A group whose fields are taken one by one; `left` names those that nobody took."""

    def __init__(self, group: Group, where: str) -> None:
        self.group, self.where = group, where
        #: For notes, which need no path.
        self.layer = where.rpartition(":/")[2].replace("/", " ")
        self.taken: set[str] = set()

    def has(self, name: str) -> bool:
        return name in self.group

    def take(self, name: str) -> Dataset:
        """The dataset of a name (a path: "weight/real"). Raises ND1283."""
        self.taken.add(name)
        return self.group.dataset(name)

    def text(self, name: str) -> str:
        return read_text(self.take(name))

    def ints(self, name: str, low: int = -INT32_MAX, high: int = INT32_MAX) -> Ints:
        """Integers of any shape within a range. Raises ND1283, ND1288."""
        data = self.take(name)
        values = whole(data)
        if values.size and (int(values.min()) < low or int(values.max()) > high):
            raise data.wrong(f"has {values.min()}..{values.max()}, {low}..{high} is possible")
        return values

    def integer(self, name: str, low: int, high: int) -> int:
        """One integer: () or one element. Raises ND1283, ND1288."""
        values = self.ints(name, low, high)
        if values.size != 1:
            raise self.group.dataset(name).wrong(f"has shape {values.shape}, one number is needed")
        return int(values.reshape(-1)[0])

    def flag(self, name: str) -> bool:
        """A truth value, False where the field is not there."""
        return bool(self.integer(name, 0, 1)) if self.has(name) else False

    def pair(self, name: str, low: int) -> tuple[int, int]:
        """(x, y) of a field that the file has as (height, width) or as one number for both."""
        values = self.ints(name, low, SIDE_LIMIT)
        if values.size not in (1, 2) or values.ndim > 1:
            raise self.group.dataset(name).wrong(f"has shape {values.shape}, one number or two are needed")
        flat = values.reshape(-1)
        return int(flat[-1]), int(flat[0])

    def shape(self) -> tuple[int, ...]:
        """``shape`` reversed: (channel, y, x) in the file, (x, y, channel) here. ND1281 above `LAYER_LIMIT` neurons."""
        values = self.ints("shape", 1, LAYER_LIMIT)
        if values.ndim != 1 or not 1 <= values.size <= 3:
            raise self.group.dataset("shape").wrong(f"has shape {values.shape}, one to three sides are needed")
        sides = tuple(int(side) for side in values[::-1])
        if math.prod(sides) > LAYER_LIMIT:
            problem = f"has {math.prod(sides)} neurons, at most {LAYER_LIMIT} are read"
            raise ModelError("ND1281", self.where, problem, AGAIN)
        return sides

    def left(self) -> list[str]:
        """Fields, as paths, and attributes that nobody took."""
        return sorted(set(_paths(self.group, "")) - self.taken)

    def wrong(self, problem: str, fix: str = AGAIN) -> ModelError:
        """ND1286 for this layer."""
        return ModelError("ND1286", self.where, problem, fix)

    def same(self, name: str, expected: int | tuple[int, ...]) -> None:
        """ND1286 where a field that repeats what others say differs from them."""
        if not self.has(name):
            return
        values = tuple(int(v) for v in self.ints(name).reshape(-1))
        wanted = (expected,) if isinstance(expected, int) else expected
        if values != wanted:
            raise self.wrong(f"says {name} = {list(values)}, its other fields mean {list(wanted)}")


def _paths(group: Group, prefix: str) -> list[str]:
    nested = (
        _paths(item, f"{prefix}{name}/") if isinstance(item, Group) else [f"{prefix}{name}"]
        for name, item in group.items.items()
    )
    return [path for paths in nested for path in paths]


def per_neuron(values: Ints, shape: tuple[int, ...], data: Dataset) -> int | Ints:
    """A parameter given once, by channel or by neuron (in the file's (channel, y, x)) as `Population` takes it.

    netx passes arrays by channel on as they are; slayer means channels, so they are repeated over the pixels.
    """
    size = int(np.prod(shape))
    if values.size == 1:
        return int(values.reshape(-1)[0])
    if values.size == shape[-1] and max(values.shape) == values.size:
        full: Ints = np.ascontiguousarray(np.broadcast_to(values.reshape(-1), shape)).reshape(-1)
    elif values.size == size and values.shape == shape[::-1]:
        full = np.ascontiguousarray(values.transpose()).reshape(-1)
    else:
        raise data.wrong(
            f"has shape {values.shape}, which is neither one value, a channel's, nor a neuron's of {shape}"
        )
    return int(full[0]) if bool((full == full[0]).all()) else full
