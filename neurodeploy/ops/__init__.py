"""The host operations: every module here is one, and says all that anyone asks about it in its `OPERATION`.

A file states the equation with its source, the float kernels, the work, the attributes with their checks, the sizes,
rows and tensors that fit, and the reason why the chip does not do it. The table below is made of the files, so that an
operation is added by its file alone. `host` holds what they share, and the executor that runs them.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pkgutil import iter_modules

from neurodeploy.errors import InternalError
from neurodeploy.ir.graph import HostOp
from neurodeploy.ops.host.operation import Operation


def read_table() -> dict[str, Operation]:
    """Every operation by name, which is that of its file."""
    names = [file.name for file in iter_modules(__path__) if not file.ispkg]
    return {name: import_module(f"{__name__}.{name}").OPERATION for name in names}


#: The host operations: what is not here does not exist.
OPERATIONS = read_table()


def lookup(op: HostOp) -> Operation:
    """The row of an operation; ND9103 where there is none."""
    try:
        return OPERATIONS[op.op]
    except KeyError:
        raise InternalError("ND9103", op.path, f"there is no host operation {op.op!r}") from None


def problem(op: HostOp) -> str:
    """What is wrong with an operation's name or attributes; "" where nothing is."""
    return OPERATIONS[op.op].problem(op) if op.op in OPERATIONS else f"unknown host operation {op.op!r:.40}"


def check_operations(ops: Iterable[object]) -> None:
    """ND9001 for a host operation of a graph that is not in the table or lacks an attribute."""
    for op in ops:
        if isinstance(op, HostOp) and (wrong := problem(op)):
            raise InternalError("ND9001", op.path, wrong, "the frontend built an inconsistent graph")


def experts_of(ops: Iterable[object]) -> tuple[dict[int | None, int], dict[int | None, int]]:
    """By layer: how many experts it has, and how many of them a token is given to."""
    hosts = [op for op in ops if isinstance(op, HostOp)]
    dealt = {op.layer: len(op.outputs) for op in hosts if set(lookup(op).experts(op)) & set(op.outputs)}
    return dealt, {op.layer: int(str(op.attrs["top_k"])) for op in hosts if "top_k" in op.attrs}
