"""Finds an interpreter with Lava: lava-nc 0.10.0 wants Python 3.10, so it usually has a virtual environment of its own.

Looked at in this order: the environment variable NEURODEPLOY_LAVA_PYTHON; ``.venv-lava`` in the working directory; the
same beside the checkout (what ``make lava`` makes); the running interpreter.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.errors import TargetUnavailable

VARIABLE = "NEURODEPLOY_LAVA_PYTHON"
FOLDER = ".venv-lava"
PROBE_SECONDS = 120.0
#: Run by a candidate: versions as JSON, nothing of Lava itself is imported.
PROBE = """
import importlib.metadata as m, json, sys
names = ("lava-nc", "numpy", "scipy", "networkx")
found = {}
for name in names:
    try:
        found[name] = m.version(name)
    except m.PackageNotFoundError:
        found[name] = None
print(json.dumps({"python": list(sys.version_info[:3]), "executable": sys.executable, "found": found}))
"""
HOW = (
    "run `make lava` (Python 3.10 to 3.13), or name an interpreter that has lava-nc 0.10.0 in the environment variable "
    f"{VARIABLE}"
)


@dataclass(frozen=True, slots=True)
class LavaInstallation:
    """An interpreter with Lava. `needs_shim`: its Python refuses Lava's source as it is (see `worker/shim.py`)."""

    python: Path
    version: str
    python_version: tuple[int, int, int]
    numpy: str
    scipy: str

    @property
    def needs_shim(self) -> bool:
        return self.python_version >= (3, 11, 0)

    def summary(self) -> str:
        """One line for people."""
        version = ".".join(str(part) for part in self.python_version)
        shim = ", import repaired for this Python" if self.needs_shim else ""
        return f"lava-nc {self.version} on Python {version}, numpy {self.numpy}{shim} ({self.python})"


def find_lava() -> LavaInstallation | None:
    """The first usable interpreter, None where there is none. ND4101 where the environment variable names a bad one."""
    if sys.platform == "win32":  # Lava's processes are forks
        return None
    named = os.environ.get(VARIABLE)
    if named:
        found = probe(named)
        if found is None:
            raise TargetUnavailable(
                "ND4101",
                VARIABLE,
                f"names {named}, which is not an interpreter with lava-nc, numpy and scipy",
                "name the python of an environment that has lava-nc 0.10.0, or unset the variable and run `make lava`",
            )
        return found
    return next((found for found in map(probe, _candidates()) if found is not None), None)


def require_lava() -> LavaInstallation:
    """`find_lava`, or ND4100."""
    found = find_lava()
    if found is None:
        raise TargetUnavailable("ND4100", "lava", "no interpreter with lava-nc was found", HOW)
    return found


def describe() -> str:
    """One line for `neurodeploy doctor`: what was found, or how to get it."""
    try:
        found = find_lava()
    except TargetUnavailable as error:
        return f"lava: {error.problem}; {error.fix}"
    return f"lava: not installed; {HOW}" if found is None else f"lava: {found.summary()}"


def _candidates() -> Iterator[str]:
    for folder in dict.fromkeys((Path.cwd(), Path(__file__).resolve().parents[2])):
        python = folder / FOLDER / "bin" / "python"
        if python.is_file():
            yield str(python)
    # A namespace package: the folder of this module is not on the path under that name.
    if importlib.util.find_spec("lava") is not None and sys.executable:
        yield sys.executable


@functools.cache
def probe(python: str) -> LavaInstallation | None:
    """Ask an interpreter what it has."""
    try:
        done = subprocess.run(
            [python, "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=True,
            env=clean_environment(),
        )
        answer = json.loads(done.stdout)
        found = answer["found"]
        if not (found["lava-nc"] and found["numpy"] and found["scipy"]):
            return None
        major, minor, micro = (int(part) for part in answer["python"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None
    return LavaInstallation(Path(python), found["lava-nc"], (major, minor, micro), found["numpy"], found["scipy"])


def clean_environment(path: Path | None = None) -> dict[str, str]:
    """This environment without what belongs to this interpreter; `path` is where the other one finds the worker."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    # Lava runs many processes: one thread each.
    kept.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    if path is not None:
        kept["PYTHONPATH"] = str(path)
    return kept
