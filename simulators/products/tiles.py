"""Tiles of an integer matrix product, as vectors of pairs: what numba's loops do not keep in registers by themselves.

A tile is M rows of the left matrix times `PANEL` rows of the right one, both along their columns::

    out[x + r, y + c] (+)= sum_k a[i + r, ka + k] * b[j + c, kb + k]        k < steps * width()

Each of the ``M * PANEL`` sums is a vector of 32-bit lanes. One instruction multiplies 16-bit numbers and adds the products
in pairs (x86: pmaddwd, with VNNI fused with the addition); elsewhere widening multiply-adds, which LLVM has on every
processor. Each of the lanes adds ``1 / lanes`` of the columns, in two's complement; at the end they are added as 32-bit or
as 64-bit numbers, as `out` has them. 64-bit sums are exact while no lane leaves 32 bits; 32-bit sums while the sum itself
does not.

What is generated depends on the processor's features as numba was told them alone, which are part of the key under which
numba keeps compiled code.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

#: Rows of the right matrix in a tile: eight sums, one vector of the left and one product fit 16 registers.
PANEL = 8
#: Rows and columns of a tile of `spread`: eight sums of 256 bits, too.
ROWS, SPREAD = 4, 16
#: Columns of the left matrix come in multiples of this: the longest vector of 16-bit numbers.
WIDEST = 32

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))


def _pair_instruction(codegen: Any) -> tuple[int, str]:
    """(lanes, name of LLVM's intrinsic for sums of pairs, "" where there is none) of the processor that is compiled for."""
    features = set(str(getattr(codegen, "_tm_features", "")).split(","))
    if "x86_64" not in str(getattr(codegen, "_llvm_module", codegen).triple):
        return 4, ""
    if "+avx512bw" in features:
        return 16, "llvm.x86.avx512.pmaddw.d.512"
    return (8, "llvm.x86.avx2.pmadd.wd") if "+avx2" in features else (4, "llvm.x86.sse2.pmadd.wd")


def lanes() -> int:
    """How many 32-bit lanes a sum has on this processor."""
    from numba.core.registry import cpu_target

    return _pair_instruction(cpu_target.target_context.codegen())[0]


@intrinsic  # type: ignore[untyped-decorator]
def width(context: Any) -> Any:
    """``width()``: columns of one step, a constant to the compiler."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _I64(2 * _pair_instruction(context.codegen())[0])

    return types.int64(), generate


def _shuffle(builder: Any, u: Any, v: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(u, v, ir.Constant(ir.VectorType(_I32, len(order)), order))


def _half(builder: Any, v: Any, half: int) -> Any:
    count = v.type.count // 2
    return _shuffle(builder, v, v, list(range(half * count, (half + 1) * count)))


def _every_other(builder: Any, v: Any, first: int) -> Any:
    return _shuffle(builder, v, v, list(range(first, v.type.count, 2)))


def _multiply_add(builder: Any, name: str, sums: Any, a: Any, b: Any, parted: Any = _half) -> Any:
    """``sums + (products of a and b, added in pairs)``: neighbours by the instruction, elsewhere as `parted` takes them."""
    if name:
        kind = ir.FunctionType(sums.type, [a.type, b.type])
        return builder.add(sums, builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b]))
    for half in (0, 1):
        left, right = (builder.sext(parted(builder, v, half), sums.type) for v in (a, b))
        sums = builder.add(sums, builder.mul(left, right))
    return sums


def _pairs(builder: Any, u: Any, v: Any) -> Any:
    """Neighbouring lanes added: (u0 + u1, u2 + u3, v0 + v1, v2 + v3)."""
    return builder.add(_shuffle(builder, u, v, [0, 2, 4, 6]), _shuffle(builder, u, v, [1, 3, 5, 7]))


def _totals(builder: Any, sums: list[Any], kind: Any) -> list[Any]:
    """The lanes of each sum added up, as vectors of four totals of that kind."""
    four = []
    for v in sums:
        if kind.width > 32:
            v = builder.sext(v, ir.VectorType(kind, v.type.count))
        while v.type.count > 4:
            v = builder.add(_half(builder, v, 0), _half(builder, v, 1))
        four.append(v)
    twos = [_pairs(builder, four[n], four[n + 1]) for n in range(0, len(four), 2)]
    return [_pairs(builder, twos[n], twos[n + 1]) for n in range(0, len(twos), 2)]


class _Rows:
    """Addresses of consecutive rows of a two-dimensional array whose last axis is contiguous."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any, row: Any, column: Any, count: int) -> None:
        made = arrayobj.make_array(kind)(context, builder, array)
        self.builder, self.item = builder, kind.dtype.bitwidth // 8
        stride = cgutils.unpack_tuple(builder, made.strides)[0]
        at = builder.add(builder.ptrtoint(made.data, _I64), builder.mul(row, stride))
        at = builder.add(at, builder.mul(column, _I64(self.item)))
        self.starts = [at]
        for _ in range(count - 1):
            at = builder.add(at, stride)
            self.starts.append(at)

    def pointer(self, row: int, offset: Any, kind: Any) -> Any:
        """To a vector of that kind, `offset` elements into a row."""
        at = self.builder.add(self.starts[row], self.builder.mul(offset, _I64(self.item)))
        return self.builder.inttoptr(at, kind.as_pointer())

    def load(self, row: int, offset: Any, kind: Any) -> Any:
        return self.builder.load(self.pointer(row, offset, kind), align=self.item)


def _loop(builder: Any, name: str, lanes: int, steps: Any, a: _Rows, b: _Rows) -> list[list[Any]]:
    """The sums over `steps` steps, by row of a and of b; `steps` is at least one."""
    numbers = ir.VectorType(_I16, 2 * lanes)
    zero = ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes)
    read = ir.VectorType(ir.IntType(8 * b.item), 2 * lanes)
    before, body, after = builder.block, builder.append_basic_block("tile"), builder.append_basic_block("tiled")
    builder.branch(body)
    builder.position_at_end(body)
    step = builder.phi(_I64)
    step.add_incoming(_I64(0), before)
    sums = [[builder.phi(zero.type) for _ in b.starts] for _ in a.starts]
    at = builder.mul(step, _I64(2 * lanes))
    left = [a.load(r, at, numbers) for r in range(len(a.starts))]
    found: list[list[Any]] = [[] for _ in a.starts]
    for c in range(len(b.starts)):
        right = b.load(c, at, read)
        if b.item == 1:
            right = builder.sext(right, numbers)
        for r, row in enumerate(left):
            found[r].append(_multiply_add(builder, name, sums[r][c], row, right))
    _again(builder, step, steps, sums, found, zero, (before, body, after))
    return found


