"""What stands around Lava, without it: finding an interpreter, the import shim, tables of processes, projections."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import MODELS, initial_state, prepared_params
from neurodeploy.synapses import Conv, Dense, Sparse, build
from simulators.lava import discovery
from simulators.lava.connections import SparseMatrix, connection
from simulators.lava.connections import refused as reason_against
from simulators.lava.discovery import LavaInstallation
from simulators.lava.models import LAVA
from simulators.lava.scene import _buffer, pending_of
from simulators.lava.subprocess_run import run_worker
from simulators.lava.worker import shim
from tests.networks.random_networks import lava_models
from tests.refusals import refused


def test_every_model_that_lava_has_runs_there() -> None:
    assert set(LAVA) == set(lava_models())


@pytest.mark.parametrize("name", sorted(LAVA))
def test_rows_agree_with_the_models(name: str) -> None:
    """The same ports and outputs as the model's own file says; process and ProcessModel are taken from there."""
    row, model = LAVA[name], MODELS[name]
    assert (set(row.ports), set(row.outputs)) == (set(model.ports), set(model.outputs))
    assert row.process.startswith("lava.proc.") and row.model in str(model.lava)


@pytest.mark.parametrize(
    ("model", "params", "initial", "size", "reason"),
    [
        ("inv_sqrt", {}, {}, 2, "one neuron"),
        ("inv_sqrt", {}, {}, 1, ""),
        ("lif", {"du": 1, "dv": np.array([1, 2]), "vth": 3}, {"v": 5}, 2, ""),
    ],
)
def test_what_a_row_refuses(model: str, params: dict, initial: dict, size: int, reason: str) -> None:  # type: ignore[type-arg]
    population = Population("p", (size,), model, params, initial)
    state = {name: values[0] for name, values in initial_state(population, 1).items()}
    assert reason in LAVA[model].refuses(prepared_params(population), state, size)
    assert bool(reason) == bool(LAVA[model].refuses(prepared_params(population), state, size))


def test_a_reset_keeps_its_phase() -> None:
    params = prepared_params(
        Population("p", (1,), "lif_reset", {"du": 1, "dv": 2, "vth": 3, "reset_interval": 5, "reset_offset": 1})
    )
    arguments = LAVA["lif_reset"].arguments(params, 8)
    # Step t of the run is step t + 8: both clear the state, or neither.
    for t in range(1, 20):
        assert (t % 5 == arguments["reset_offset"] % 5) == ((t + 8) % 5 == 1)


