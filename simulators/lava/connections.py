"""Which Lava process a projection is, and its weights as that process wants them.

Lava's own: `Dense`, `Sparse`, `DelayDense`, `DelaySparse`, `Conv`. They clip and cut weights in their first step
(`neurodeploy.synapses.weights`); a `Network` holds weights to which that was done, so it must change nothing: ND4104
where it would. What Lava has no process for (the reasons of `refused`) runs as our own synapse on its runtime.

Source: lava-nc 0.10.0 `lava/proc/dense`, `sparse`, `conv`, `lava/utils/weightutils.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import UserError
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.synapse import Coo, Synapse
from neurodeploy.neurons.registry import is_exact
from neurodeploy.synapses import Conv, Dense, Sparse
from neurodeploy.synapses.build import to_lava_kernel
from neurodeploy.synapses.weights import WEIGHT_BITS, lava_weights

#: Lava's ProcessModel for ``select_tag="fixed_pt"``, by process.
MODELS = {
    "Dense": "PyDenseModelBitAcc",
    "DelayDense": "PyDelayDenseModelBitAcc",
    "Sparse": "PySparseModelBitAcc",
    "DelaySparse": "PyDelaySparseModelBitAcc",
    "Conv": "PyConvModelFixed",
}
#: Bits of a message of graded spikes; any number above 0 means the same to Lava's models on a CPU.
MESSAGE_BITS = 24
#: Lava's Conv keeps kernel size, stride, padding, dilation and groups as int8 and computes with them in int8.
CONV_REACH = 127

NO_EXPONENT = "Lava's Conv ignores weight_exp on a CPU"


class Connection(NamedTuple):
    """process : module and class, "own" for ours. arguments : of its constructor; numpy arrays are sent as they are.

    buffer : the Var that holds what is pending. model : Lava's ProcessModel. reason : why it is ours, "" for Lava's.
    """

    process: str
    arguments: dict[str, Any]
    buffer: str
    model: str
    reason: str = ""


class SparseMatrix(NamedTuple):
    """A scipy csr matrix in three arrays."""

    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    shape: tuple[int, int]


def connection(p: Projection, chip: bool = False) -> Connection:
    """The Lava process of a projection that is not direct. ND4104 where its format contradicts its weights.

    chip : whether Lava's Conv is given exponents, which its process documents (``weight * pow(2, weight_exp)``) and its
        models for a CPU ignore.
    """
    reason = refused(p, chip)
    if reason:
        return _own(p, reason)
    made = PROCESSES[type(p.synapse)].made(p)
    if chip and isinstance(p.synapse, Conv) and p.weight_exp:
        return made._replace(arguments=made.arguments | {"weight_exp": p.weight_exp})
    return made


def check_foreign(network: Network) -> None:
    """ND4105 for what neither Lava's processes nor ours on its runtime have."""
    for p in network.projections:
        problem = p.beyond_lava or ("leads to a port whose sums never wrap" if is_exact(network, p) else "")
        if problem:
            raise UserError("ND4105", f"projection {p.name}", problem, "run it on fast, reference or partitioned")


def refused(p: Projection, chip: bool = False) -> str:
    """Why none of Lava's own processes computes this projection, "" where one does; `chip` as in `connection`."""
    own = PROCESSES.get(type(p.synapse))
    if own is None:
        return f"Lava has no {p.synapse.kind} synapses"
    reason = own.refused(p)
    return "" if chip and reason == NO_EXPONENT else reason


def _conv(p: Projection) -> Connection:
    s: Any = p.synapse
    arguments = {
        "weight": to_lava_kernel(s.weight),
        "input_shape": list(s.input_shape),
        "padding": list(s.padding),
        "stride": list(s.stride),
        "dilation": list(s.dilation),
        "groups": s.groups,
        "num_message_bits": MESSAGE_BITS if p.graded else 0,
    }
    return Connection("lava.proc.conv.process:Conv", arguments, "a_buf", MODELS["Conv"])


def _no_conv(p: Projection) -> str:
    s: Any = p.synapse
    if s.transposed:
        return "Lava has no transposed convolution"
    if p.depth > 1:
        return "Lava's Conv has no delays"
    spans = [(k - 1) * d + 1 for k, d in zip(s.weight.shape[1:3], s.dilation, strict=True)]
    numbers = (*s.stride, *spans, s.groups, *(2 * side for side in s.padding))
    if max(numbers) > CONV_REACH:
        return f"Lava's Conv computes its geometry in 8 bits, {max(numbers)} does not fit"
    return NO_EXPONENT if p.weight_exp else ""


