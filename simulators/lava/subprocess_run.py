"""Starts the worker under Lava's interpreter, waits for it within a time-out, ends its whole process group.

Lava starts an operating-system process for every Lava process. When one of them dies the others may wait for ever, so the
worker reports each exception at once as a file, and this side looks for it while it waits.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy import errors
from neurodeploy.errors import TargetUnavailable
from simulators.lava.discovery import LavaInstallation, clean_environment

#: Between two looks at the worker, and for its processes to go after the first signal, seconds.
LOOK_SECONDS, GRACE_SECONDS = 0.02, 3.0
#: Of a trace in an error message.
TRACE_LINES = 6


class Finished(NamedTuple):
    """recorded : per run, key -> array. report : what the worker says: repairs, models chosen, seconds."""

    recorded: list[dict[str, NDArray[Any]]]
    report: dict[str, Any]


def run_worker(
    lava: LavaInstallation, runs: Sequence[dict[str, Any]], arrays: Mapping[str, NDArray[Any]], seconds: float
) -> Finished:
    """Run the job. ND4102 when it takes longer than `seconds`, ND4103 when an exception arises inside."""
    with tempfile.TemporaryDirectory(prefix="neurodeploy-lava-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch).resolve()
        package = Path(errors.__file__).resolve().parent
        job = {"package": str(package), "seconds": seconds, "runs": list(runs)}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
        with _worker(lava, folder) as (process, log):
            _wait(process, folder, log, seconds)
        report = json.loads((folder / "done.json").read_text(encoding="utf-8"))
        recorded = []
        for number in range(len(runs)):
            with np.load(folder / f"run_{number}.npz", allow_pickle=False) as file:
                recorded.append({key: file[key] for key in file.files})
        return Finished(recorded, report)


@contextlib.contextmanager
def _worker(lava: LavaInstallation, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """The worker in a process group of its own, which does not outlive the block."""
    log = folder / "output.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(lava.python), "-m", "worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=clean_environment(Path(__file__).resolve().parent),
            start_new_session=True,
        )
        try:
            yield process, log
        finally:
            end_group(process)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """First ask, so that Python's resource tracker, which ignores that signal, can still free shared memory; then kill."""
    for number, grace in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        until = time.monotonic() + grace
        while time.monotonic() < until:
            process.poll()
            if not _group_exists(process.pid):
                return
            time.sleep(LOOK_SECONDS)


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # what some systems say of a group of zombies
        return False
    return True


def _wait(process: subprocess.Popen[bytes], folder: Path, log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        ended = process.poll()
        _raise_failure(folder)
        if ended == 0 and (folder / "done.json").is_file():
            return
        if ended is not None:
            raise TargetUnavailable(
                "ND4103",
                "lava",
                f"the worker ended with status {ended}: {_tail(log.read_text(encoding='utf-8', errors='replace'))}",
                "check the installation with `neurodeploy doctor`",
            )
        if time.monotonic() > until:
            raise TargetUnavailable(
                "ND4102",
                "lava",
                f"the run did not end within {seconds:g} s and was stopped",
                "run fewer time steps, samples or neurons, or allow more time (LavaRunner(timeout=...))",
            )
        time.sleep(LOOK_SECONDS)


def _raise_failure(folder: Path) -> None:
    """The first exception that named its process, or any."""
    failures = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("failure_*.json"))]
    if not failures:
        return
    failure = next((f for f in failures if f["process"]), failures[0])
    where = failure["process"] or "the worker"
    raise TargetUnavailable(
        "ND4103",
        where,
        f"raised {failure['error']} inside Lava ({_tail(failure['trace'])})",
        "run the network with the reference simulator to see the values that lead there",
    )


def _tail(text: str) -> str:
    return " | ".join(line.strip() for line in text.strip().splitlines()[-TRACE_LINES:])
