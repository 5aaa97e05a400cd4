"""Who wrote a file, which time step and which convention of R it speaks of, and the command that reads it as meant."""

from __future__ import annotations

import shlex
from pathlib import Path

import nir
import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.conventions import CONVENTIONS, TAKEN, read_as
from neurodeploy.frontends.nir.reader import Call, open_file, read
from neurodeploy.frontends.nir.writer import write
from neurodeploy.ir.float_network import Question
from simulators.float_network import run
from tests.frontends.nir.files import between, chain, lif, ones, save
from tests.interchange import cells
from tests.interchange.cells import FIXTURES, FRAMEWORKS
from tests.refusals import refused

#: Every file that the four frameworks wrote; that of snnTorch with an infinite tau is refused before anybody looks at it.
WRITTEN = [
    (name, entry["file"])
    for name in FRAMEWORKS
    for entry in cells.index(name)["cases"]
    if "file" in entry and (name, entry["case"]) != ("snntorch", "if")
]
#: Seconds of a step in the files of each, by its exporter's default.
STEPS = {"snntorch": 1e-4, "norse": 1e-3, "spikingjelly": 1e-4, "sinabs": 1.0}


@pytest.mark.parametrize(("framework", "file"), WRITTEN)
def test_the_writer_is_recognised(framework: str, file: str) -> None:
    assert open_file(FIXTURES / framework / file).source == framework


def test_nobody_is_named_without_marks(tmp_path: Path) -> None:
    assert open_file(save(tmp_path, between(2, 2, "input n output", n=lif(2)))).source == ""


@pytest.mark.parametrize("framework", ["snntorch", "sinabs", "spikingjelly"])
def test_a_step_that_contradicts_the_file_is_refused_with_the_whole_command(framework: str) -> None:
    """R = tau / dt of snnTorch (1e-4 s), R = 1 / dt of an IF of SpikingJelly, tau in steps of sinabs."""
    path = FIXTURES / framework / {"spikingjelly": "if.nir"}.get(framework, "lif.nir")
    dt = 2e-4
    call = Call(kept=("--weight-bits", "6", "--out", "my x.nd"))
    error = refused(ModelError, "ND1214", read_as, path, dt, call=call)
    assert f"{STEPS[framework]:.6g} s" in error.problem
    assert f"written by {framework}" in error.problem
    wanted = f"neurodeploy convert {shlex.quote(str(path))} --source {framework} --weight-bits 6 --out 'my x.nd'"
    assert wanted in error.fix and "--dt 0.0002 --gain physical" in error.fix
    taken = read_as(path, dt, gain="physical")  # at its word, as told
    assert taken.dt == dt
    assert read_as(path, None, framework).dt == STEPS[framework]


@pytest.mark.parametrize("kind", [nir.IF, nir.I])
def test_the_gain_of_an_integrator_speaks_of_a_step(tmp_path: Path, kind: type) -> None:
    rest = () if kind is nir.I else (ones(1, 2),)
    path = save(tmp_path, chain(kind(ones(1e4, 2), *rest)))
    refused(ModelError, r"ND1214.*0\.0001 s", read_as, path, 1e-3)
    assert read_as(path, 1e-4).dt == 1e-4


@pytest.mark.parametrize(
    ("neurons", "dt"),
    [
        ([(0.02, 1.0)], 1e-3),  # says nothing of a step
        ([(0.02, 0.5)], 1e-3),  # a step beyond tau is none that was meant
        ([(0.02, 19.0)], 1e-3),  # near enough: the gain is 0.95
        ([(0.02, 1e30)], 1e-3),  # a step that nobody means
        ([(0.0025, 24.0197)], 1e-4),  # Rockpool: tau / dt exp(-dt / tau)
        ([(2e-3, 2 * np.exp(-0.5))], 1e-3),  # the same, where the decay is large
        ([(0.02, 20.0), (0.02, 4.0)], 5e-3),  # layers that speak of different steps speak of none
    ],
)
def test_what_contradicts_nothing_is_read(tmp_path: Path, neurons: list[tuple[float, float]], dt: float) -> None:
    layers = [node for tau, r in neurons for node in (nir.Linear(np.eye(2)), lif(2, tau=tau, r=r))]
    network = read_as(save(tmp_path, chain(*layers)), dt)
    assert network.dt == dt and network.nodes["lif"].params["r"][0] == neurons[0][1]


