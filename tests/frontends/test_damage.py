"""HDF5 files with changed bytes: read or refused with a code, never a crash, a hang or an endless allocation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import nir
import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.reader import read
from tests.frontends.lavadl.files import conv, cuba, dense, write
from tests.frontends.nir.files import DT, between, chain, cubalif, lif, ones, save
from tests.frontends.nir.test_reader import CONV2D
from tests.tiny import environment

POOL = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))


def good_nir(folder: Path) -> None:
    """Small files with all that matters: nesting, recurrence, convolutions, compression."""
    flat = nir.Flatten({"input": np.array([3, 4, 4])}, 0, -1)
    image = chain(
        CONV2D, nir.IF(*(ones(v, 3, 8, 8) for v in (1, 1, 0))), POOL, flat, nir.Linear(np.ones((2, 48))), lif(2)
    )
    save(folder, image, "good0.nir")
    inner = between(3, 3, "input n w n output", n=cubalif(3), w=nir.Linear(np.eye(3)))
    save(folder, between(3, 3, "input sub d output", sub=inner, d=nir.Delay(ones(0.003, 3))), "good1.nir")
    nir.write(folder / "good2.nir", chain(nir.Affine(np.ones((3, 2)), np.zeros(3)), lif(3)), compression=None)


def good_net(folder: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [
        {"type": "input", "shape": [2, 4, 4], "weight": [64.0], "bias": [0.0], **cuba()},
        conv(rng.integers(-20, 20, (3, 2, 3, 3)), [3, 2, 2], bias=np.arange(3.0)),
        {"type": "flatten", "shape": [12, 1, 1]},
        dense(2 * rng.integers(-60, 60, (5, 12)), delay=np.arange(5.0)),
        {**dense(2 * rng.integers(-60, 60, (4, 5))), "type": "dense_rec", "weight_rec": np.ones((4, 4))},
        {"type": "average", "shape": [2, 1, 1]},
    ]
    write(folder / "good.net", layers)


LONG = pytest.mark.real


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("reader", "first", "count"),
    [
        ("nir", 0, 150), pytest.param("nir", 150, 9850, marks=LONG),
        ("net", 0, 60), pytest.param("net", 0, 10_000, marks=LONG),
    ],
)  # fmt: skip
def test_damaged_files(reader: str, first: int, count: int, tmp_path: Path) -> None:
    {"nir": good_nir, "net": good_net}[reader](tmp_path)
    command = [sys.executable, "-m", "tests.frontends.fuzz_hdf5", reader, str(tmp_path), str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=3000)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    ends = Counter(found["ends"])
    assert found["wrong"] == [], found
    assert sum(ends.values()) == count
    assert count - ends["read"] > count // 10, "the damage does not reach what is read"
    if reader == "net":
        assert ends["ND1280"] > count / 20 and ends["read"] > count / 5


def test_a_file_is_read_in_a_process_of_its_own(tmp_path: Path, isolated: None) -> None:
    path = save(tmp_path, chain(nir.Affine(np.ones((3, 2)), np.zeros(3)), lif(3)))
    assert read(path, DT).neurons == 3
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"ND128[013]"):
        read(path, DT)
