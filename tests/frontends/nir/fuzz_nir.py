"""Damaged NIR files, read one after another: ``python -m tests.frontends.nir.fuzz_nir FOLDER FIRST COUNT``.

Every file is one of a few small good ones with one to four bytes changed. Each is read in a child process without the
guard's isolation (to be quick), within limits of memory and time. Prints one line of JSON: how many were read, how many
refused with a code, and seeds of all others. libhdf5 itself crashes or hangs on a few: those are read once more as users
do, in the guard's own process, and must be refused there.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import h5py  # before any fork: loading it is most of the time that reading a file takes
import numpy as np

from neurodeploy.errors import NeurodeployError
from neurodeploy.frontends import hdf5_guard
from neurodeploy.frontends.nir.reader import read

#: Processor time of the first reading, of the guard's worker, of the second reading; bytes.
SECONDS, WORKER_SECONDS, SECOND_SECONDS, MEMORY = 1, 3, 20, 3 << 30
READ, REFUSED, BROKEN = 0, 40, 41


def damaged(good: list[bytes], seed: int) -> bytes:
    """One of the good files, one to four bytes changed; half of them in the first 4 KiB, where the structure lies."""
    rng = np.random.default_rng(seed)
    data = bytearray(good[int(rng.integers(len(good)))])
    end = len(data) if rng.random() < 0.5 else min(len(data), 4096)
    for _ in range(int(rng.integers(1, 5))):
        data[int(rng.integers(end))] = int(rng.integers(256))
    return bytes(data)


def attempt(path: Path, seconds: int = SECONDS) -> int:
    """READ, REFUSED, BROKEN, or minus a signal, of a child that reads one file."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        signal.alarm(20 * seconds)  # for what waits instead of computing
        try:
            read(path, 1e-3)
            os._exit(READ)
        except NeurodeployError as error:
            os._exit(REFUSED if error.exit_status == 2 and error.fix else BROKEN)
        except BaseException:
            os._exit(BROKEN)
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main() -> None:
    assert h5py.version.hdf5_version
    folder, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    good = [path.read_bytes() for path in sorted(folder.glob("good*.nir"))]
    path, found, seeds = folder / "damaged.nir", Counter[str](), list[int]()
    for seed in range(first, first + count):
        path.write_bytes(damaged(good, seed))
        hdf5_guard.ISOLATE = False
        status = attempt(path)
        if status < 0:  # libhdf5's doing, or ours: the guard tells
            found["libhdf5"] += 1
            hdf5_guard.ISOLATE = True
            hdf5_guard.CPU_SECONDS = WORKER_SECONDS
            status = attempt(path, SECOND_SECONDS)
        found[{READ: "read", REFUSED: "refused"}.get(status, "wrong")] += 1
        if status not in (READ, REFUSED):
            seeds.append(seed)
    print(json.dumps({**found, "seeds": seeds, "seconds": time.process_time()}))


if __name__ == "__main__":
    main()
