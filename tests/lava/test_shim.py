"""The repair of Lava's import on Python 3.11 and later, on a module with the same fault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulators.lava.worker import shim

FAULTY = """
from dataclasses import dataclass, InitVar


@dataclass
class SmallEncoder:
    len: int = 0


@dataclass
class PlaceEncoder:
    x: SmallEncoder = SmallEncoder()
    y: SmallEncoder = SmallEncoder()
    count: int = 3
"""
USE = """
import sys
sys.path[:0] = [{worker!r}, {lava!r}]
{install}
from lava.magma.compiler.var_model import PlaceEncoder
one, two = PlaceEncoder(), PlaceEncoder()
assert one.x is not two.x and one.x == two.x and one.count == 3
"""


def run(tmp_path: Path, install: str) -> subprocess.CompletedProcess[str]:
    module = tmp_path / "lava" / "magma" / "compiler" / "var_model.py"
    module.parent.mkdir(parents=True)
    module.write_text(FAULTY, encoding="utf-8")
    code = USE.format(worker=str(Path(shim.__file__).parent), lava=str(tmp_path), install=install)
    return subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="older Pythons take the module as it is")
def test_the_fault_is_real(tmp_path: Path) -> None:
    assert "mutable default" in run(tmp_path, "").stderr


def test_the_repair(tmp_path: Path) -> None:
    install = "import shim; count = shim._load_var_model(); assert count == 2, count"
    done = run(tmp_path, install)
    assert done.returncode == 0, done.stderr


def test_it_says_whether_it_is_needed() -> None:
    assert shim.needed() == (sys.version_info >= (3, 11))
