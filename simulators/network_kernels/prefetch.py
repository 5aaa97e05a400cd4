"""The processor's prefetch instruction: begin to load an element that a loop will need some hundred nanoseconds later.

The synapses of an axon that fires now and then are in no cache, and axons do not follow one another in memory, so
that the processor cannot guess what comes next; the list of events says it. A prefetch changes no value.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from simulators.network_kernels.jit import jit

#: Events to look ahead, and elements of a cache line of 64 bytes at 1 and 2 bytes each.
AHEAD, BYTES, PAIRS = 4, 64, 32


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(context: Any, array: Any, place: Any) -> Any:
    """``prefetch(array, place)``: the cache line of that element of a one-dimensional array, for reading."""
    signature = types.void(array, place)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = arrayobj.make_array(signature.args[0])(context, builder, arguments[0]).data
        index = context.cast(builder, arguments[1], signature.args[1], types.intp)
        pointer = builder.bitcast(builder.gep(data, [index]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        name = "llvm.prefetch.p0" if getattr(pointer.type, "is_opaque", False) else "llvm.prefetch.p0i8"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [pointer, number(0), number(3), number(1)])  # read, keep, data
        return context.get_dummy_value()

    return signature, generate


@jit
def prefetch_axon(begin: int, end: int, target: Any, weight: Any) -> None:
    """Both lists of synapses begin..end of an axon."""
    for k in range(begin, end, PAIRS):
        prefetch(target, k)
    for k in range(begin, end, BYTES):
        prefetch(weight, k)