def test_a_file_of_ours_keeps_its_step_and_asks_nothing(tmp_path: Path) -> None:
    write(read(save(tmp_path, chain(lif(2))), 1e-3), tmp_path / "own.nir")
    network = read_as(tmp_path / "own.nir", 1e-3)
    assert not any(isinstance(note, Question) for note in network.notes)
    refused(ModelError, r"ND1214.*neurodeploy_dt.*0\.001 s", read_as, tmp_path / "own.nir", 2e-3)


@pytest.mark.parametrize("gain", ["physical", "per-step"])
def test_a_file_of_ours_keeps_the_gain_that_was_told(gain: str, tmp_path: Path) -> None:
    """R = 1 of an IF would be taken per step: `eval` reads the float network back and must have what was converted."""
    network = read(save(tmp_path, chain(nir.IF(ones(1, 2), ones(0.01, 2)))), 1e-3, gain=gain)
    write(network, tmp_path / "own.nir")
    again = read(tmp_path / "own.nir", 1e-3)
    assert [node.gain for node in again.nodes.values() if node.kind == "if"] == [gain]


def test_a_file_of_ours_is_no_frameworks_whatever_it_came_from(tmp_path: Path) -> None:
    """Its reset one step later is in it as nodes: to read it as snnTorch's would add them again."""
    meant = read_as(FIXTURES / "snntorch" / "lif_subtract.nir", None, "snntorch")
    write(meant, tmp_path / "own.nir")
    assert open_file(tmp_path / "own.nir").source == ""
    again = read_as(tmp_path / "own.nir", 1e-4)
    assert set(again.nodes) == set(meant.nodes) and again.nodes["1"].reset == "subtract"
    refused(ModelError, "ND1270", read_as, tmp_path / "own.nir", 1e-4, "snntorch")


@pytest.mark.parametrize("framework", ["spikingjelly", "norse"])
def test_a_tau_shorter_than_the_step_names_the_command_too(framework: str) -> None:
    error = refused(ModelError, "ND1271", read_as, FIXTURES / framework / "lif.nir", 1e-3)
    assert f"--source {framework}" in error.fix and "source='norse'" in error.fix
    assert read_as(FIXTURES / "norse" / "lif.nir", 1e-3, "norse").nodes["1"].params["tau"].min() >= 1e-3


def test_without_a_source_the_question_names_the_writer_and_can_be_answered() -> None:
    path = FIXTURES / "snntorch" / "lif_subtract.nir"
    (question,) = [note for note in read_as(path, 1e-4).notes if isinstance(note, Question)]
    assert question.done == TAKEN and "--source snntorch" in question.found
    named = [note for note in read_as(path, None, "snntorch").notes if isinstance(note, Question)]
    assert ["reset subtract-next" in note.done and "--reset value" in note.done for note in named] == [True]
    assert not any(isinstance(note, Question) for note in read_as(path, None, "snntorch", reset="value").notes)
    told = read_as(path, 1e-4, "snntorch", reset="subtract-next")
    assert told.provenance["reset"] == "subtract-next" and TAKEN not in {note.done for note in told.notes}


@pytest.mark.parametrize("source", CONVENTIONS)
def test_a_source_alone_is_enough(source: str) -> None:
    """Its step, or a question where its exporter can be told another and the file does not say."""
    network = read_as(FIXTURES / source / "lif.nir", None, source)
    assert network.dt == STEPS[source]
    asked = any(isinstance(note, Question) and "time step" in note.found for note in network.notes)
    assert asked == (source in ("norse", "spikingjelly"))


