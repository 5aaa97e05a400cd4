"""The same spiking network on our runner and on other simulators, in turn, one thread each.

    python benchmarks/spiking_against_rivals.py [--install] [--envs FOLDER] [--rounds 2] [--json FILE] [NAME ...]

Every simulator runs in its own interpreter: ``NEURODEPLOY_RIVAL_<NAME>`` names one, else ``<envs>/env_<name>/bin/python``
is taken (for Lava also ``NEURODEPLOY_LAVA_PYTHON`` and ``.venv-lava``, see `make lava`); ``--install`` makes them. One
that is not there is skipped, and the table says so. In every round each rival is run right after ours; the ratio is the
middle of the rounds. Seconds are of the simulation alone: building the network and compiling are not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "rivals"))
import shared

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
#: Longest time for one run of one simulator, seconds.
LIMIT_S = 300
#: name -> (packages of its environment, steps in a run). Steps are as many as fit into a few seconds.
RIVALS: dict[str, tuple[tuple[str, ...], int]] = {
    "sanafe": (("sanafe==2.2.9", "numpy"), 200),
    "lava": (("lava-nc==0.10.0",), 300),
    "brian2": (("brian2==2.9.0", "numpy<2.4"), 1000),
    "nest": (("nest-simulator==3.10.0",), 1000),
    "snntorch": (("torch==2.13.0", "snntorch==1.0.0", "numpy"), 300),
    "norse": (("torch==2.13.0", "norse==1.1.0"), 300),
    "sinabs": (("torch==2.13.0", "sinabs==3.1.3"), 1000),
    "torch": (("torch==2.13.0",), 1000),
}
OURS_STEPS = 4000
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
    "NEURODEPLOY_THREADS": "1",
}  # fmt: skip


@dataclass
class Row:
    """Runs of one simulator, and those of ours that came right before them; `reason` if it did not run."""

    name: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    ours: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""


def interpreter(name: str, envs: Path) -> str | None:
    """The Python that has the simulator, or nothing."""
    if name == "torch":
        return sys.executable
    named = [os.environ.get(f"NEURODEPLOY_RIVAL_{name.upper()}")]
    places = [envs / f"env_{name}" / "bin" / "python"]
    if name == "lava":
        named.append(os.environ.get("NEURODEPLOY_LAVA_PYTHON"))
        places.append(ROOT / ".venv-lava" / "bin" / "python")
    found = [Path(path) for path in named if path] or places
    return next((str(path) for path in found if path.exists()), None)


def install(names: list[str], envs: Path) -> None:
    """Make the environments that are missing. A package that cannot be had is told, and its simulator skipped."""
    for name in names:
        if name in ("torch", "lava") or interpreter(name, envs) is not None:
            continue
        python = envs / f"env_{name}" / "bin" / "python"
        try:
            subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *RIVALS[name][0]], check=True)
        except subprocess.CalledProcessError:
            shutil.rmtree(python.parents[1], ignore_errors=True)
            print(f"{name} could not be installed", file=sys.stderr)


def run(python: str, script: str, work: str, steps: int) -> dict[str, Any]:
    """One run in its own process; raises `RuntimeError` with the last line that it printed."""
    environment = (
        {**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)} if script == "ours.py" else {**os.environ, **ONE_THREAD}
    )
    if script != "ours.py":
        environment.pop("PYTHONPATH", None)
    command = [python, "-W", "ignore", str(HERE / "rivals" / script), work, str(steps)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_S, env=environment, cwd=tempfile.gettempdir()
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"took longer than {LIMIT_S} s") from error
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise RuntimeError(said[:200])
    return dict(json.loads(lines[-1]))


def speed(line: dict[str, Any], clock: str = "seconds_cpu", what: str = "steps") -> float:
    return float(line[what]) / float(line[clock])


def compare(names: list[str], envs: Path, rounds: int, work: str) -> list[Row]:
    rows = {name: Row(name) for name in names}
    for turn in range(rounds):
        for name, row in rows.items():
            python = interpreter(name, envs)
            if row.reason:
                continue
            if python is None:
                packages = " ".join(RIVALS[name][0])
                row.reason = (
                    f"not installed: {packages} (`make rivals`, or name its Python in NEURODEPLOY_RIVAL_{name.upper()})"
                )
                continue
            print(f"round {turn + 1}: {name}", file=sys.stderr, flush=True)
            try:
                ours = run(sys.executable, "ours.py", work, OURS_STEPS)
            except RuntimeError as error:
                raise SystemExit(f"our own runner failed: {error}") from error
            try:
                row.runs.append(run(python, f"rival_{name}.py", work, RIVALS[name][1]))
                row.ours.append(ours)
            except RuntimeError as error:
                row.reason = str(error)
    return list(rows.values())


def table(rows: list[Row]) -> str:
    """One line a simulator: best of its rounds, and ours over theirs (the middle of the rounds)."""
    columns = (
        "simulator",
        "steps",
        "CPU steps/s",
        "wall steps/s",
        "M syn. events/s (CPU)",
        "ours is faster by (CPU / wall)",
    )
    head = f"| {' | '.join((*columns, 'counts energy', 'numbers', 'rates by layer, %'))} |"
    lines = [head, "|---" * 9 + "|"]
    ours = [line for row in rows for line in row.ours]

    def line(best: dict[str, Any], ratio: str) -> str:
        rates = " ".join(f"{100 * r:.2f}" for r in best["rates"])
        columns = (
            f"{best['simulator']} {best['version']}", best["steps"],
            f"{speed(best):,.0f}", f"{speed(best, 'seconds_wall'):,.0f}",
            f"{speed(best, what='synaptic_events') / 1e6:,.1f}", ratio, "yes" if best["counts_energy"] else "no",
            best["numerics"], rates,
        )  # fmt: skip
        return f"| {' | '.join(map(str, columns))} |"

    if ours:
        lines.append(line(max(ours, key=speed), "1"))
    for row in rows:
        if row.reason:
            lines.append(f"| {row.name} | - | - | - | - | {row.reason} | - | - | - |")
            continue
        ratios = [
            statistics.median(speed(a, clock) / speed(b, clock) for a, b in zip(row.ours, row.runs, strict=True))
            for clock in ("seconds_cpu", "seconds_wall")
        ]
        lines.append(line(max(row.runs, key=speed), f"{ratios[0]:,.1f} / {ratios[1]:,.1f}"))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(RIVALS)}; default all")
    parser.add_argument(
        "--envs", type=Path, default=ROOT / ".venv-rivals", help="folder of the environments env_<name>"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path, help="write all lines here")
    parser.add_argument("--install", action="store_true", help="make missing environments first (downloads packages)")
    arguments = parser.parse_args()
    names = arguments.names or list(RIVALS)
    if unknown := sorted(set(names) - set(RIVALS)):
        parser.error(f"no simulator {unknown[0]}; there are {', '.join(RIVALS)}")
    if arguments.install:
        install(names, arguments.envs)
    with tempfile.TemporaryDirectory() as folder:
        work = str(Path(folder) / "work.npz")
        shared.make(work, 1000)
        rows = compare(names, arguments.envs, arguments.rounds, work)
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps([row.__dict__ for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
