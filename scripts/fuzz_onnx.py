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
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
#: Seeds that one process converts.
CHUNK = 25


def megabytes() -> float:
    """The most that this process, or any that it started, ever held."""
    return max(resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def overdue(*_: object) -> None:
    raise TimeoutError("takes too long")


class Row(NamedTuple):
    """What became of a file, what was wrong with that, its seconds, and the most memory that was held until then."""

    seed: int
    became: str
    problem: str
    seconds: float
    megabytes: float


def tried(seeds: list[int], seconds: int, memory: float) -> list[Row]:
    """In this process, as far as the first that is wrong."""
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
        if megabytes() > memory:
            problem += f"{megabytes():.0f} megabytes"
        found.append(Row(seed, became, problem, time.perf_counter() - begun, megabytes()))
        if problem:
            break  # what it holds would be laid at the door of the next
    return found


def in_a_process(seeds: list[int], seconds: int, memory: float) -> list[Row]:
    """`tried` in a process of its own; where it dies, one by one."""
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(tried, seeds, seconds, memory).result()
    except BrokenProcessPool:
        if len(seeds) == 1:
            return [Row(seeds[0], "", "its process died", 0.0, 0.0)]
        return [row for seed in seeds for row in in_a_process([seed], seconds, memory)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--memory", type=float, default=1000)
    asked = parser.parse_args()
    left, rows = list(range(asked.first, asked.first + asked.seeds)), list[Row]()
    while left:
        found = in_a_process(left[:CHUNK], asked.seconds, asked.memory)
        for row in found:
            if row.problem:
                print(f"seed {row.seed}\n{row.problem}", flush=True)
        left = left[len(found) :]
        rows += found
        if len(rows) % 100 < len(found):
            print(f"{len(rows)} files", flush=True)
    wrong = sorted(row.seed for row in rows if row.problem)
    became = dict(Counter(row.became or "wrong" for row in rows).most_common())
    seconds, most = max(row.seconds for row in rows), max(row.megabytes for row in rows)
    print(
        f"{len(rows)} files, {len(wrong)} wrong: {wrong}; {became}; the longest {seconds:.1f} s, the most {most:.0f} MB"
    )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