def test_a_source_reads_the_step_that_its_exporter_was_told(tmp_path: Path) -> None:
    """SpikingJelly told dt=1e-3 writes r = tau / dt where input does not decay: the file says it."""
    network = read_as(FIXTURES / "spikingjelly" / "lif_no_input_decay.nir", None, "spikingjelly")
    asked = [note.found for note in network.notes if isinstance(note, Question)]
    assert network.dt == pytest.approx(1e-4) and not any("time step" in found for found in asked)


def test_another_step_than_the_sources_is_a_question() -> None:
    network = read_as(FIXTURES / "snntorch" / "lif.nir", 4e-4, "snntorch", reset="value")
    (asked,) = [note for note in network.notes if isinstance(note, Question)]
    assert asked.found == "time step 0.0004 s" and "written for 0.0001 s" in asked.done


@pytest.mark.parametrize("framework", ["snntorch", "norse", ""])
def test_the_command_of_a_missing_step(framework: str, tmp_path: Path) -> None:
    path = FIXTURES / framework / "lif.nir" if framework else save(tmp_path, chain(nir.Linear(np.eye(2)), lif(2)))
    error = refused(ModelError, "ND1212", read_as, path, None)
    more = f"--source {framework} --out lif.nd" if framework else "--dt 0.001 --out net.nd"
    assert f"neurodeploy convert {path} {more}" in error.fix
    assert framework or error.fix.endswith(more)


@pytest.mark.parametrize(("framework", "file"), WRITTEN)
@pytest.mark.parametrize("dt", [1e-3, 1e-4, 1.0])
def test_no_file_of_a_framework_is_silently_another_network(framework: str, file: str, dt: float) -> None:
    """Read with whatever step: refused with the command that reads it, or a question that names its source."""
    try:
        network = read_as(FIXTURES / framework / file, dt)
    except ModelError as error:
        assert error.code in ("ND1214", "ND1271") and f"--source {framework}" in error.fix
        return
    assert any(f"--source {framework}" in note.found for note in network.notes if isinstance(note, Question))


@pytest.mark.parametrize(
    ("r", "dt", "gain", "chosen", "added"),
    [
        (1.0, 1e-3, "auto", "per-step", 1.0),  # sinabs
        (1.0, 1.0, "auto", "physical", 1.0),
        (1000.0, 1e-3, "auto", "physical", 1.0),  # spikingjelly: r = 1 / dt
        (2.0, 1e-3, "auto", "physical", 2e-3),
        (1.0, 1e-3, "physical", "physical", 1e-3),
        (2.0, 1e-3, "per-step", "per-step", 2.0),
    ],
)
def test_integrators(tmp_path: Path, r: float, dt: float, gain: str, chosen: str, added: float) -> None:
    """The gain of a node, what one unit of input adds, and what is told."""
    network = read(save(tmp_path, chain(nir.I(ones(r, 1)))), dt, gain=gain)
    v = run(network, {"input": np.ones((1, 1, 1))}).outputs["output"][0, 0, 0]
    assert (network.nodes["i"].gain, float(v)) == (chosen, pytest.approx(added))
    told = " ".join(" ".join(note) for note in network.notes)
    assert f"gain {chosen}" in told and f"adds {added:.6g} a step" in told


def test_leaky_neurons_are_physical_and_the_time_step_meant_is_told(tmp_path: Path) -> None:
    path = save(tmp_path, chain(lif(2, tau=0.0025, r=25.0)))
    told = [" ".join(note) for note in read(path, 1e-4).notes]
    assert any("dt = 0.0001 s unit gain at the time step given" in line for line in told)
    told = [" ".join(note) for note in read(path, 1e-3).notes]
    assert any("for dt = 0.0001 s" in line and "the gain is 10 at dt = 0.001 s" in line for line in told)
    assert read(save(tmp_path, chain(lif(2))), 1e-3).notes == ()  # R = 1 says nothing
