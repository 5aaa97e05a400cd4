"""The two PilotNets of lava-dl on our runner and on Lava itself: the same integers, the seconds of both.

    python benchmarks/pilotnet_against_lava.py [--rounds 2]

The networks are part of lava-dl's tests; `scripts/fetch_lava_ground_truth.py` writes them into the cache folder. Lava
runs in its own interpreter (see `simulators.lava`), a process a layer. Its seconds are those of a long run less those
of a short one, so that starting its processes does not count; CPU seconds are of all its processes together. What
both leave is compared bit for bit: the outputs of all steps and every state of every neuron after the last one. Ours
counts all activity while it runs; of Lava only the output is recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NEURODEPLOY_THREADS"):
    os.environ.setdefault(_name, "1")

from neurodeploy.errors import NeurodeployError  # noqa: E402
from neurodeploy.frontends.lavadl import read_net  # noqa: E402
from neurodeploy.ir.network import Network  # noqa: E402
from neurodeploy.ir.run import RunResult  # noqa: E402
from neurodeploy.storage.cache import cache_folder  # noqa: E402
from simulators.fast.runner import FastRunner  # noqa: E402
from simulators.lava import LavaRunner  # noqa: E402

FOLDER = cache_folder() / "lava-dl" / "netx" / "gts"
SHORT, LONG, OURS = 10, 60, 200


def still(folder: Path, steps: int) -> NDArray[np.int64]:
    """The image of `pilotnet_lif`, the same in every step: its first layer turns it into spikes."""
    return np.broadcast_to(np.load(folder / "image.npy").astype(np.int64).reshape(1, 1, -1), (1, steps, 39600))


def moving(folder: Path, steps: int) -> NDArray[np.int64]:
    """The frame of `pilotnet_sdnn`, moved along x by one pixel in every second step."""
    frame = np.load(folder / "input.npy").astype(np.int64)[..., 0]
    return np.stack([np.roll(frame, t // 2, axis=0).reshape(-1) for t in range(steps)])[None]


NETS: dict[str, Callable[[Path, int], NDArray[np.int64]]] = {"pilotnet_lif": still, "pilotnet_sdnn": moving}


def clock() -> tuple[float, float, float]:
    """Wall seconds, CPU seconds of this process, CPU seconds of its children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), time.process_time(), children.ru_utime + children.ru_stime


def timed(run: Callable[[], Any]) -> tuple[Any, NDArray[np.float64]]:
    before = np.array(clock())
    result = run()
    return result, np.array(clock()) - before


def same(ours: RunResult, theirs: RunResult) -> bool:
    """Whether outputs and the states of all neurons are equal."""
    outputs = all(np.array_equal(ours.outputs[name], theirs.outputs[name]) for name in ours.outputs)
    states = ours.state.neurons
    return outputs and all(np.array_equal(states[n][v], theirs.state.neurons[n][v]) for n in states for v in states[n])


def compare(net: Network, frames: Callable[[int], NDArray[np.int64]], rounds: int) -> dict[str, Any]:
    """Milliseconds a step of both, and whether they leave the same."""
    fast, lava = FastRunner(), LavaRunner(counts=False)

    def run(runner: Any, steps: int) -> tuple[RunResult, NDArray[np.float64]]:
        inputs = {"input": frames(steps)}
        return timed(lambda: runner.run(net, inputs, steps))

    run(fast, SHORT)  # compiles and prepares
    ours, theirs, equal = [], [], True
    for _ in range(rounds):
        ours.append(1e3 * run(fast, OURS)[1] / OURS)
        short = run(lava, SHORT)[1]
        result, long = run(lava, LONG)
        theirs.append(1e3 * (long - short) / (LONG - SHORT))
        mine = run(fast, LONG)[0]
        equal &= same(mine, result)
    fired = sum(int(ports.sum()) for counted in mine.activity.fired.values() for ports in counted.values())
    middle = [[statistics.median(x[k] for x in runs) for k in range(3)] for runs in (ours, theirs)]
    return {
        "network": net.name, "neurons": net.neurons, "equal": equal, "steps_compared": LONG, "messages": fired,
        "rounds": rounds,
        "ours_ms_wall": middle[0][0], "ours_ms_cpu": middle[0][1], "lava_ms_wall": middle[1][0], "lava_ms_cpu": middle[1][2],
        "ratio_wall": middle[1][0] / middle[0][0], "ratio_cpu": middle[1][2] / middle[0][1],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--nets", type=Path, default=FOLDER, help="folder with the networks (default: in the cache folder)"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if not arguments.nets.is_dir():
        raise SystemExit(f"{arguments.nets} is no folder: run scripts/fetch_lava_ground_truth.py")
    lines = []
    print("Milliseconds a step, CPU / wall:\n")
    print("| network | neurons | messages a step | ours | Lava | Lava / ours | outputs and states |")
    print("|---" * 7 + "|")
    for name, frames in NETS.items():
        folder = arguments.nets / name
        try:
            net = read_net(folder / "network.net")
            line = compare(net, lambda steps, f=frames, d=folder: f(d, steps), arguments.rounds)
        except NeurodeployError as error:
            print(f"| {name} | - | - | - | {error} | - | - |")
            continue
        line["network"] = name
        lines.append(line)
        same = f"equal, {line['steps_compared']} steps" if line["equal"] else "DIFFER"
        print(
            f"| {name} | {line['neurons']:,} | {line['messages'] / LONG:,.0f} | "
            f"{line['ours_ms_cpu']:.2f} / {line['ours_ms_wall']:.2f} | "
            f"{line['lava_ms_cpu']:.1f} / {line['lava_ms_wall']:.1f} | "
            f"{line['ratio_cpu']:.0f} / {line['ratio_wall']:.0f} | {same} |",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
