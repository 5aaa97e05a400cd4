"""Change random bytes of a small `.net` file and read it, thousands of times; run as a program from the root (POSIX).

    PYTHONPATH=. python tests/frontends/lavadl/fuzz_hdf5.py --flips 10000 --seed 1

Prints JSON: how often libhdf5 itself (the worker's part) ended its process or ran for ever, how reading ended otherwise by
error code, and every failure that is ours: an exception that is not a coded error, or a crash outside of libhdf5. The
worker's part runs in a forked child, which is what `hdf5_guard` starts as a program of its own.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from neurodeploy.errors import InternalError, ModelError, NeurodeployError, UserError
from neurodeploy.frontends import hdf5_guard, hdf5_worker
from neurodeploy.frontends.lavadl import read_net
from tests.frontends.lavadl.files import conv, cuba, dense, write

BATCH = 250
HANG_SECONDS = 4


def seed_file(folder: Path) -> bytes:
    rng = np.random.default_rng(0)
    layers = [
        {"type": "input", "shape": [2, 4, 4], "weight": [64.0], "bias": [0.0], **cuba()},
        conv(rng.integers(-20, 20, (3, 2, 3, 3)), [3, 2, 2], bias=np.arange(3.0)),
        {"type": "flatten", "shape": [12, 1, 1]},
        dense(2 * rng.integers(-60, 60, (5, 12)), delay=np.arange(5.0)),
        {**dense(2 * rng.integers(-60, 60, (4, 5))), "type": "dense_rec", "weight_rec": np.ones((4, 4))},
        {"type": "average", "shape": [2, 1, 1]},
    ]
    return write(folder / "seed.net", layers).read_bytes()


def damaged(raw: bytes, rng: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def one(path: Path, say: int) -> str:
    """How reading ends: "read" or an error's code."""
    os.write(say, b"h")
    signal.alarm(HANG_SECONDS)
    stream = io.BytesIO()
    hdf5_worker.serve(str(path), stream, hdf5_guard.MAX_BYTES, hdf5_guard.MAX_OBJECTS)
    signal.alarm(0)
    os.write(say, b"p")
    stream.seek(0)
    tree = hdf5_guard.parse(stream, path, hdf5_guard.MAX_BYTES, hdf5_guard.MAX_OBJECTS)
    from neurodeploy.frontends.lavadl import reader

    reader.read_tree = lambda *_, **__: tree  # type: ignore[attr-defined]
    read_net(path, reset_interval=16)
    return "read"


def batch(raw: bytes, folder: Path, seed: int, first: int, count: int, say: int) -> None:
    """In a child: say what happens to each file. ``h`` before libhdf5, ``p`` after it, then ``=end;``."""
    path = folder / "flip.net"
    for index in range(first, first + count):
        path.write_bytes(damaged(raw, random.Random(seed * 1_000_003 + index)))
        try:
            end = one(path, say)
        except (UserError, ModelError) as error:
            end = error.code if str(error).isprintable() and error.fix else f"!{error!r}"
        except (InternalError, NeurodeployError, Exception) as error:
            end = f"!{index}:{type(error).__name__}:{error}"
        os.write(say, f"={end[:300].replace(';', ',')};".encode("ascii", "backslashreplace"))


def fuzz(flips: int, seed: int) -> dict[str, object]:
    ends: Counter[str] = Counter()
    ours: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw, index = seed_file(folder), 0
        while index < flips:
            count = min(BATCH, flips - index)
            hear, say = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(hear)
                batch(raw, folder, seed, index, count, say)
                os._exit(0)
            os.close(say)
            with os.fdopen(hear, "rb") as pipe:
                *whole, rest = pipe.read().decode("ascii").split(";")
            status = os.waitpid(child, 0)[1]
            for text in whole:
                end = text.partition("=")[2]
                ends["ours" if end.startswith("!") else end] += 1
                ours += [end] if end.startswith("!") else []
            index += len(whole)
            if status:
                end = "libhdf5 hangs" if os.WTERMSIG(status) == signal.SIGALRM else f"libhdf5 signal {status & 127}"
                ours += [f"!{index}: signal {status} after libhdf5"] if rest != "h" else []
                ends[end] += 1
                index += 1
    return {"flips": flips, "bytes": len(raw), "ends": dict(ends), "ours": ours}


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--flips", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    print(json.dumps(fuzz(chosen.flips, chosen.seed)))
