"""Files with changed bytes: read or refused with a code, never a crash, a hang or an endless allocation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import nir
import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.reader import read
from tests.frontends.nir.files import DT, between, chain, cubalif, lif, ones, save
from tests.frontends.nir.test_reader import CONV2D

ROOT = Path(__file__).parents[3]
POOL = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))


def good_files(folder: Path) -> None:
    """Small files with all that matters: nesting, recurrence, convolutions, compression."""
    flat = nir.Flatten({"input": np.array([3, 4, 4])}, 0, -1)
    image = chain(
        CONV2D, nir.IF(*(ones(v, 3, 8, 8) for v in (1, 1, 0))), POOL, flat, nir.Linear(np.ones((2, 48))), lif(2)
    )
    save(folder, image, "good0.nir")
    inner = between(3, 3, "input n w n output", n=cubalif(3), w=nir.Linear(np.eye(3)))
    save(folder, between(3, 3, "input sub d output", sub=inner, d=nir.Delay(ones(0.003, 3))), "good1.nir")
    nir.write(folder / "good2.nir", chain(nir.Affine(np.ones((3, 2)), np.zeros(3)), lif(3)), compression=None)


def fuzz(folder: Path, first: int, count: int) -> dict[str, object]:
    good_files(folder)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.frontends.nir.fuzz_nir", str(folder), str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=3000)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def check(found: dict[str, object], count: int) -> None:
    assert found["seeds"] == [], found
    assert int(str(found.get("read", 0))) + int(str(found.get("refused", 0))) == count
    assert int(str(found.get("refused", 0))) > count // 10, "the damage does not reach what is read"


def test_damaged_files(tmp_path: Path) -> None:
    check(fuzz(tmp_path, 0, 150), 150)


@pytest.mark.real
def test_ten_thousand_damaged_files(tmp_path: Path) -> None:
    check(fuzz(tmp_path, 150, 9850), 9850)


def test_a_file_is_read_in_a_process_of_its_own(tmp_path: Path, isolated: None) -> None:
    path = save(tmp_path, chain(nir.Affine(np.ones((3, 2)), np.zeros(3)), lif(3)))
    assert read(path, DT).neurons == 3
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"ND128[013]"):
        read(path, DT)
