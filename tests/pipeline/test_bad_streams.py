"""Bad input to the verbs of spiking networks, as met on the command line: a coded error with a fix, the right exit status,
nothing half-written.

Every case runs twice, for people and with ``--json``, in a folder that must be the same before and after, older files
of the names that are to be written included.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.frontends import hdf5_guard
from tests.pipeline.networks import DT, INPUTS, STEPS, World
from tests.tiny import Cli, Patch

Case = Callable[[World], list[str]]


def source(make: Callable[[World], object], *options: str) -> Case:
    return lambda w: w.typed("convert --out OLDER", make(w), *options)


def fed(values: Any) -> Case:
    return lambda w: w.typed("run PLAIN_ND --out OLDER/out.npz --input", w.array(values))


def with_file(name: str, content: bytes | str) -> Case:
    return lambda w: w.typed("run PLAIN_ND --input", w.file(name, content))


def recorded(
    index: int = 0, time: float = 0.0, neurons: Any = INPUTS, end: float = STEPS * DT, bundle: str = "PLAIN_ND"
) -> Case:
    """One event, as nir writes it."""

    def build(w: World) -> list[str]:
        events = nir.EventData(np.array([[index]]), np.array([[time]]), neurons, end)
        nir.write_data(w.here / "x.h5", nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": events})}))
        return w.typed(f"run {bundle} --input HERE/x.h5")

    return build


def state(change: Callable[[Path], object], rest: str = "run PLAIN_ND --input SPIKES") -> Case:
    """Resume from a state that was changed."""

    def build(w: World) -> list[str]:
        path = w.here / "state"
        pipeline.run(w.f.plain_nd, input=w.f.spikes, steps=10, checkpoint=path)
        change(path)
        return w.typed(rest, "--resume", path)

    return build


def header(shape: str, descr: str = "|i1") -> bytes:
    """An .npy file that declares much and holds nothing."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def bomb(w: World) -> list[str]:
    with zipfile.ZipFile(w.here / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input.npy", header(f"(1500000000, {INPUTS})", "<f8") + bytes(1 << 20))
    return w.typed("run PLAIN_ND --input HERE/x.npz")


def layer(w: World, weight: Any) -> Path:
    """NIR of one layer of LIF neurons."""
    neurons = nir.LIF(*(np.full(len(weight), value) for value in (0.01, 1.0, 0.0, 1.0, 0.0)))
    nir.write(w.here / "x.nir", nir.NIRGraph.from_list(nir.Linear(weight), neurons))
    return w.here / "x.nir"


def _archive(w: World, **arrays: Any) -> list[str]:
    np.savez(w.here / "x.npz", **arrays)
    return w.typed("run PLAIN_ND --input HERE/x.npz")


def _folder(w: World) -> list[str]:
    (w.here / "x.nir").mkdir()
    return w.typed("export PLAIN_ND --out HERE/x.nir")


def _wide(w: World) -> list[str]:
    """121 neurons, one a core."""
    pipeline.convert(layer(w, np.ones((121, 2))), w.here / "wide.nd", dt=DT)
    return w.typed("map HERE/wide.nd --system oheo-gulch --max-rows 1")


#: name: (code, what the message must name, what is typed)
CASES: dict[str, tuple[str, str, str | Case]] = {
    # files to convert
    "no such NIR file": ("ND1001", "gone.nir", "convert gone.nir --dt 1e-3 --out OLDER"),
    "no such .net": ("ND1001", "gone.net", "convert gone.net --out OLDER"),
    "NIR by name only": ("ND1280", "x.nir", source(lambda w: w.file("x.nir"), "--dt", "1e-3")),
    ".net by name only": ("ND1280", "x.net", source(lambda w: w.file("x.net"))),
    "empty NIR file": ("ND1280", "x.nir", source(lambda w: w.file("x.nir", b""), "--dt", "1e-3")),
    "half a .net": ("ND1280", "x.net", source(lambda w: w.file("x.net", w.f.net.read_bytes()[:3000]))),
    "half a NIR file": (
        "ND1280", "x.nir", source(lambda w: w.file("x.nir", w.f.plain.read_bytes()[:3000]), "--dt", "1e-3")
    ),
    "weights that are not finite": (
        "ND1204", "weight", source(lambda w: layer(w, np.full((2, 2), np.nan)), "--dt", "1e-3")
    ),
    "NIR without a time step": ("ND1212", "0.001", "convert PLAIN --out OLDER"),
    "a time step of zero": ("ND1212", "0.0", "convert PLAIN --out OLDER --dt 0"),
    "a time step that is no number": ("ND1212", "nan", "convert PLAIN --out OLDER --dt nan"),
    "a time step longer than a time constant": ("ND1271", "hidden", "convert PLAIN --out OLDER --dt 0.05"),
    # options to convert
    "unknown source": ("ND1270", "snntorch", "convert PLAIN --out OLDER --source nest --dt 1e-3"),
    "unknown reset": ("ND1212", "subtract", "convert PLAIN --out OLDER --dt 1e-3 --reset zero"),
    "unknown gain": ("ND1212", "physical", "convert PLAIN --out OLDER --dt 1e-3 --gain huge"),
    "unknown scheme": ("ND1240", "euler", "convert PLAIN --out OLDER --dt 1e-3 --scheme midpoint"),
    "too many weight bits": ("ND1240", "1..8", "convert PLAIN --out OLDER --dt 1e-3 --weight-bits 9"),
    "unknown bridge": ("ND3265", "lava-dl", "convert PLAIN --out OLDER --dt 1e-3 --compat slayer"),
    "the other bridge": ("ND3265", "--compat lava,", "convert PLAIN --out OLDER --dt 1e-3 --compat lava-dl"),
    "what the bridge refuses": ("ND1245", "(1,)", "convert PLAIN --out OLDER --dt 1e-3 --compat lava"),
    "a bridge and bits": (
        "ND3261", "--weight-bits", "convert PLAIN --out OLDER --dt 1e-3 --compat lava --weight-bits 4"
    ),
    "a source and a scheme": ("ND3261", "sinabs", "convert PLAIN --out OLDER --source sinabs --scheme euler"),
    "a repair without a source": ("ND3261", "--source", "convert PLAIN --out OLDER --dt 1e-3 --v-reset 0.5"),
    "a gain without a source": ("ND3261", "--source", "convert PLAIN --out OLDER --dt 1e-3 --unit-gain"),
    "an option of .net for NIR": ("ND3261", "--skip-layers", "convert PLAIN --out OLDER --dt 1e-3 --skip-layers 1"),
    "an option of NIR for .net": ("ND3261", "--source", "convert NET --out OLDER --source norse"),
    "calibration of a .net": ("ND3261", "--calibration", "convert NET --out OLDER --calibration x.npy"),
    "an option of language models": ("ND3264", "--preset", "convert NET --out OLDER --preset quick"),
    "an option of networks for a language model": ("ND3264", "--dt", "convert HERE --out OLDER --dt 1e-3"),
    "a .net with a time step that is none": ("ND3267", "-1.0 s", "convert NET --out OLDER --dt -1"),
    "a shape of words": ("ND1100", "200,66,3", "convert NET --out OLDER --input-shape wide"),
    "more layers skipped than there are": ("ND1289", "skipped", "convert NET --out OLDER --skip-layers 9"),
    "no calibration": ("ND3251", "gone.npy", "convert PLAIN --out OLDER --dt 1e-3 --calibration gone.npy"),
    "calibration of another width": (
        "ND3252", "(40, 5)",
        lambda w: w.typed("convert PLAIN --out OLDER --dt 1e-3 --calibration", w.array(np.ones((40, 5))))
    ),
    "out is a file": ("ND5004", "thesis.nd", "convert NET --out OLDER/thesis.nd"),
    "out is the source": (
        "ND5004", "x.net", lambda w: w.typed("convert --out", *[w.file("x.net", w.f.net.read_bytes())] * 2)
    ),
    # the wrong kind of bundle, or of input
    "no input": ("ND3262", "--input", "run PLAIN_ND"),
    "no input to evaluate": ("ND3262", "--input", "eval PLAIN_ND"),
    "no input to price": ("ND3262", "--input", "energy PLAIN_ND"),
    "no input to report": ("ND3262", "--input", "report PLAIN_ND --out r.html"),
    "a text for a network": ("ND3262", "spiking network", lambda w: w.typed("run PLAIN_ND --text", w.file("t.txt"))),
    "a stream for a language model": ("ND3262", "--text", "run LM --input x.npy"),
    "no text for a language model": ("ND3262", "--text", "eval LM"),
    "a prompt for a network": ("ND3260", "--input", "generate PLAIN_ND --prompt a"),
    "a language model as .net": ("ND1290", "inputs", "export LM --out x.net"),
    "tokens of a network": ("ND3264", "--max-tokens", "run PLAIN_ND --input SPIKES --max-tokens 9"),
    "priced tokens of a network": ("ND3264", "--tokens", "energy PLAIN_ND --input SPIKES --tokens 9"),
    "eval of a network without float": ("ND3264", "--no-float", "eval PLAIN_ND --input SPIKES --no-float"),
    "steps of a language model": ("ND3264", "--steps", "run LM --text t --steps 3"),
    "a checkpoint of a language model": ("ND3264", "--checkpoint", "run LM --text t --checkpoint c"),
    "probes of a language model": ("ND3264", "--probe", "report LM --out r.html --probe a.v"),
    "labels of a language model": ("ND3264", "--labels", "eval LM --text t --labels l.npy"),
    # streams
    "no such input": ("ND3251", "gone.npy", "run PLAIN_ND --input gone.npy"),
    "the input is a folder": ("ND3251", "is no file", "run PLAIN_ND --input HERE"),
    "the input is a text": ("ND1280", "x.txt", with_file("x.txt", "spikes")),
    "the input is a network": ("ND3251", "NIRData", "run PLAIN_ND --input PLAIN"),
    "a damaged array": ("ND3251", "x.npy", with_file("x.npy", b"\x93NUMPY")),
    "a damaged archive": ("ND3251", "x.npz", with_file("x.npz", b"PK\x03\x04rest")),
    "another width": ("ND3252", "(40, 7)", fed(np.ones((40, 7), bool))),
    "another name": ("ND3252", "neurons", lambda w: _archive(w, neurons=np.ones((4, 8), int), more=np.ones(3))),
    "no step": ("ND3252", "no time step", fed(np.ones((0, 8), bool))),
    "no sample": ("ND3252", "no sample", fed(np.ones((0, 4, 8), bool))),
    "text": ("ND3253", "<U1", fed(np.full((4, 8), "x"))),
    "fractions": ("ND3253", "--calibration", fed(np.full((4, 8), 0.5))),
    "not finite": ("ND3253", "not finite", fed(np.full((4, 8), np.inf))),
    "beyond 32 bits": ("ND3253", "32 bits", fed(np.full((4, 8), 1 << 40))),
    "sizes for a network of spikes": ("ND3268", "32 values", fed(np.full((4, 8), 2))),
    "an array of 16 terabytes": ("ND3254", "2147483648", with_file("x.npy", header("(1000000000000, 16)"))),
    "an archive that unpacks to 96 gigabytes": ("ND3254", "(1500000000, 8)", bomb),
    "events without a time step": ("ND3255", "--dt", recorded(bundle="NET_ND")),
    "events of no neuron": ("ND3255", "1 of 1", recorded(index=8)),
    "events after the end": ("ND3255", "0.04 s", recorded(time=1.0)),
    "events over centuries": ("ND3254", "268435456", recorded(end=1e10)),
    "events without an end": ("ND3254", "268435456", recorded(end=1e308)),
    "half a neuron": ("ND3251", "8.5", recorded(neurons=8.5)),
    "steps below one": ("ND1100", "--steps", "run PLAIN_ND --input SPIKES --steps 0"),
    # runs
    "unknown runner": ("ND3257", "reference", "run PLAIN_ND --input SPIKES --runner gpu"),
    "unknown runner to evaluate": ("ND3257", "reference", "eval PLAIN_ND --input SPIKES --runner gpu"),
    "probe of no population": ("ND3258", "hidden", "run PLAIN_ND --input SPIKES --probe middle.v"),
    "probe of no variable": ("ND3258", "u, v, a, s", "run PLAIN_ND --input SPIKES --probe hidden.w"),
    "probe without a variable": ("ND3258", "hidden", "run PLAIN_ND --input SPIKES --probe hidden"),
    "probe twice": ("ND3208", "hidden.v", "run PLAIN_ND --input SPIKES --probe hidden.v --probe hidden.v"),
    "outputs into a folder": ("ND5004", "is a folder", "run PLAIN_ND --input SPIKES --out HERE"),
    "outputs below a file": (
        "ND5004", "a.txt", lambda w: w.typed("run PLAIN_ND --input SPIKES --out", w.file("a.txt") + "/o.npz")
    ),
    "outputs to nowhere": ("ND5004", "nowhere", "run PLAIN_ND --input SPIKES --out HERE/nowhere/o.npz"),
    "state to nowhere": ("ND5004", "nowhere", "run PLAIN_ND --input SPIKES --checkpoint HERE/nowhere/s"),
    "one file for two": ("ND5004", "two files", "run PLAIN_ND --input SPIKES --out OLDER/o --checkpoint HERE/o"),
    "no state": ("ND3256", "--checkpoint", "run PLAIN_ND --input SPIKES --resume gone"),
    "a state that is none": ("ND5011", "state", state(lambda path: path.write_bytes(b"junk"))),
    "half a state": ("ND5011", "state", state(lambda path: path.write_bytes(path.read_bytes()[:900]))),
    "a state of another network": ("ND5011", "another program", state(lambda path: None, "run NET_ND --input SPIKES")),
    "a state of other samples": (
        "ND3259", "3 samples, the input 1",
        lambda w: state(lambda path: w.array(np.ones((40, 8), bool)), "run PLAIN_ND --input HERE/x.npy")(w)
    ),
    "a state at the end": ("ND3259", "10", state(lambda path: None, "run PLAIN_ND --input SPIKES --steps 10")),
    # eval
    "eval of integers": ("ND3263", "integers only", "eval NET_ND --input SPIKES"),
    "no labels": ("ND3269", "No such file", "eval PLAIN_ND --input SPIKES --labels gone.npy"),
    "labels for other samples": (
        "ND3269", "(5,)", lambda w: w.typed("eval PLAIN_ND --input SPIKES --labels", w.array([1, 2, 0, 1, 2]))
    ),
    "labels of words": (
        "ND3269", "<U1", lambda w: w.typed("eval PLAIN_ND --input SPIKES --labels", w.array(list("abc")))
    ),
    "labels of no neuron": (
        "ND3269", "names class 3 for sample 2, and no output has more than 3 neurons",
        lambda w: w.typed("eval PLAIN_ND --input SPIKES --labels", w.array([1, 3, 0]))
    ),
    "labels below zero": (
        "ND3269", "class -1 for sample 3",
        lambda w: w.typed("eval PLAIN_ND --input SPIKES --labels", w.file("l.txt", "0 1 -1"))
    ),
    # map, energy, report
    "a report with labels for other samples": (
        "ND3269", "has 4 numbers for 3 samples",
        lambda w: w.typed("report PLAIN_ND --input SPIKES --out HERE/r.html --labels", w.file("l.csv", "label\n0\n1\n2\n0"))
    ),
    "a report with labels that are no numbers": (
        "ND3269", "line 3: '2.5' is no whole number",
        lambda w: w.typed("report PLAIN_ND --input SPIKES --out HERE/r.html --labels", w.file("l.csv", "label\n0\n2.5\n1\n"))
    ),
    "a report with labels that are no text": (
        "ND3269", "cannot be read",
        lambda w: w.typed("report PLAIN_ND --input SPIKES --out HERE/r.html --labels", w.file("l.csv", b"\xff\xfe\x00"))
    ),
    "system too small": ("ND2001", "120 cores", _wide),
    "unknown powering": ("ND3104", "system", "energy PLAIN_ND --input SPIKES --powered all"),
    # export
    "export to an unknown format": ("ND5012", ".onnx", "export PLAIN_ND --out OLDER/x.onnx"),
    "export to nowhere": ("ND5004", "nowhere", "export NET_ND --out HERE/nowhere/x.net"),
    "export into a folder": ("ND5004", "folder", _folder),
    "export without a time step": ("ND1250", "dt", "export NET_ND --out OLDER/x.nir"),
    "a time step that is known": ("ND3261", "--dt", "export PLAIN_ND --out OLDER/x.nir --dt 1e-3"),
    "what a .net cannot say": ("ND1290", "population", "export GRADED_ND --out OLDER/x.net"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, world: World, cli: Cli, monkeypatch: Patch) -> None:
    code, says, case = CASES[name]
    monkeypatch.chdir(world.here)
    if not name.startswith("half a"):  # sound files, which need no process of their own to be read
        monkeypatch.setattr(hdf5_guard, "ISOLATE", False)
    typed = world.typed(case) if isinstance(case, str) else case(world)
    cli.refuses(typed, code, 3 if code == "ND2001" else 2, says, world.here)


def test_every_code_of_these_verbs_has_a_case() -> None:
    """ND3250 to ND3269 as they stand in the sources; the interrupt is in test_runs, ND3250 in test_export_of_layers."""
    root = Path(__file__).parents[2] / "neurodeploy"
    text = "".join(path.read_text(encoding="utf-8") for path in root.rglob("*.py"))
    raised = set(re.findall(r'Error\(\s*"(ND32[56][0-9])"', text))
    assert raised - {code for code, *_ in CASES.values()} == {"ND3250"}
    assert len(raised) > 15
