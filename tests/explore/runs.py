"""Explorations of the embedded model as processes of their own, which can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.tiny import environment

#: What does not belong to the table: nothing. All three files are compared byte for byte.
ENDINGS = (".html", ".json", ".csv")
#: Four points, in seconds: two conversions, four mappings.
FEW = (
    "--over", "preset=quick", "--over", "calibration_tokens=256", "--over", "payload_bits=8,16", "--over",
    "objective=cores,energy", "--over", "system=oheo-gulch", "--max-tokens", "64", "--prompt-tokens", "4", "--tokens", "1",
)  # fmt: skip
#: Stages of FEW: conversions, losses, mappings, prices.
FEW_STAGES = 2 + 2 + 4 + 4
#: 24 points.
MANY = (
    "--over", "preset=quick,default,a8", "--over", "on_chip=projections,all", "--over", "system=oheo-gulch,kapoho-point",
    "--over", "objective=cores,energy",
)  # fmt: skip
MANY_STAGES = 6 + 6 + 24 + 24


def started(out: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "neurodeploy", "explore", "demo", *options, "--out", str(out)]
    return subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def done(out: Path, *options: str) -> str:
    """What a whole run says."""
    process = started(out, *options)
    said, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return said.decode()


def finished_stages(out: Path) -> int:
    work = out.with_suffix(".work")
    return len([*work.glob("*.json")]) if work.exists() else 0


def killed(out: Path, after: int, *options: str) -> int:
    """Kill a run and all its processes once `after` stages are finished; how many then were."""
    process = started(out, *options)
    while finished_stages(out) < after:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return finished_stages(out)


def table(out: Path) -> list[bytes]:
    return [out.with_suffix(ending).read_bytes() for ending in ENDINGS]
