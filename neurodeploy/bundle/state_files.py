"""The state of a running network as one .npz file: resumed, it goes on with the same bits, whichever runner goes on.

`header` is JSON: the digest of the program that it belongs to, the steps done, and the digest of the outputs before them
where a file of outputs was kept beside it. Arrays: ``n.POPULATION.VARIABLE``
(samples,
size) int64 and ``p.PROJECTION`` (samples, slots, rows) int32, as in `ir.run.RunState`. No pickle.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.files import write_aside
from neurodeploy.errors import BundleError, UserError
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import RunState
from neurodeploy.neurons.registry import get_model, pending_type
from neurodeploy.storage.numpy_files import Archive, open_archive

FORMAT = "neurodeploy-state/1"
#: Parallel samples of one state.
MOST_SAMPLES = 1 << 20
#: Bytes of one variable.
MOST_BYTES = 1 << 33
_AGAIN = "run from the beginning, without --resume"


def write_state(path: Path, state: RunState, program_sha256: str, outputs: Mapping[str, Any] | None = None) -> None:
    """Write under a temporary name and rename: an older state stays until the new one is complete. `outputs` is what is to
    be known of the outputs up to there."""
    header: dict[str, Any] = {"format": FORMAT, "program_sha256": program_sha256, "step": state.step}
    if outputs is not None:
        header["outputs"] = dict(outputs)
    arrays: dict[str, NDArray[Any]] = {
        f"n.{population}.{variable}": array
        for population, variables in state.neurons.items()
        for variable, array in variables.items()
    }
    arrays |= {f"p.{name}": array for name, array in state.pending.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}  # the one order that is read
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    write_aside(path, buffer.getvalue())


def read_kept(path: Path, network: Network, program_sha256: str) -> tuple[RunState, dict[str, Any] | None]:
    """Read a state of this network, and what is known of the outputs before it, if anything.

    Raises
    ------
    UserError : ND3256, no such file. BundleError : ND5011, not a state, damaged, or of another program.
    """
    if not path.exists():
        raise UserError("ND3256", path, "does not exist: there is no state to resume", "run with --checkpoint first")
    try:
        with open_archive(path) as archive:
            header = _header(archive)
            if header.get("format") != FORMAT or header.get("program_sha256") != program_sha256:
                raise BundleError("ND5011", path, "is the state of another program", _AGAIN)
            step = header.get("step")
            if type(step) is not int or not 0 <= step < 1 << 62:
                raise ValueError(f"step is {step!r:.40}")
            outputs = header.get("outputs")
            return _state(archive, network, step), outputs if isinstance(outputs, dict) else None
    except (ValueError, OSError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BundleError("ND5011", path, f"is not a state: {reason:.200}", _AGAIN) from None


def _header(archive: Archive) -> dict[str, Any]:
    raw = _array(archive, "header", np.dtype(np.uint8), None)
    value = json.loads(raw.tobytes().decode())
    if not isinstance(value, dict):
        raise ValueError("its header is no object")
    return value


def _state(archive: Archive, network: Network, step: int) -> RunState:
    sizes = {
        (population.name, variable): population.size
        for population in network.populations.values()
        if population.model != INPUT
        for variable in get_model(population.model).state
    }
    slots = {p.name: (pending_type(network, p), (p.depth, p.synapse.rows)) for p in network.projections if p.latency}
    names = set(archive.headers) - {"header"}
    wanted = {f"n.{population}.{variable}" for population, variable in sizes} | {f"p.{name}" for name in slots}
    if names != wanted:
        raise ValueError(f"holds other variables than the network: {sorted(names ^ wanted)[:3]}")
    neurons: dict[str, dict[str, NDArray[np.int64]]] = {
        name: {} for name, population in network.populations.items() if population.model != INPUT
    }
    for (population, variable), size in sizes.items():
        array = _array(archive, f"n.{population}.{variable}", np.dtype(np.int64), (size,))
        neurons[population][variable] = array
    pending = {name: _array(archive, f"p.{name}", kind, shape) for name, (kind, shape) in slots.items()}
    state = RunState(step, neurons, pending)
    arrays = [a for table in (*neurons.values(), pending) for a in table.values()]
    if len({a.shape[0] for a in arrays}) > 1:
        raise ValueError("its variables have different numbers of samples")
    return state


def _array(archive: Archive, name: str, dtype: np.dtype[Any], tail: tuple[int, ...] | None) -> NDArray[Any]:
    """Type and shape are compared with what the network needs before anything is allocated."""
    header = archive.headers.get(name)
    if header is None:
        raise ValueError(f"it lacks {name}")
    shape = header.shape
    expected = (
        len(shape) == 1 and shape[0] < 1 << 20 if tail is None else shape[1:] == tail and shape[0] <= MOST_SAMPLES
    )
    if header.dtype != dtype or not expected or (header.fortran and len(shape) > 1):
        raise ValueError(f"{name} is {header.dtype} {shape}" + (" in another order" if header.fortran else ""))
    if header.nbytes > MOST_BYTES:
        raise ValueError(f"{name} has {header.nbytes} bytes, at most {MOST_BYTES} are read")
    return archive.read(name)
