"""What stands around Lava, without it: finding an interpreter, the import shim, tables of processes, projections, and the
script that fetches its ground truth, on a small archive."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import TargetUnavailable, UserError
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import MODELS, initial_state, prepared_params
from neurodeploy.synapses import Conv, Dense, Sparse, build
from scripts import fetch_lava_ground_truth as script
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
    """The same process, model, ports and outputs as the model's own file says."""
    row, model = LAVA[name], MODELS[name]
    folder, process = row.process.split(":")
    assert model.lava is not None
    assert model.lava.startswith(f"{folder.removesuffix('.process')}: {process}, {row.model}")
    assert set(row.ports) == set(model.ports)
    assert set(row.outputs) == set(model.outputs)


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
    says = LAVA[model].refuses(prepared_params(population), state, size)
    assert reason in says and bool(reason) == bool(says)


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
    says = "ND4103 lava: the worker ended with status 1: no such luck"
    refused(TargetUnavailable, says, run_worker, lava, [], {}, 20.0)


MIXED = np.array([[2, -4, 0], [6, 8, -10]], np.int8)
SPARSE = build.sparse_from_coo(2, 3, np.array([0, 1, 1]), np.array([1, 0, 2]), np.array([-4, 6, 8]))


def projection(synapse: Dense | Sparse | Conv, **given: object) -> Projection:
    return Projection("p", "a", "b", synapse, **given)  # type: ignore[arg-type]


KERNEL = np.arange(2 * 2 * 3 * 1, dtype=np.int8).reshape(2, 2, 3, 1)


@pytest.mark.parametrize(
    ("synapse", "given", "process", "model", "arguments"),
    [
        (Dense(np.asfortranarray(MIXED)), {"weight_exp": -3, "weight_bits": 8, "graded": True},
         "lava.proc.dense.process:Dense", "PyDenseModelBitAcc",
         {"weights": MIXED.astype(np.int32), "weight_exp": -3, "num_message_bits": 24,
          "sign_mode": {"$member": "lava.utils.weightutils:SignMode:MIXED"}}),
        (Dense(MIXED), {}, "lava.proc.dense.process:Dense", "PyDenseModelBitAcc", {"num_message_bits": 0}),
        # Axonal delays become one for each synapse.
        (Dense(MIXED), {"delay": np.array([0, 3, 1], np.uint8)},
         "lava.proc.dense.process:DelayDense", "PyDelayDenseModelBitAcc",
         {"max_delay": 3, "delays": np.array([[0, 3, 1], [0, 3, 1]])}),
        (Dense(MIXED), {"delay": np.zeros(3, np.uint8)}, "lava.proc.dense.process:Dense", "PyDenseModelBitAcc", {}),
        # Sparse by row.
        (SPARSE, {}, "lava.proc.sparse.process:Sparse", "PySparseModelBitAcc",
         {"weights": np.array([[0, -4, 0], [6, 0, 8]], np.int32)}),
        (SPARSE, {"delay": np.array([5, 0, 2], np.uint8)},  # in the order of the synapses by axon: (1, 0), (0, 1), (1, 2)
         "lava.proc.sparse.process:DelaySparse", "PyDelaySparseModelBitAcc",
         {"delays": np.array([[0, 0, 0], [5, 0, 2]])}),
        # The kernel is flipped in space only.
        (Conv(KERNEL, (4, 5, 1), padding=(1, 0), stride=(2, 1)), {}, "lava.proc.conv.process:Conv", "PyConvModelFixed",
         {"weight": KERNEL[:, ::-1, ::-1].astype(np.int32), "padding": [1, 0], "input_shape": [4, 5, 1]}),
    ],
)  # fmt: skip
def test_arguments_of_a_process(
    synapse: Dense | Sparse | Conv, given: dict[str, object], process: str, model: str, arguments: dict[str, object]
) -> None:
    made = connection(projection(synapse, **given))
    assert (made.process, made.model, made.reason) == (process, model, "")
    for name, wanted in arguments.items():
        found = made.arguments[name]
        if isinstance(found, SparseMatrix):
            matrix, found = found, np.zeros(found.shape, found.data.dtype)
            found[np.repeat(np.arange(len(found)), np.diff(matrix.indptr)), matrix.indices] = matrix.data
        np.testing.assert_equal(found, wanted, name)
        assert getattr(found, "dtype", None) == getattr(wanted, "dtype", None), name


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
    refused(UserError, "ND4104", connection, projection(Dense(MIXED), weight_bits=bits, sign_mode=mode))


@pytest.mark.parametrize("depth", [1, 4])
def test_pending_sums_there_and_back(depth: int) -> None:
    delay = np.full(3, depth - 1, np.uint8)
    for synapse in (Dense(MIXED), SPARSE, Conv(np.ones((2, 1, 1, 3), np.int8), (1, 1, 3))):
        p = projection(synapse, delay=delay)
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


def test_the_variable_goes_before_the_environment_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, named = fake(tmp_path / ".venv-lava" / "bin" / "python"), fake(tmp_path / "named", numbers=(3, 12, 1))
    found = discovery.require_lava()
    assert (found.python, found.needs_shim) == (python, False) and "repaired" not in discovery.describe()
    monkeypatch.setenv(discovery.VARIABLE, str(named))
    found = discovery.require_lava()
    assert (found.python, found.version, found.needs_shim) == (named, "0.10.0", True)
    assert discovery.describe().startswith("lava: lava-nc 0.10.0 on Python 3.12.1, numpy 1.26.4, import repaired")


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


def archive(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in ("gts/small/out.npy", "tiny.net", "test_hdf5.py", "../../../../../../escaped.npy"):
            file.writestr(f"tests/lava/lib/dl/netx/{name}", name)
        file.writestr("lava/lib/dl/netx/hdf5.py", "code")
        file.writestr("tests/lava/lib/dl/slayer/other.npy", "other")
    return path


def test_only_the_data_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = archive(tmp_path / "wheel.whl")
    monkeypatch.setattr(script, "SHA256", script.digest(wheel))
    folder = tmp_path / "a" / "b" / "c" / "d" / "e" / "f" / "out"
    assert script.extract(wheel, folder) == (2, len("gts/small/out.npy") + len("tiny.net"))
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["a/b/c/d/e/f/out/gts/small/out.npy", "a/b/c/d/e/f/out/tiny.net", "wheel.whl"]
    assert (folder / "tiny.net").read_text() == "tiny.net"


def test_another_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="sha256"):
        script.extract(archive(tmp_path / "wheel.whl"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
