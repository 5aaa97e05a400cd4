"""Our account of Loihi 1 beside SANA-FE's, joules and seconds, on random networks that both run with the same spikes.

    python benchmarks/energy_against_sanafe.py [--networks 30] [--install] [--envs FOLDER]

SANA-FE (Boyle et al., IEEE TCAD 44(8) 2025; GPL-3.0) runs as a process of its own on what `partitioner.files.sanafe` writes,
with its published costs of Loihi 1. It models no static power, so ours is compared without; no host, and nobody reads the
last layer. Ours is priced step by step, neurons at rest where nothing reaches them; the last two lines are those of the mean
step of the run, in which every neuron is updated. A network whose spikes differ is left out and counted.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.mapping_against_rivals import ask, install, interpreter
from benchmarks.sanafe_micro import DYNAMIC
from neurodeploy.accounting.account import account
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.step_by_step import step_by_step
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Dense
from partitioner.files import sanafe
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from simulators.reference import ReferenceRunner
from targets.hosts import get_host
from targets.systems import get_system

STEPS = 20
BOARD = get_system("loihi1-nahuku")
ONE_CHIP = SystemSpec("loihi1-one-chip", BOARD.chip, 1, (1, 1), "one chip of a Nahuku board")


def network(seed: int) -> tuple[Network, dict[str, np.ndarray], int]:
    """Layers of leaky neurons that reset to zero, dense between them, the last one now and then with itself; input spikes
    (steps, size); and neurons a core at most."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(10, 200, rng.integers(2, 5))
    populations = {"in": Population("in", (int(sizes[0]),), INPUT)}
    projections = list[Projection]()

    def join(name: str, source: str, target: str) -> None:
        shape = populations[target].size, populations[source].size
        weight = (2 * rng.integers(-20, 50, shape)).astype(np.int8)
        projections.append(Projection(name, source, target, Dense(weight)))

    before = "in"
    for number, size in enumerate(sizes[1:].tolist()):
        name = f"layer{number}"
        vth = int(rng.integers(2, 40)) * int(populations[before].size)
        populations[name] = Population(name, (size,), "lif", {"du": 4095, "dv": int(rng.integers(0, 1000)), "vth": vth})
        join(f"into{number}", before, name)
        before = name
    if rng.random() < 0.3:
        join("again", before, before)
    spikes = (rng.random((STEPS, int(sizes[0]))) < rng.uniform(0.05, 0.5)).astype(np.int64)
    return (
        Network(f"random {seed}", populations, tuple(projections), ("in",)),  # nobody reads the last
        {"in": spikes},
        int(rng.integers(8, 100)),
    )


def ours(net: Network, spikes: dict[str, np.ndarray], rows: int) -> tuple[dict[str, float], dict[str, str], int]:
    """Our joules and seconds of the run, the files for SANA-FE, and how many spikes there are."""
    program = Program.of(net)
    pins = {name: Pin(blocks=1) for name, p in net.populations.items() if p.model != INPUT}
    mapping = map_model(program, ONE_CHIP, Options(pins=pins, max_rows=rows))
    given = {name: train[None] for name, train in spikes.items()}
    activity = ReferenceRunner().run(net, given, STEPS).activity
    each = step_by_step(program, ReferenceRunner(), given, STEPS, mapping, ONE_CHIP, "none")
    ledger, mean = (
        account(run, ONE_CHIP, get_host("cpu-generic"), "sample")
        for run in (each, loads(program, activity, mapping, ONE_CHIP, "none"))
    )
    parts = {name: band.nominal for name, band in ledger.by_component().items() if name in DYNAMIC}
    fired = sum(int(counts.sum()) for ports in activity.fired.values() for counts in ports.values())
    found = {"joules": sum(parts.values()), "seconds": ledger.seconds.nominal, **parts}
    found["mean joules"] = sum(band.nominal for name, band in mean.by_component().items() if name in DYNAMIC)
    found["mean seconds"] = mean.seconds.nominal
    return found, sanafe.export(mapping, net, ONE_CHIP, spikes), fired


def compared(count: int, python: str) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            found, files, fired = ours(*network(seed))
            place = Path(folder) / str(seed)
            place.mkdir()
            for name, text in files.items():
                (place / name).write_text(text)
            rows.append({"network": seed, "spikes": fired, "ours": found, "folder": str(place)})
        theirs = ask(python, "rival_sanafe_price.py", str(STEPS), *(row["folder"] for row in rows))["rows"]
    return [{**row, "sana_fe": other, "same_spikes": other["fired"] == row["spikes"]}
            for row, other in zip(rows, theirs, strict=True)]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--envs", type=Path, default=Path(".venv-rivals"))
    arguments = parser.parse_args()
    if arguments.install:
        install(["sanafe"], arguments.envs)
    python = interpreter("sanafe", arguments.envs)
    if python is None:
        raise SystemExit(f"no SANA-FE in {arguments.envs}: run again with --install")
    rows = compared(arguments.networks, python)
    same = [row for row in rows if row["same_spikes"]]
    print("| network | spikes | SANA-FE, uJ | ours | SANA-FE, us | ours |\n" + "|---" * 6 + "|")
    off: dict[str, list[float]] = {"joules": [], "seconds": [], "mean joules": [], "mean seconds": []}
    for row in same:
        there, here = row["sana_fe"], row["ours"]
        errors = {key: here[key] / there["total" if key.endswith("joules") else "seconds"] - 1 for key in off}
        for key, error in errors.items():
            off[key].append(error)
        print(
            f"| {row['network']} | {row['spikes']} | {1e6 * there['total']:.3f} | {errors['joules']:+.2%} "
            f"| {1e6 * there['seconds']:.1f} | {errors['seconds']:+.2%} |"
        )
    print(f"\n{len(same)} of {len(rows)} networks with the same spikes")
    for key, errors_of in off.items():
        size = np.abs(errors_of)
        bar = 0.05 if key.endswith("joules") else 0.1
        print(
            f"{key}: mean error {size.mean():.2%}, largest {size.max():.2%}, mean signed {np.mean(errors_of):+.2%}, "
            f"{(size <= bar).sum()} within {bar:.0%}"
        )


if __name__ == "__main__":
    main()
