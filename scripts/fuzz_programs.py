"""Random programs with host operations on every runner, bit for bit: exit 1 and the seeds where one differs.

    python scripts/fuzz_programs.py [--seeds 2400] [--from 0] [--jobs 1]

Each seed is two programs. The first is one of `tests.hybrid.random_programs`: two or three random networks (populations in
time with delays, stretches within a step) with host operations between them. Reference = fast = fast in three parts with
populations on the host = partitioned over a random cut: outputs, everything that can be probed, states and counts.

The second is a model of `tests.hybrid.random_blocks` with its norms, gates, curves and sums on the chip, as conversion puts
them there. Reference = fast = fast token by token = the reference in two parts = partitioned: logits, events and clips.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def tried(seed: int) -> tuple[int, str]:
    import torch

    from tests.hybrid import test_random_blocks, test_random_programs

    torch.set_num_threads(1)
    try:
        test_random_programs.check(seed)
        test_random_blocks.check(seed)
    except Exception:
        return seed, traceback.format_exc(limit=-3)
    return seed, ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2400)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    seeds, wrong = range(asked.first, asked.first + asked.seeds), []
    with get_context("spawn").Pool(asked.jobs) as pool:
        for number, (seed, problem) in enumerate(pool.imap_unordered(tried, seeds, chunksize=4), 1):
            if problem:
                wrong.append(seed)
                print(f"seed {seed}\n{problem}", flush=True)
            if number % 100 == 0:
                print(f"{number} programs, {len(wrong)} differ", flush=True)
    print(f"{len(seeds)} programs, {len(wrong)} differ: {sorted(wrong)}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
