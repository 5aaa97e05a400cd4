"""`Dense`, `Sparse` and `Conv` from arrays, and the kernel layouts of others.

A frontend checks a user's file first; what still does not fit here is ND9013.

Layouts of a kernel (all with groups; spatial shapes are (x, y) here, (height, width) = (y, x) in torch)::

    here            (out, kx, ky, in / groups)     cross-correlation
    Lava            (out, kx, ky, in / groups)     true convolution: both spatial axes flipped (`from_lava_kernel`)
    torch           (out, in / groups, ky, kx)     cross-correlation (`from_torch_kernel`)
    torch, transp.  (in, out / groups, ky, kx)     input pixel * stride - padding + tap * dilation, as here

Lava flips because it computes with `scipy.signal.convolve2d` (lava-nc 0.10.0 ``proc/conv/utils.py: conv_scipy``; its
torch branch flips the kernel before `conv2d`). So netx and everybody who brings weights from torch flips them on the way
in; a Lava kernel is flipped back here. Flipping twice is the identity, dilation and stride do not matter.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.network import Projection
from neurodeploy.ir.packed import NARROW_ROWS, pack
from neurodeploy.synapses.conv import Conv
from neurodeploy.synapses.dense import Dense
from neurodeploy.synapses.sparse import Sparse
from neurodeploy.synapses.weights import smallest_type

Pair = tuple[int, int]
#: Targets of so many synapses and more are packed. What is smaller stays in the processor's caches, where arrays are faster.
PACKED_SYNAPSES = 1 << 20


def integers(weight: NDArray[Any], name: str = "weight") -> NDArray[np.signedinteger]:
    """`weight` in the narrowest of int8, int16, int32; ND9013 for real numbers or larger ones."""
    given: NDArray[Any] = np.asarray(weight)
    if given.dtype.kind not in "iub":
        raise InternalError("ND9013", name, f"is of type {given.dtype}, not integers")
    narrow: NDArray[np.signedinteger] = given.astype(smallest_type(given))
    return narrow


def dense(weight: NDArray[Any]) -> Dense:
    """A `Dense` of (targets, sources), narrow and ordered by axon."""
    if np.ndim(weight) != 2:
        raise InternalError("ND9013", "dense weights", f"have {np.ndim(weight)} axes, not 2")
    return Dense(np.asfortranarray(integers(weight)))


def synapse_order(row: NDArray[Any], column: NDArray[Any]) -> NDArray[np.intp]:
    """The order in which `sparse_from_coo` keeps synapses: give delays the same."""
    return np.lexsort((row, column))


def sparse_from_coo(rows: int, columns: int, row: NDArray[Any], column: NDArray[Any], weight: NDArray[Any]) -> Sparse:
    """A `Sparse` of synapses ``column[n] -> row[n]``, sorted by axon and target; weights of zero are kept."""
    row, column, weight = np.asarray(row), np.asarray(column), integers(weight)
    if not row.shape == column.shape == weight.shape == (row.size,):
        raise InternalError("ND9013", "synapses", f"have shapes {row.shape}, {column.shape}, {weight.shape}")
    for name, index, end in (("target", row, rows), ("source", column, columns)):
        if index.size and (index.dtype.kind not in "iu" or int(index.min()) < 0 or int(index.max()) >= end):
            raise InternalError("ND9013", "synapses", f"have a {name} that is not in 0..{end - 1}")
    order = synapse_order(row, column)
    row, column = row[order], column[order]
    if bool(((np.diff(row) == 0) & (np.diff(column) == 0)).any()):
        raise InternalError("ND9013", "synapses", "name a target twice under one axon")
    indptr = np.zeros(columns + 1, np.int64)
    np.cumsum(np.bincount(column.astype(np.int64), minlength=columns), out=indptr[1:])
    return sparse(rows, indptr, row, weight[order])


def listed(p: Projection) -> Projection:
    """The same projection with its synapses one by one."""
    coo = p.synapse.coo()
    synapse = sparse_from_coo(p.synapse.rows, p.synapse.columns, *coo[:3])
    return replace(p, synapse=synapse, delay=p.delay if p.delay_by != "synapse" else p.delays_of(coo).astype(np.uint8))


def sparse(rows: int, indptr: NDArray[Any], target: NDArray[Any], weight: NDArray[Any]) -> Sparse:
    """A `Sparse` of synapses by axon, targets ascending (not looked at here); many targets are packed."""
    columns, narrow = len(indptr) - 1, integers(weight)
    if narrow.size < PACKED_SYNAPSES:
        return Sparse(rows, columns, indptr, target.astype(np.uint16 if rows <= NARROW_ROWS else np.int32), narrow)
    short = np.asarray(indptr, np.uint32 if narrow.size < 2**32 else np.int64)
    return Sparse(rows, columns, short, pack(rows, short, target), narrow)


def conv(
    weight: NDArray[Any],
    input_shape: tuple[int, int, int],
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    *,
    transposed: bool = False,
    output_padding: Pair = (0, 0),
) -> Conv:
    """A `Conv` of checked geometry (`Conv.problem`)."""
    made = Conv(integers(weight), input_shape, stride, padding, dilation, groups, transposed, output_padding)
    if problem := made.problem():
        raise InternalError("ND9013", "convolution", problem)
    return made


def from_lava_kernel(weight: NDArray[Any]) -> NDArray[Any]:
    """Lava's kernel (out, kx, ky, in / groups), a true convolution, as the cross-correlation that `Conv` means."""
    return np.ascontiguousarray(np.asarray(weight)[:, ::-1, ::-1, :])


def to_lava_kernel(weight: NDArray[Any]) -> NDArray[Any]:
    """The kernel of a `Conv` as Lava's `Conv` process takes it (int32)."""
    return from_lava_kernel(weight).astype(np.int32)


def from_torch_kernel(weight: NDArray[Any]) -> NDArray[Any]:
    """torch's `conv2d` kernel (out, in / groups, ky, kx), also NIR's `Conv2d`, as (out, kx, ky, in / groups)."""
    return np.ascontiguousarray(np.asarray(weight).transpose(0, 3, 2, 1))


def from_torch_transposed_kernel(weight: NDArray[Any], groups: int = 1) -> NDArray[Any]:
    """torch's `conv_transpose2d` kernel (in, out / groups, ky, kx) as (out, kx, ky, in / groups)."""
    given = np.asarray(weight)
    inputs, per_group, height, width = given.shape
    split = given.reshape(groups, inputs // groups, per_group, height, width)
    return np.ascontiguousarray(split.transpose(0, 2, 4, 3, 1).reshape(groups * per_group, width, height, -1))