def test_a_worker_that_ends_without_a_word(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nraise SystemExit('no such luck')\n", encoding="utf-8")
    python.chmod(0o755)
    lava = LavaInstallation(python, "0.10.0", (3, 10, 0), "1.26.4", "1.15.3")
    with pytest.raises(TargetUnavailable, match="ND4103 lava: the worker ended with status 1: no such luck"):
        run_worker(lava, [], {}, 20.0)


MIXED = np.array([[2, -4, 0], [6, 8, -10]], np.int8)
SPARSE = build.sparse_from_coo(2, 3, np.array([0, 1, 1]), np.array([1, 0, 2]), np.array([-4, 6, 8]))


def projection(synapse: Dense | Sparse | Conv, **given: object) -> Projection:
    return Projection("p", "a", "b", synapse, **given)  # type: ignore[arg-type]


def dense_of(matrix: SparseMatrix) -> np.ndarray:
    found = np.zeros(matrix.shape, np.int64)
    for row in range(matrix.shape[0]):
        for at in range(matrix.indptr[row], matrix.indptr[row + 1]):
            found[row, matrix.indices[at]] = matrix.data[at]
    return found


def test_dense() -> None:
    made = connection(projection(Dense(np.asfortranarray(MIXED)), weight_exp=-3, weight_bits=8, graded=True))
    assert (made.process, made.model, made.reason) == ("lava.proc.dense.process:Dense", "PyDenseModelBitAcc", "")
    assert made.arguments["weights"].dtype == np.int32
    assert np.array_equal(made.arguments["weights"], MIXED)
    assert made.arguments["weight_exp"] == -3
    assert made.arguments["num_message_bits"] > 0
    assert made.arguments["sign_mode"] == {"$member": "lava.utils.weightutils:SignMode:MIXED"}
    assert connection(projection(Dense(MIXED))).arguments["num_message_bits"] == 0


def test_axonal_delays_become_one_for_each_synapse() -> None:
    delay = np.array([0, 3, 1], np.uint8)
    made = connection(projection(Dense(MIXED), delay=delay))
    assert made.process.endswith("DelayDense")
    assert made.arguments["max_delay"] == 3
    assert made.arguments["delays"].dtype == np.int64
    assert np.array_equal(made.arguments["delays"], [[0, 3, 1], [0, 3, 1]])
    assert connection(projection(Dense(MIXED), delay=np.zeros(3, np.uint8))).process.endswith(":Dense")


def test_sparse_by_row() -> None:
    made = connection(projection(SPARSE))
    assert made.process == "lava.proc.sparse.process:Sparse"
    assert np.array_equal(dense_of(made.arguments["weights"]), [[0, -4, 0], [6, 0, 8]])
    delayed = connection(projection(SPARSE, delay=np.array([5, 0, 2], np.uint8)))
    assert delayed.process.endswith("DelaySparse")
    # In the order of the synapses by axon: (1, 0), (0, 1), (1, 2).
    assert np.array_equal(dense_of(delayed.arguments["delays"]), [[0, 0, 0], [5, 0, 2]])
    assert delayed.arguments["delays"].data.dtype == np.int64


def test_the_kernel_is_flipped_in_space_only() -> None:
    kernel = np.arange(2 * 2 * 3 * 1, dtype=np.int8).reshape(2, 2, 3, 1)
    made = connection(projection(Conv(kernel, (4, 5, 1), padding=(1, 0), stride=(2, 1))))
    assert made.process == "lava.proc.conv.process:Conv"
    assert np.array_equal(made.arguments["weight"][1, 0, 0, 0], kernel[1, 1, 2, 0])
    assert made.arguments["padding"] == [1, 0]
    assert made.arguments["input_shape"] == [4, 5, 1]


@pytest.mark.parametrize(
    ("synapse", "given", "reason"),
    [
        (Conv(np.ones((1, 2, 2, 1), np.int8), (4, 4, 1), transposed=True), {}, "transposed"),
        (Conv(np.ones((1, 2, 2, 1), np.int8), (2, 2, 1)), {"delay": np.full(4, 2, np.uint8)}, "no delays"),
        (Conv(np.ones((1, 2, 2, 1), np.int8), (2, 2, 1)), {"weight_exp": 1}, "ignores weight_exp"),
        (Conv(np.ones((128, 1, 1, 1), np.int8), (2, 2, 128), groups=128), {}, "128 does not fit"),
        (Conv(np.ones((1, 1, 1, 1), np.int8), (2, 2, 1), padding=(64, 0)), {}, "128 does not fit"),
        (Conv(np.ones((1, 3, 1, 1), np.int8), (150, 2, 1), dilation=(64, 1)), {}, "129 does not fit"),
        (Dense(MIXED), {"weight_bits": 16}, "these have 16"),
        (build.sparse_from_coo(2, 3, np.zeros(0, int), np.zeros(0, int), np.zeros(0, int)), {}, "empty"),
    ],
)
def test_what_lava_lacks_runs_as_ours(synapse: Dense | Sparse | Conv, given: dict[str, object], reason: str) -> None:
    p = projection(synapse, **given)
    made = connection(p)
    assert made.process == "own"
    assert reason in made.reason == reason_against(p)
    assert made.arguments["weight"].size == made.arguments["target"].size == made.arguments["delay"].size


@pytest.mark.parametrize(("bits", "mode"), [(8, "excitatory"), (8, "inhibitory"), (6, "mixed")])
def test_a_format_that_does_not_hold_the_weights(bits: int, mode: str) -> None:
    with pytest.raises(UserError, match="ND4104"):
        connection(projection(Dense(MIXED), weight_bits=bits, sign_mode=mode))


@pytest.mark.parametrize("depth", [1, 4])
def test_pending_sums_there_and_back(depth: int) -> None:
    delay = np.full(3, depth - 1, np.uint8)
    convolution = Conv(np.ones((2, 1, 1, 3), np.int8), (1, 1, 3))
    own = replace(projection(convolution), delay=delay, synapse=convolution)
    for p in (projection(Dense(MIXED), delay=delay), projection(SPARSE, delay=np.full(3, depth - 1, np.uint8)), own):
        pending = np.arange(p.depth * 2, dtype=np.int32).reshape(p.depth, 2)
        process = connection(p).process
        there = _buffer(p, process, pending)
        back = pending_of(p, process, there)
        assert back.dtype == np.int32
        assert np.array_equal(back, pending)


#: Answers the probe like an interpreter that has Lava.
FAKE = """#!{python}
import json
found = {{"lava-nc": "{version}", "numpy": "1.26.4", "scipy": "1.15.3", "networkx": "2.8.7"}}
print(json.dumps({{"python": {numbers}, "executable": "x", "found": found}}))
"""


def fake(path: Path, version: str = "0.10.0", numbers: tuple[int, int, int] = (3, 10, 13)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE.format(python=sys.executable, version=version, numbers=list(numbers)), encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(discovery.VARIABLE, raising=False)


def test_the_variable_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / ".venv-lava" / "bin" / "python")
    named = fake(tmp_path / "named", numbers=(3, 12, 1))
    monkeypatch.setenv(discovery.VARIABLE, str(named))
    found = discovery.find_lava()
    assert found is not None
    assert (found.python, found.version, found.needs_shim) == (named, "0.10.0", True)
    assert discovery.describe().startswith("lava: lava-nc 0.10.0 on Python 3.12.1, numpy 1.26.4, import repaired")


def test_the_environment_in_the_working_directory(tmp_path: Path) -> None:
    python = fake(tmp_path / ".venv-lava" / "bin" / "python")
    found = discovery.find_lava()
    assert found is not None
    assert (found.python, found.needs_shim) == (python, False)
    assert "repaired" not in discovery.describe()


@pytest.mark.parametrize("what", ["missing", "no lava", "no interpreter"])
def test_a_variable_that_names_something_else(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "python"
    if what == "no lava":
        path = fake(path, version="")
    elif what == "no interpreter":
        path.write_text("text", encoding="utf-8")
    monkeypatch.setenv(discovery.VARIABLE, str(path))
    error = refused(TargetUnavailable, "ND4101", discovery.find_lava)
    assert "make lava" in error.fix
    assert str(path) in discovery.describe()


def test_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "_candidates", lambda: iter(()))
    assert discovery.find_lava() is None
    error = refused(TargetUnavailable, "ND4100", discovery.require_lava)
    assert "make lava" in error.fix and discovery.VARIABLE in error.fix
    assert discovery.describe().startswith("lava: not installed; run `make lava`")


def test_nothing_of_this_interpreter_reaches_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/here")
    monkeypatch.setenv("PYTHONHOME", "/there")
    cleaned = discovery.clean_environment()
    assert "PYTHONPATH" not in cleaned and "PYTHONHOME" not in cleaned
    assert discovery.clean_environment(Path("/worker"))["PYTHONPATH"] == "/worker"


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
