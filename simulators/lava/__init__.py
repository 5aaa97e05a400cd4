"""Networks on a real Lava (lava-nc 0.10.0), in a subprocess that has its own interpreter: the oracle of our bits."""

from __future__ import annotations

from simulators.lava.discovery import LavaInstallation, describe, find_lava
from simulators.lava.runner import LavaResult, LavaRunner
from simulators.lava.scene import Program

__all__ = ["LavaInstallation", "LavaResult", "LavaRunner", "Program", "describe", "find_lava"]