def _again(builder: Any, step: Any, steps: Any, sums: Any, found: Any, zero: Any, blocks: tuple[Any, Any, Any]) -> None:
    """The end of a loop whose sums begin at zero and are what was `found`; goes on after the last step. blocks : before the
    loop, its body, after it."""
    before, body, after = blocks
    following = builder.add(step, _I64(1))
    step.add_incoming(following, body)
    for phis, values in zip(sums, found, strict=True):
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(zero, before)
            phi.add_incoming(value, body)
    builder.cbranch(builder.icmp_signed("<", following, steps), body, after)
    builder.position_at_end(after)


def _tile(rows: int) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def tile(
        typing: Any, a: Any, i: Any, ka: Any, b: Any, j: Any, kb: Any, steps: Any, fresh: Any, out: Any, x: Any, y: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            lanes, name = _pair_instruction(context.codegen())

            def whole(n: int) -> Any:
                return context.cast(builder, arguments[n], kinds[n], types.intp)

            def at(n: int, count: int) -> _Rows:
                return _Rows(context, builder, kinds[n], arguments[n], whole(n + 1), whole(n + 2), count)

            sums = _loop(builder, name, lanes, whole(6), at(0, rows), at(3, PANEL))
            to, kind = at(8, rows), ir.IntType(kinds[8].dtype.bitwidth)
            is_fresh = context.cast(builder, arguments[7], kinds[7], types.boolean)
            for row in range(rows):
                totals = _totals(builder, sums[row], kind)
                pointers = [to.pointer(row, _I64(4 * n), total.type) for n, total in enumerate(totals)]
                with builder.if_else(is_fresh) as (first, later):
                    with first:  # nothing is read of what is in no cache yet
                        for total, pointer in zip(totals, pointers, strict=True):
                            builder.store(total, pointer, align=to.item)
                    with later:
                        for total, pointer in zip(totals, pointers, strict=True):
                            before = builder.load(pointer, align=to.item)
                            builder.store(builder.add(before, total), pointer, align=to.item)
            return context.get_dummy_value()

        return types.void(a, i, ka, b, j, kb, steps, fresh, out, x, y), generate

    return tile


#: Arguments (a, i, ka, b, j, kb, steps, fresh, out, x, y): int16 `a`, int8 or int16 `b`, int32 or int64 `out`, all with two
#: axes, the last contiguous; ``steps >= 1``; `fresh` writes sums, otherwise they are added to what `out` has.
one_row, two_rows = _tile(1), _tile(2)


@intrinsic  # type: ignore[untyped-decorator]
def spread(typing: Any, a: Any, i: Any, ka: Any, b: Any, at: Any, stride: Any, steps: Any, out: Any, y: Any) -> Any:
    """``out[i + r, y + c] = sum over k and of n = 0, 1 of a[i + r, ka + 2 k + n] * b[at + k stride + 2 c + n]``.

    r < `ROWS`, c < `SPREAD`, k < steps, which is at least one. `a` (int16) and `out` (int32) have two axes, the last
    contiguous; `b` (int16) has one. Pairs of `b` lie side by side for the sums that read them, so that nothing is added
    across lanes. 32-bit sums are exact while the sum itself does not leave them, however its parts do.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        lanes, name = _pair_instruction(context.codegen())
        i, ka, at, stride, steps, y = (
            context.cast(builder, arguments[n], kinds[n], types.intp) for n in (1, 2, 4, 5, 6, 8)
        )
        left = _Rows(context, builder, kinds[0], arguments[0], i, ka, ROWS)
        to = _Rows(context, builder, kinds[7], arguments[7], i, y, ROWS)
        data = builder.ptrtoint(arrayobj.make_array(kinds[3])(context, builder, arguments[3]).data, _I64)
        vectors, numbers = SPREAD // lanes, ir.VectorType(_I16, 2 * lanes)
        zero = ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes)
        before, body, after = builder.block, builder.append_basic_block("spread"), builder.append_basic_block("done")
        builder.branch(body)
        builder.position_at_end(body)
        step = builder.phi(_I64)
        step.add_incoming(_I64(0), before)
        sums = [[builder.phi(zero.type) for _ in range(vectors)] for _ in range(ROWS)]
        place = builder.add(data, builder.mul(builder.add(at, builder.mul(step, stride)), _I64(2)))
        right = []
        for n in range(vectors):
            pointer = builder.inttoptr(builder.add(place, _I64(4 * lanes * n)), numbers.as_pointer())
            right.append(builder.load(pointer, align=2))
        found: list[list[Any]] = []
        for r in range(ROWS):
            pair = builder.load(left.pointer(r, builder.mul(step, _I64(2)), _I32), align=2)
            single = builder.insert_element(ir.Constant(zero.type, ir.Undefined), pair, _I32(0))
            every = builder.bitcast(_shuffle(builder, single, single, [0] * lanes), numbers)
            found.append(
                [_multiply_add(builder, name, sums[r][n], every, v, _every_other) for n, v in enumerate(right)]
            )
        _again(builder, step, steps, sums, found, zero, (before, body, after))
        for r in range(ROWS):
            for n in range(vectors):
                builder.store(found[r][n], to.pointer(r, _I64(n * lanes), zero.type), align=4)
        return context.get_dummy_value()

    return types.void(a, i, ka, b, at, stride, steps, out, y), generate
