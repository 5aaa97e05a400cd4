"""Energy counters of this machine, read and never written: RAPL for processors, NVML for NVIDIA cards.

Both say why when they cannot be read, so that a caller can pass the sentence on instead of a silent guess.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

RAPL_ROOT = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class RaplDomain:
    """A package of the powercap tree. `wrap_uj` is the value, in microjoule, at which its counter starts again."""

    path: Path
    name: str
    wrap_uj: int

    def read_uj(self) -> int:
        return int((self.path / "energy_uj").read_text())


def rapl_domains(root: Path = RAPL_ROOT) -> tuple[tuple[RaplDomain, ...], str]:
    """The readable packages under `root` and, where there is none, why. Sub-domains (``:0:1``) are part of a package.

    The counters are readable by root alone on most systems (they leak what other programs do).
    """
    found = []
    problem = f"{root} has no intel-rapl domain"
    for path in sorted(root.glob("intel-rapl:*")):
        if path.name.count(":") != 1:
            continue
        try:
            domain = RaplDomain(
                path, (path / "name").read_text().strip(), int((path / "max_energy_range_uj").read_text())
            )
            domain.read_uj()
        except (OSError, ValueError) as error:
            problem = f"{path}/energy_uj cannot be read ({error.__class__.__name__})"
            continue
        if domain.name.startswith("package"):
            found.append(domain)
    return tuple(found), "" if found else problem


def energy_between(before_uj: int, after_uj: int, wrap_uj: int) -> float:
    """Joules between two readings of a counter that starts again at `wrap_uj` (at most one turn)."""
    delta = after_uj - before_uj
    return (delta if delta >= 0 else delta + wrap_uj) * 1e-6


def nvml_power_w() -> tuple[float | None, str]:
    """Power that the first card draws now, in watt, and who said so; None and the reason where nobody can.

    On A100 and H100 the reading averages a quarter of the run time (arXiv 2312.02741): read it on a quiet card, and
    for running work use energy counters over more than a second.
    """
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        try:
            milliwatt = nvml.nvmlDeviceGetPowerUsage(nvml.nvmlDeviceGetHandleByIndex(0))
            return milliwatt / 1000.0, "NVML (pynvml)"
        finally:
            nvml.nvmlShutdown()
    except Exception:  # pynvml raises its own classes, and is often there without a driver: nvidia-smi is the next try
        pass
    program = shutil.which("nvidia-smi")
    if program is None:
        return None, "neither pynvml nor nvidia-smi can read a card here"
    command = [program, "--query-gpu=power.draw", "--format=csv,noheader,nounits", "--id=0"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
        return float(answer.strip()), "nvidia-smi power.draw"
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return None, f"nvidia-smi gives no power ({error.__class__.__name__})"
