"""The state of a running program as one .npz file: resumed, it goes on with the same bits, whichever runner goes on.

`header` is JSON: the digest of the program that it belongs to, the steps done (tokens, of a text), where each cache begins,
and what the verb that wrote it has to know. Arrays: ``n.POPULATION.VARIABLE`` (samples, size) int64, of a memory
(samples, rows, numbers) int16, and ``p.PROJECTION``
(samples, slots, rows) int32, as in `ir.run.RunState`; ``k.SAMPLE.OPERATION`` (heads, size of a head, columns) and
``v.SAMPLE.OPERATION`` (heads, columns, size of a head) float32, the keys and values that an operation of the host has seen.
No pickle.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.files import write_aside
from neurodeploy.errors import BundleError, UserError
from neurodeploy.ir.graph import HostOp
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import RunState
from neurodeploy.neurons.registry import get_model, memory_shape, pending_type
from neurodeploy.ops import lookup
from neurodeploy.ops.host.kvcache import KVCache, State, oldest_visible
from neurodeploy.storage.numpy_files import Archive, open_archive

FORMAT = "neurodeploy-state/3"
#: Parallel samples of one state.
MOST_SAMPLES = 1 << 20
#: Bytes of one variable.
MOST_BYTES = 1 << 33
_AGAIN = "run from the beginning, without --resume"


def write_state(path: Path, state: RunState, program_sha256: str, known: Mapping[str, Any] | None = None) -> None:
    """Write under a temporary name and rename: an older state stays until the new one is complete. `known` is what whoever
    resumes has to know besides."""
    header: dict[str, Any] = {"format": FORMAT, "program_sha256": program_sha256, "step": state.step}
    if known is not None:
        header["known"] = dict(known)
    arrays: dict[str, NDArray[Any]] = {
        f"n.{population}.{variable}": array
        for population, variables in state.neurons.items()
        for variable, array in variables.items()
    }
    arrays |= {f"p.{name}": array for name, array in state.pending.items()}
    hosts = [host for host in state.host if isinstance(host, State)]
    header["caches"] = [{name: cache.base for name, cache in host.caches.items()} for host in hosts]
    for sample, host in enumerate(hosts):
        for name, cache in host.caches.items():
            columns = host.position - cache.base  # an operation that was interrupted may have seen more
            arrays |= {f"k.{sample}.{name}": cache.key[:, :, :columns].cpu().numpy()}
            arrays |= {f"v.{sample}.{name}": cache.value[:, :columns].cpu().numpy()}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}  # the one order that is read
    buffer = io.BytesIO()
    np.savez(buffer, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    write_aside(path, buffer.getvalue())


def read_kept(
    path: Path, network: Network, program_sha256: str, operations: Sequence[HostOp] = ()
) -> tuple[RunState, dict[str, Any] | None]:
    """Read a state of this network and of these operations of the host, and what its writer knew besides, if anything.

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
            known = header.get("known")
            bases = header.get("caches")
            if not isinstance(bases, list) or len(bases) > MOST_SAMPLES or (operations and not bases):
                raise ValueError(f"its caches are {bases!r:.40}")
            caches = [(sample, op) for sample in range(len(bases)) for op in operations if lookup(op).keeps]
            state = _state(archive, network, step, [f"{sample}.{op.path}" for sample, op in caches])
            hosts = [State(step) for _ in bases]
            for sample, op in caches:
                hosts[sample].caches[op.path] = _cache(archive, op, step, sample, bases[sample])
            state.host = tuple(hosts)
            return state, known if isinstance(known, dict) else None
    except (ValueError, OSError, RecursionError) as error:
        raise damaged_state(path, getattr(error, "strerror", None) or str(error)) from None


def damaged_state(path: Path, reason: str) -> BundleError:
    return BundleError("ND5011", path, f"is not a state: {reason:.200}", _AGAIN)


def _cache(archive: Archive, op: HostOp, position: int, sample: int, bases: Any) -> KVCache:
    """The keys and values that an operation has seen before `position`: all that a later query can see."""
    import torch

    cache = KVCache(*(op.attrs[name] for name in lookup(op).keeps))  # type: ignore[arg-type]
    base = bases.get(op.path) if isinstance(bases, dict) else None
    if type(base) is not int or not 0 <= base <= oldest_visible(position, cache.window, cache.chunk):
        raise ValueError(f"the cache of {op.path} begins at {base!r:.40}")
    (heads, size, _), columns, kind = cache.key.shape, position - base, np.dtype(np.float32)
    cache.base, cache.length = base, columns
    name = f"{sample}.{op.path}"
    cache.key = torch.from_numpy(_array(archive, f"k.{name}", kind, lambda shape: shape == (heads, size, columns)))
    cache.value = torch.from_numpy(_array(archive, f"v.{name}", kind, lambda shape: shape == (heads, columns, size)))
    return cache


def _header(archive: Archive) -> dict[str, Any]:
    raw = _array(archive, "header", np.dtype(np.uint8), lambda shape: len(shape) == 1 and shape[0] < 1 << 20)
    value = json.loads(raw.tobytes().decode())
    if not isinstance(value, dict):
        raise ValueError("its header is no object")
    return value


def _samples_of(*tail: int) -> Callable[[tuple[int, ...]], bool]:
    return lambda shape: shape[1:] == tail and shape[0] <= MOST_SAMPLES


def _state(archive: Archive, network: Network, step: int, caches: Iterable[str]) -> RunState:
    sizes: dict[tuple[str, str], tuple[int, ...]] = {
        (population.name, variable): memory_shape(population, step) or (population.size,)
        for population in network.populations.values()
        if population.model != INPUT
        for variable in get_model(population.model).state
    }
    slots = {p.name: (pending_type(network, p), (p.depth, p.synapse.rows)) for p in network.projections if p.latency}
    names = set(archive.headers) - {"header"} - {f"{kind}.{name}" for kind in "kv" for name in caches}
    wanted = {f"n.{population}.{variable}" for population, variable in sizes} | {f"p.{name}" for name in slots}
    if names != wanted:
        raise ValueError(f"holds other variables than the network: {sorted(names ^ wanted)[:3]}")
    neurons: dict[str, dict[str, NDArray[np.signedinteger]]] = {
        name: {} for name, population in network.populations.items() if population.model != INPUT
    }
    for (population, variable), size in sizes.items():
        stored = np.dtype(np.int64 if len(size) == 1 else np.int16)
        array = _array(archive, f"n.{population}.{variable}", stored, _samples_of(*size))
        neurons[population][variable] = array
    pending = {name: _array(archive, f"p.{name}", kind, _samples_of(*shape)) for name, (kind, shape) in slots.items()}
    state = RunState(step, neurons, pending)
    arrays = [a for table in (*neurons.values(), pending) for a in table.values()]
    if len({a.shape[0] for a in arrays}) > 1:
        raise ValueError("its variables have different numbers of samples")
    return state


def _array(archive: Archive, name: str, dtype: np.dtype[Any], fits: Callable[[tuple[int, ...]], bool]) -> NDArray[Any]:
    """Type and shape are compared with what the program needs before anything is allocated."""
    header = archive.headers.get(name)
    if header is None:
        raise ValueError(f"it lacks {name}")
    shape = header.shape
    if header.dtype != dtype or not fits(shape) or (header.fortran and len(shape) > 1):
        raise ValueError(f"{name} is {header.dtype} {shape}" + (" in another order" if header.fortran else ""))
    if header.nbytes > MOST_BYTES:
        raise ValueError(f"{name} has {header.nbytes} bytes, at most {MOST_BYTES} are read")
    return archive.read(name)
