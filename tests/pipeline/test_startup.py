"""What a verb loads: a small spiking network needs neither torch nor compiled kernels, and the help needs nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.bundle import open_bundle
from neurodeploy.pipeline import streams
from simulators.fast.runner import FastRunner
from tests.pipeline.networks import Files, copied
from tests.tiny import Patch, scripted

#: Runs the command line and prints last which of the libraries that take long to load were loaded.
LOADED = """
import json, sys
from neurodeploy.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
heavy = "torch", "numba", "transformers", "rich", "numpy", "h5py", "nir", "tokenizers", "gguf"
print(json.dumps([name for name in heavy if name in sys.modules]))
"""


def loaded(*arguments: object) -> list[str]:
    done = scripted(LOADED, *arguments)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_the_help_loads_nothing() -> None:
    assert loaded("--help") == []


@pytest.mark.parametrize("verb", ["run", "energy", "map", "explain", "fit"])
def test_a_small_network_loads_neither_torch_nor_kernels(verb: str, files: Files, tmp_path: Path) -> None:
    fed = [files.plain_nd, "--input", files.spikes]
    arguments: dict[str, list[object]] = {
        "fit": ["gemma3-1b", "--bits", "8"], "map": [copied(files.plain_nd, tmp_path)], "explain": [files.plain_nd],
    }  # fmt: skip
    found = loaded(verb, *arguments.get(verb, fed))
    assert "torch" not in found and "transformers" not in found
    assert verb not in ("run", "energy") or "numba" not in found


def test_the_reference_runs_what_is_done_before_kernels_are_loaded(files: Files, monkeypatch: Patch) -> None:
    """By the estimate of its time alone, and only where the kernels are not there already; with the same bits."""
    opened = open_bundle(files.plain_nd)
    stream = streams.stream_of(files.spikes, opened, None)
    assert streams.runner_for("fast", opened, stream.steps, stream.samples).name == "fast"  # this file loaded them
    monkeypatch.delitem(sys.modules, "simulators.fast.runner")
    small = streams.runner_for("fast", opened, stream.steps, stream.samples)
    assert small.name == "reference"
    assert streams.runner_for("fast", opened, 1_000_000, stream.samples).name == "fast"
    a, b = (runner.run(opened.program.network, stream.inputs, stream.steps) for runner in (small, FastRunner()))
    assert all(np.array_equal(a.outputs[name], b.outputs[name]) for name in b.outputs) and b.outputs
