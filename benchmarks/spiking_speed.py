"""Speed and memory of the fast spiking runner: time steps and synaptic events per second, and bytes a synapse as
networks grow.

    python benchmarks/spiking_speed.py [--only peers growth shapes million] [--threads N] [--repeats N] [--json FILE]

A synaptic event is a synapse whose axon carries a message: messages times fan-out, counted in the run itself. Every
run counts all activity. Time is processor time of the process (the machine may be shared), best and worst of the
repeats after one warm-up; compiling is in no figure. The wall clock of the best repeat stands beside it.

`peers` is the kind of network that `spiking_against_rivals.py` gives to other simulators, here with more samples and
with a loop too. `growth` runs one dense layer with 1e5 to 1e9 synapses and sparse ones to 1e8, each in a process of
its own, whose resident memory is read before the network is built and after; a run adds what the fullest moment holds.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))
Row = dict[str, Any]
#: (kind, synapses, fan-out of the sparse ones).
GROWTH = [("dense", 10**n, 0) for n in range(5, 10)] + [("sparse", 10**n, 100) for n in range(5, 9)]
GROWTH += [("large", 10**8, 100), ("large", 2 * 10**8, 200)]


def measure(network: Any, inputs: dict[str, Any], steps: int, repeats: int, path: str = "auto") -> Row:
    """Best and worst of `repeats` runs after a warm-up."""
    from simulators.fast.runner import FastRunner

    runner = FastRunner(path)
    result = runner.run(network, inputs, steps)
    times = []
    for _ in range(repeats):
        del result  # one result at a time, as whoever runs a large network keeps it
        wall, cpu = time.perf_counter(), time.process_time()
        result = runner.run(network, inputs, steps)
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    most, fired = peak(), result.activity.fired
    links = [p for p in network.projections if not p.synapse.wire]
    events = sum(int((fired[p.source][p.source_port] * p.synapse.fan_out()).sum()) for p in links)
    samples = result.activity.samples
    del result
    rates = [float(f["s"].mean()) / (steps * samples) for f in fired.values()]
    best, worst = min(times), max(times)
    return {
        "network": network.name, "samples": samples, "steps": steps, "neurons": network.neurons,
        "synapses": sum(p.synapse.count() for p in links), "events": events,
        "events_per_second": events / best[0], "worst_events_per_second": events / worst[0],
        "steps_per_second": samples * steps / best[0], "worst_steps_per_second": samples * steps / worst[0],
        "wall_steps_per_second": samples * steps / best[1], "rates": [round(r, 4) for r in rates],
        "peak": most,
    }  # fmt: skip


def resident() -> int:
    """Resident bytes of this process without what is free; from now on `peak` is counted anew."""
    ctypes.CDLL(None).malloc_trim(0)  # glibc keeps what a process has freed for its next arrays
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """Most resident bytes of this process since the last `resident`."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def grown(kind: str, synapses: int, fan_out: int, repeats: int) -> Row:
    """One layer of this many synapses, in this process: speed, and bytes a synapse of the network and of what a run adds
    at most. "large" is one sparse population; the sparse ones have at most 62 500 neurons each."""
    import spiking_networks as nets

    from neurodeploy.synapses import build
    from simulators.fast.runner import FastRunner

    rng = np.random.default_rng(1)
    smallest = build.PACKED_SYNAPSES
    build.PACKED_SYNAPSES = 1 if synapses >= smallest else smallest
    rows = 64 if kind != "large" else build.NARROW_ROWS + 1
    small = nets.layered(16, 1) if kind == "dense" else nets.sparse_ring(2 * rows, 8, 2)
    build.PACKED_SYNAPSES = smallest
    warm = np.ones((1, 4, small.populations["input"].size), np.bool_)
    FastRunner().run(small, {"input": warm}, 4)  # loads and compiles
    del small
    before = resident()
    if kind == "dense":
        network = nets.layered(round(synapses**0.5), 1, threshold=int(70 * (0.05 * synapses**0.5) ** 0.5 * 2))
        steps = 50
        inputs = nets.spikes(rng, 1, steps, network.populations["input"].size, 0.05)
    else:
        populations = 1 if kind == "large" else -(-synapses // 6_250_000)
        network = nets.sparse_ring(synapses // fan_out, fan_out, populations)
        steps = 100
        inputs = np.zeros((1, steps, 1), np.bool_)
    built = resident()
    row = measure(network, {"input": inputs}, steps, repeats)
    row["network_bytes_per_synapse"] = (built - before) / row["synapses"]
    row["bytes_per_synapse"] = (row["peak"] - before) / row["synapses"]
    return row


def growth(repeats: int, largest: int) -> list[Row]:
    """`grown` in a process of its own for each size."""
    rows = []
    for kind, synapses, fan_out in GROWTH:
        if synapses > largest:
            continue
        one = [kind, str(synapses), str(fan_out)]
        command = [sys.executable, __file__, "--one", *one, "--repeats", str(repeats)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout))
    return rows


def peers(repeats: int) -> list[Row]:
    """The network that rivals run, at batch 1 and with more samples; then with one population that feeds itself."""
    import spiking_networks as nets

    rng = np.random.default_rng(1)
    network = nets.layered()
    rows = []
    for samples, steps in ((1, 1000), (8, 500), (64, 128)):
        rows.append(measure(network, {"input": nets.spikes(rng, samples, steps, 1024, 0.05)}, steps, repeats))
    looped = nets.recurrent()
    rows.append(measure(looped, {"input": nets.spikes(rng, 1, 1000, 1024, 0.05)}, 1000, repeats))
    return rows


def shapes(repeats: int) -> list[Row]:
    """PilotNet's shapes: spikes, and sigma-delta neurons on an image that changes in one pixel of ten."""
    import spiking_networks as nets

    rng = np.random.default_rng(1)
    size = 200 * 66 * 3
    rows = [measure(nets.pilotnet(), {"input": nets.spikes(rng, 1, 64, size, 0.05)}, 64, repeats)]
    changes = np.where(nets.spikes(rng, 1, 32, size, 0.1), rng.integers(-4096, 4096, (1, 32, size)), 0)
    rows.append(measure(nets.pilotnet("sigma_delta"), {"input": changes}, 32, repeats))
    return rows


def million(repeats: int) -> list[Row]:
    """A million neurons with a hundred synapses each, a hundred steps."""
    import spiking_networks as nets

    network = nets.sparse_ring(1_000_000, 100, 16)
    return [measure(network, {"input": np.zeros((1, 100, 1), np.bool_)}, 100, repeats)]


def table(rows: list[Row]) -> str:
    """Our rows for reading."""
    lines = [
        "network                                    samples   G events/s (worst)   steps/s (wall)   rates      bytes/synapse"
    ]
    for r in rows:
        memory = f"{r['network_bytes_per_synapse']:.2f} + {r['bytes_per_synapse'] - r['network_bytes_per_synapse']:.2f}" if (
            "bytes_per_synapse" in r) else ""  # fmt: skip
        speed = f"{r['events_per_second'] / 1e9:8.3f} ({r['worst_events_per_second'] / 1e9:.3f})"
        pace = f"{r['steps_per_second']:10.1f} ({r['wall_steps_per_second']:.1f})"
        rates = f"{min(r['rates']):.3f}..{max(r['rates']):.3f}"
        lines.append(f"{r['network']:42} {r['samples']:7} {speed:20} {pace:22} {rates} {memory}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["peers", "growth", "shapes", "million"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--largest", type=float, default=1e9, help="most synapses of `growth`")
    parser.add_argument("--json", type=Path, help="write all rows here")
    parser.add_argument("--one", nargs=3, metavar=("KIND", "SYNAPSES", "FAN_OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.threads)
    import torch

    torch.set_num_threads(options.threads)
    if options.one:
        kind, synapses, fan_out = options.one
        print(json.dumps(grown(kind, int(synapses), int(fan_out), options.repeats)))
        return
    chosen = options.only or ["peers", "shapes", "million", "growth"]
    found: dict[str, list[Row]] = {}
    for name in chosen:
        rows = growth(options.repeats, int(options.largest)) if name == "growth" else globals()[name](options.repeats)
        found[name] = rows
        print(f"\n{name}, {options.threads} thread(s)\n{table(rows)}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
