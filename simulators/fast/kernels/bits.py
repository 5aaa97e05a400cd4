"""Processor instructions that numba has no name for, of which decoding a bit stream is made. None changes a value."""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj


def _pointer(context: Any, builder: Any, array: Any, kind: Any, place: Any, place_kind: Any, to: Any) -> Any:
    data = arrayobj.make_array(kind)(context, builder, array).data
    index = context.cast(builder, place, place_kind, types.intp)
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(context: Any, array: Any, place: Any) -> Any:
    """``prefetch(array, place)``: begin to load the cache line of that element of a one-dimensional array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        pointer = _pointer(context, builder, arguments[0], kinds[0], arguments[1], kinds[1], ir.IntType(8))
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        name = "llvm.prefetch.p0" if getattr(pointer.type, "is_opaque", False) else "llvm.prefetch.p0i8"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [pointer, number(0), number(3), number(1)])  # read, keep, data
        return context.get_dummy_value()

    return types.void(array, place), generate


@intrinsic  # type: ignore[untyped-decorator]
def load64(context: Any, array: Any, place: Any) -> Any:
    """``load64(array, place)``: the eight bytes of a uint8 array from `place` on, wherever that is, as a uint64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        return builder.load(
            _pointer(context, builder, arguments[0], kinds[0], arguments[1], kinds[1], ir.IntType(64)), align=1
        )

    return types.uint64(array, place), generate


@intrinsic  # type: ignore[untyped-decorator]
def zeros_below(context: Any, x: Any) -> Any:
    """``zeros_below(x)``: the place of the lowest one of a uint64 that is not zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def ones(context: Any, x: Any) -> Any:
    """``ones(x)``: how many bits of a uint64 are one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate
