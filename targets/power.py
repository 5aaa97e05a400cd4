"""Energy counters of this machine, read and never written: RAPL for processors and their memory, NVML for NVIDIA cards.

Both say why when they cannot be read, so that a caller can pass the sentence on instead of a silent guess. `mean_watts` is
``(counter afterwards - counter before) / seconds``, over `LEAST_WINDOW_S` or longer.
"""

from __future__ import annotations

import importlib
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

RAPL_ROOT = Path("/sys/class/powercap")
#: Counters advance in steps: RAPL's of 1 ms, those of NVML of up to 0.1 s, which average a part of the time (arXiv
#: 2312.02741): a shorter window says little.
LEAST_WINDOW_S = 1.0
#: Between two readings of a machine at rest.
_NAP_S = 0.25


class EnergyCounter(Protocol):
    """Microjoules since some moment. `wrap_uj` is the value at which it starts again, 0 of one that does not."""

    @property
    def name(self) -> str: ...

    @property
    def wrap_uj(self) -> int: ...

    def read_uj(self) -> int: ...


@dataclass(frozen=True, slots=True)
class RaplDomain:
    """A package of the powercap tree, or the memory of one. `wrap_uj` is the value, in microjoule, at which its counter
    starts again."""

    path: Path
    name: str
    wrap_uj: int

    def read_uj(self) -> int:
        return int((self.path / "energy_uj").read_text())


@dataclass(frozen=True, slots=True)
class NvmlCounter:
    """Energy of a card since its driver was loaded. NVML's counter has 64 bits of millijoules: it does not start again."""

    nvml: Any
    handle: Any
    name: str
    wrap_uj: int = 0

    def read_uj(self) -> int:
        return int(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) * 1000


def rapl_domains(root: Path = RAPL_ROOT) -> tuple[tuple[RaplDomain, ...], str]:
    """The readable packages under `root`, the memory ("dram") of each and, where there is none, why. Other sub-domains
    (``:0:1``) are part of a package, and "psys" has the packages in it.

    The counters are readable by root alone on most systems (they leak what other programs do).
    """
    found = []
    problem = f"{root} has no intel-rapl domain"
    for path in sorted(root.glob("intel-rapl:*")):
        try:
            domain = RaplDomain(
                path, (path / "name").read_text().strip(), int((path / "max_energy_range_uj").read_text())
            )
            domain.read_uj()
        except (OSError, ValueError) as error:
            problem = f"{path}/energy_uj cannot be read ({error.__class__.__name__})"
            continue
        if domain.name.startswith("package") or domain.name == "dram":
            found.append(domain)
    return tuple(found), "" if found else problem


def energy_between(before_uj: int, after_uj: int, wrap_uj: int) -> float:
    """Joules between two readings of a counter that starts again at `wrap_uj` (at most one turn)."""
    delta = after_uj - before_uj
    return (delta if delta >= 0 else delta + wrap_uj) * 1e-6


def mean_watts(counters: Sequence[EnergyCounter], seconds: float, work: Callable[[], object] | None = None) -> float:
    """What these counters together draw, in watt, while `work` is done again and again, or at rest (None).

    The window has `LEAST_WINDOW_S` or `seconds`, whichever is longer, and ends with a whole repeat. Counters are read after
    each repeat, so that none starts again twice in between.
    """
    window, joules = max(seconds, LEAST_WINDOW_S), 0.0
    before, start = [counter.read_uj() for counter in counters], time.perf_counter()
    elapsed = 0.0
    while elapsed < window:
        if work is None:
            time.sleep(_NAP_S)
        else:
            work()
        after, elapsed = [counter.read_uj() for counter in counters], time.perf_counter() - start
        joules += sum(
            energy_between(old, new, counter.wrap_uj) for old, new, counter in zip(before, after, counters, strict=True)
        )
        before = after
    return joules / elapsed


def nvml_counter(index: int = 0) -> tuple[NvmlCounter | None, str]:
    """The energy counter of a card; None and the reason where it cannot be read. It is read once to see that it can."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None, "pynvml is not installed (pip install nvidia-ml-py)"
    try:
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        found = NvmlCounter(nvml, handle, _text(nvml.nvmlDeviceGetName(handle)))
        found.read_uj()
    except Exception as error:  # pynvml raises its own classes: no driver, no card, a card without the counter
        with suppress(Exception):
            nvml.nvmlShutdown()
        return None, f"NVML gives no energy of card {index} ({error.__class__.__name__})"
    return found, ""


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


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
