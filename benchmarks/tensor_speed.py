"""ResNet-18 with random weights through every verb: seconds and peak memory of `convert` and `map`, and an image computed
exactly beside torch's float32, both in turn on as many threads in one process.

``python benchmarks/tensor_speed.py --threads 1 2 --bits 16 8``; ``NEURODEPLOY_ISA=avx2`` limits the instructions of both.
Each number of threads has a process of its own. Ratios of the fastest and of the median runs are told, and of
processor time.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tensor_shapes
import torch

import neurodeploy as nd
from neurodeploy.bundle.reader import open_bundle
from neurodeploy.pipeline.tensor_check import payloads
from simulators import get_runner


def converted(out: Path, bits: int) -> None:
    net, x = tensor_shapes.made("resnet18")
    wall, own = time.perf_counter(), time.process_time()
    nd.convert(net, out, example_inputs=x, payload_bits=bits)
    print(f"convert, {bits} bits: {_took(wall, own)}, {_peak():.2f} GB", flush=True)


def mapped(out: Path) -> None:
    wall, own = time.perf_counter(), time.process_time()
    found = nd.map(out, "hala-point")
    print(f"map: {_took(wall, own)}, {found['cores_used']} cores of {found['chips_used']} chips", flush=True)


def compared(out: Path, bits: int, threads: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    net, x = tensor_shapes.made("resnet18")
    program, runner = open_bundle(out).program, get_runner("fast")
    given, _ = payloads(program, {name: x[:1].numpy() for name in program.network.inputs})
    with torch.no_grad():
        runs = (lambda: runner.run(program.network, given, 1, raster=False)), (lambda: net(x[:1]))
        for run in runs:
            run()
        took = np.empty((rounds, 2, 2))
        for n in range(rounds):
            for which, run in enumerate(runs):
                wall, own = time.perf_counter(), time.process_time()
                run()
                took[n, which] = time.perf_counter() - wall, time.process_time() - own
    (ours, _), (theirs, _) = took.min(axis=0)
    wall, own = np.median(took[:, 0] / took[:, 1], axis=0)
    isa = os.environ.get("NEURODEPLOY_ISA", "all")
    print(
        f"run, {bits} bits, {threads} threads, {isa}: {1e3 * ours:.0f} ms, float32 {1e3 * theirs:.0f} ms; ratio"
        f" {ours / theirs:.2f} of the fastest, median {wall:.2f}, of processor time {own:.2f}"
    )


def _took(wall: float, own: float) -> str:
    return f"{time.perf_counter() - wall:.1f} s, processor time {time.process_time() - own:.1f} s"


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--bits", type=int, nargs="+", default=[16, 8])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=Path("out"))
    parser.add_argument("--only", choices=("convert", "map", "run"))
    asked = parser.parse_args()
    asked.folder.mkdir(exist_ok=True)
    for bits in asked.bits:
        out = asked.folder / f"resnet18-{bits}.nd"
        parts = {"convert": lambda: converted(out, bits), "map": lambda: mapped(out)}  # noqa: B023
        if asked.only == "run":
            compared(out, bits, asked.threads[0], asked.rounds)
        elif asked.only:
            parts[asked.only]()
        else:
            for only, threads in [("convert", 1), ("map", max(asked.threads)), *(("run", n) for n in asked.threads)]:
                own = ["--only", only, "--bits", str(bits), "--threads", str(threads), "--rounds", str(asked.rounds)]
                environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
                command = [sys.executable, __file__, *own, "--folder", str(asked.folder)]
                subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
