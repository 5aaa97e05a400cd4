"""Damaged HDF5 files, read one after another: ``python -m tests.frontends.fuzz_hdf5 nir|net FOLDER FIRST COUNT`` (POSIX).

Every file is one of the good ones in the folder (good*) with one to four bytes changed. Each is read in a child process
without the guard's isolation (to be quick), within limits of memory and time. libhdf5 itself crashes or hangs on a few:
those are read once more as users do, in the guard's own process, and must be refused there. Prints one line of JSON: how
often reading ended how ("read" or the code of a refusal), what libhdf5 did alone, and every end that is wrong.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py  # before any fork: loading it is most of the time that reading a file takes
import numpy as np

from neurodeploy.errors import NeurodeployError
from neurodeploy.frontends import hdf5_guard
from neurodeploy.frontends.lavadl import read_net
from neurodeploy.frontends.nir.reader import read

READERS: dict[str, Callable[[Path], object]] = {
    "nir": lambda path: read(path, 1e-3),
    "net": lambda path: read_net(path, reset_interval=16),
}
#: Processor time of the first reading, of the guard's worker, of the second reading; bytes.
SECONDS, WORKER_SECONDS, SECOND_SECONDS, MEMORY = 1, 3, 20, 3 << 30
HANGS = {f"signal {number}" for number in (int(signal.SIGXCPU), int(signal.SIGALRM))}


def damaged(good: list[bytes], seed: int) -> bytes:
    """One of the good files, one to four bytes changed; half of them in the first 4 KiB, where the structure lies."""
    rng = np.random.default_rng(seed)
    data = bytearray(good[int(rng.integers(len(good)))])
    end = len(data) if rng.random() < 0.5 else min(len(data), 4096)
    for _ in range(int(rng.integers(1, 5))):
        data[int(rng.integers(end))] = int(rng.integers(256))
    return bytes(data)


def attempt(reader: str, path: Path, seconds: int = SECONDS) -> str:
    """How reading ends in a child: "read", the code of a sound refusal, "signal N", or what is wrong."""
    hear, say = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        signal.alarm(20 * seconds)  # for what waits instead of computing
        try:
            READERS[reader](path)
            end = "read"
        except NeurodeployError as error:
            sound = error.exit_status == 2 and error.fix and str(error).isprintable()
            end = error.code if sound else f"wrong: {error!r}"
        except BaseException as error:
            end = f"wrong: {error!r}"
        os.write(say, end[:300].encode("ascii", "backslashreplace"))
        os._exit(0)
    os.close(say)
    with os.fdopen(hear, "rb") as pipe:
        end = pipe.read().decode()
    status = os.waitpid(child, 0)[1]
    return end or f"signal {os.WTERMSIG(status)}"


def main() -> None:
    assert h5py.version.hdf5_version
    reader, folder, first, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    good = [path.read_bytes() for path in sorted(folder.glob("good*"))]
    path, ends, alone, wrong = folder / "damaged", Counter[str](), Counter[str](), []
    for seed in range(first, first + count):
        path.write_bytes(damaged(good, seed))
        hdf5_guard.ISOLATE = False
        end = attempt(reader, path)
        if end.startswith("signal"):  # libhdf5's doing, or ours: the guard tells
            alone["hangs" if end in HANGS else end] += 1
            hdf5_guard.ISOLATE, hdf5_guard.CPU_SECONDS = True, WORKER_SECONDS
            end = attempt(reader, path, SECOND_SECONDS)
        ends[end] += 1
        if end != "read" and not end.startswith("ND"):
            wrong.append(f"{seed}: {end}")
    print(json.dumps({"ends": ends, "libhdf5 alone": alone, "wrong": wrong}))


if __name__ == "__main__":
    main()