def _matrix(name: str, laid: Callable[[Projection, Coo, NDArray[Any]], Any]) -> Callable[[Projection], Connection]:
    """Lava's process of a matrix that it takes as `laid` lays values out, one a synapse."""

    def made(p: Projection) -> Connection:
        _check_format(p)
        coo = p.synapse.coo()
        arguments = {
            "weight_exp": p.weight_exp,
            "num_weight_bits": p.weight_bits,
            "sign_mode": {"$member": f"lava.utils.weightutils:SignMode:{p.sign_mode.upper()}"},
            "num_message_bits": MESSAGE_BITS if p.graded else 0,
            "weights": laid(p, coo, coo.weight.astype(np.int32)),
        }
        if p.depth > 1:
            arguments |= {"max_delay": p.depth - 1, "delays": laid(p, coo, p.delays_of(coo))}
        process = f"Delay{name}" if p.depth > 1 else name
        return Connection(f"lava.proc.{name.lower()}.process:{process}", arguments, "a_buff", MODELS[process])

    return made


def _no_matrix(p: Projection) -> str:
    return (
        f"Lava stores weights in {WEIGHT_BITS} bits, these have {p.weight_bits}" if p.weight_bits > WEIGHT_BITS else ""
    )


def _no_sparse(p: Projection) -> str:
    return _no_matrix(p) or ("" if p.synapse.weight.size else "Lava's Sparse takes no empty matrix")


def _full(p: Projection, coo: Coo, values: NDArray[Any]) -> NDArray[Any]:
    found = np.zeros((p.synapse.rows, p.synapse.columns), values.dtype)
    found[coo.row, coo.column] = values
    return found


def _by_row(p: Projection, coo: Coo, values: NDArray[Any]) -> SparseMatrix:
    order = np.lexsort((coo.column, coo.row))
    counts = np.bincount(coo.row, minlength=p.synapse.rows)
    indptr = np.concatenate(([0], np.cumsum(counts)))
    shape = (p.synapse.rows, p.synapse.columns)
    return SparseMatrix(values[order], coo.column[order].astype(np.int32), indptr.astype(np.int32), shape)


class Process(NamedTuple):
    """Why Lava's process of a kind does not compute a projection, what it is, and what it does with sums beyond 32 bits."""

    refused: Callable[[Projection], str]
    made: Callable[[Projection], Connection]
    overflow: str = ""


PROCESSES: Mapping[type[Synapse], Process] = {
    Dense: Process(_no_matrix, _matrix("Dense", _full)),
    Sparse: Process(_no_sparse, _matrix("Sparse", _by_row)),
    Conv: Process(_no_conv, _conv, "Lava casts them from float64 to int32, which is undefined"),
}


def _check_format(p: Projection) -> None:
    effective, _ = lava_weights(p.synapse.weight, p.weight_bits, p.sign_mode)
    different = np.flatnonzero(effective.reshape(-1) != p.synapse.weight.reshape(-1))
    if different.size:
        first = int(different[0])
        given, kept = (int(w.reshape(-1)[first]) for w in (p.synapse.weight, effective))
        raise UserError(
            "ND4104",
            f"projection {p.name}",
            f"{different.size} weights do not fit {p.weight_bits} bits of sign mode {p.sign_mode}: Lava makes {kept} of "
            f"{given}",
            "round the weights to that format (neurodeploy.synapses.weights.lava_weights), or declare one that holds them",
        )


def _own(p: Projection, reason: str) -> Connection:
    coo = p.synapse.coo()
    arguments = {
        "kind": "synapse",
        "inputs": {"s_in": [p.synapse.columns]},
        "outputs": {"a_out": [p.synapse.rows]},
        "variables": {"pending": np.zeros((p.depth, p.synapse.rows), np.int64)},
        "rows": p.synapse.rows,
        "columns": p.synapse.columns,
        "depth": p.depth,
        "graded": p.graded,
        "weight_exp": p.weight_exp,
        "wrap_bits": p.wrap_bits,
        "target": coo.row,
        "source": coo.column,
        "weight": coo.weight,
        "delay": p.delays_of(coo),
    }
    return Connection("own", arguments, "pending", "OwnSynapse", reason)
