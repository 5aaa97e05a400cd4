"""Broken ONNX files, each converted: exit 1 and the seeds where one does not end in a network or in an error of ours.

    python scripts/fuzz_onnx.py [--seeds 1000] [--from 0] [--seconds 60] [--memory 1000]

A seed is a file of `tests.tensors.mutations`. One that takes longer than so many seconds, ends the process, raises anything
but an error of ours, or takes this process or one that reads files beyond so many megabytes, is printed.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
#: Seeds that one process converts.
CHUNK = 25


def megabytes() -> tuple[float, float]:
    """The most that this process, and any that it started, ever held."""
    own, others = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own, others


def overdue(*_: object) -> None:
    raise TimeoutError("takes too long")


def tried(seeds: list[int], seconds: int, memory: float) -> list[tuple[int, str, str, float]]:
    """Seed, what became of it, what was wrong, and its seconds."""
    from tests.tensors.mutations import outcome

    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, overdue)
    found = []
    for seed in seeds:
        begun, problem, became = time.perf_counter(), "", ""
        signal.alarm(seconds)
        try:
            became = outcome(seed)
        except Exception:
            problem = traceback.format_exc(limit=-4)
        signal.alarm(0)
        if max(megabytes()) > memory:
            problem += f"{megabytes()} megabytes"
        found.append((seed, became, problem, time.perf_counter() - begun))
        if problem:
            break  # what it holds would be laid at the door of the next
    return found


def in_a_process(seeds: list[int], seconds: int, memory: float) -> list[tuple[int, str, str, float]]:
    """`tried` in a process of its own; where it dies, one by one."""
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(tried, seeds, seconds, memory).result()
    except BrokenProcessPool:
        if len(seeds) == 1:
            return [(seeds[0], "", "its process died", 0.0)]
        return [row for seed in seeds for row in in_a_process([seed], seconds, memory)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--memory", type=float, default=1000)
    asked = parser.parse_args()
    left, rows = list(range(asked.first, asked.first + asked.seeds)), list[tuple[int, str, str, float]]()
    while left:
        found = in_a_process(left[:CHUNK], asked.seconds, asked.memory)
        for seed, _, problem, _ in found:
            if problem:
                print(f"seed {seed}\n{problem}", flush=True)
        left = left[len(found) :]
        rows += found
        if len(rows) % 100 < len(found):
            print(f"{len(rows)} files", flush=True)
    wrong = sorted(seed for seed, _, problem, _ in rows if problem)
    became = dict(Counter(how or "wrong" for _, how, _, _ in rows).most_common())
    longest = max(seconds for *_, seconds in rows)
    print(f"{len(rows)} files, {len(wrong)} wrong: {wrong}; {became}; the longest took {longest:.1f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
