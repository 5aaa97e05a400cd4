"""Bad input to the verbs of spiking networks, as met on the command line: a coded error with a fix, the right exit status,
nothing half-written.

Every case runs twice, for people and with ``--json``, in a folder that must be the same before and after, older files
of the names that are to be written included.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.frontends import hdf5_guard
from tests.pipeline.networks import DT, INPUTS, STEPS, World
from tests.tiny import Capture, Patch, refused

USER, NO_FIT = 2, 3
Case = Callable[[World], list[str]]


def convert(kind: str, *options: str) -> Case:
    """To the name of an older bundle, which must survive."""
    step = [] if kind == "net" or "--dt" in options or "--source" in options else ["--dt", "1e-3"]
    return lambda w: ["convert", str(getattr(w.f, kind)), "--out", w.nd(), *step, *options]


def source(make: Callable[[World], object], *options: str) -> Case:
    return lambda w: ["convert", str(make(w)), "--out", w.nd(), *options]


def on(verb: str, *options: str, bundle: str = "plain_nd") -> Case:
    """A verb on a mapped bundle with a good input."""
    return lambda w: [verb, w.nd(bundle), "--input", str(w.f.spikes), *options]


def fed(values: Any, verb: str = "run", bundle: str = "plain_nd", name: str = "x.npy") -> Case:
    return lambda w: [verb, w.nd(bundle), "--input", w.array(values, name), "--out", w.older("out.npz")]


def with_file(name: str, content: bytes | str, verb: str = "run") -> Case:
    return lambda w: [verb, w.nd(), "--input", w.file(name, content)]


def recorded(make: Callable[[], Any], bundle: str = "plain_nd", **nodes: Any) -> Case:
    def build(w: World) -> list[str]:
        import nir

        nir.write_data(w.here / "x.h5", nir.NIRGraphData({"input": nir.NIRNodeData({"spikes": make()})}))
        return ["run", w.nd(bundle), "--input", str(w.here / "x.h5")]

    return build


def events(index: int = 0, time: float = 0.0, neurons: Any = INPUTS, end: float = STEPS * DT) -> Callable[[], Any]:
    def make() -> Any:
        import nir

        return nir.EventData(np.array([[index]]), np.array([[time]]), neurons, end)

    return make


def state(change: Callable[[World, Path], object], *options: str, bundle: str = "plain_nd") -> Case:
    """Resume from a state that was changed."""

    def build(w: World) -> list[str]:
        from neurodeploy import pipeline

        path = w.here / "state"
        pipeline.run(w.f.plain_nd, input=w.f.spikes, steps=10, checkpoint=path)
        change(w, path)
        return ["run", w.nd(bundle), "--input", str(w.f.spikes), "--resume", str(path), *options]

    return build


def header(shape: str, descr: str = "|i1") -> bytes:
    """An .npy file that declares much and holds nothing."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def bomb(w: World) -> list[str]:
    import zipfile

    with zipfile.ZipFile(w.here / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input.npy", header(f"(1500000000, {INPUTS})", "<f8") + bytes(1 << 20))
    return ["run", w.nd(), "--input", str(w.here / "x.npz")]


def lm(verb: str, *options: str) -> Case:
    """A verb on a bundle of a language model."""
    return lambda w: [verb, str(w.bundle), *options]


def _huge(w: World) -> list[str]:
    """Valid NIR whose weights are not finite."""
    import nir

    lif = nir.LIF(*(np.full(2, value) for value in (0.01, 1.0, 0.0, 1.0, 0.0)))
    nir.write(w.here / "x.nir", nir.NIRGraph.from_list(nir.Linear(np.full((2, 2), np.nan)), lif))
    return ["convert", str(w.here / "x.nir"), "--out", w.nd(), "--dt", "1e-3"]


def _unsayable(w: World) -> list[str]:
    """A network that .net has no layer for."""
    return ["export", w.nd("graded_nd"), "--out", w.older("x.net")]


#: name: (code, exit status, what the message must name, arguments)
CASES: dict[str, tuple[str, int, str, Case]] = {
    # files to convert
    "no such NIR file": ("ND1001", USER, "gone.nir", source(lambda w: w.here / "gone.nir", "--dt", "1e-3")),
    "no such .net": ("ND1001", USER, "gone.net", source(lambda w: w.here / "gone.net")),
    "NIR by name only": ("ND1280", USER, "x.nir", source(lambda w: w.file("x.nir"), "--dt", "1e-3")),
    ".net by name only": ("ND1280", USER, "x.net", source(lambda w: w.file("x.net"))),
    "empty NIR file": ("ND1280", USER, "x.nir", source(lambda w: w.file("x.nir", b""), "--dt", "1e-3")),
    "half a .net": (
        "ND1280", USER, "x.net", source(lambda w: w.file("x.net", w.f.net.read_bytes()[:3000]))
    ),
    "half a NIR file": (
        "ND1280", USER, "x.nir", source(lambda w: w.file("x.nir", w.f.plain.read_bytes()[:3000]), "--dt", "1e-3")
    ),
    "weights that are not finite": ("ND1204", USER, "weight", _huge),
    "NIR without a time step": ("ND1212", USER, "0.001", source(lambda w: w.f.plain)),
    "a time step of zero": ("ND1212", USER, "0.0", convert("plain", "--dt", "0")),
    "a time step that is no number": ("ND1212", USER, "nan", convert("plain", "--dt", "nan")),
    "a time step longer than a time constant": ("ND1271", USER, "hidden", convert("plain", "--dt", "0.05")),
    # options to convert
    "unknown source": ("ND1270", USER, "snntorch", convert("plain", "--source", "nest", "--dt", "1e-3")),
    "unknown reset": ("ND1212", USER, "subtract", convert("plain", "--reset", "zero")),
    "unknown gain": ("ND1212", USER, "physical", convert("plain", "--gain", "huge")),
    "unknown scheme": ("ND1240", USER, "euler", convert("plain", "--scheme", "midpoint")),
    "too many weight bits": ("ND1240", USER, "1..8", convert("plain", "--weight-bits", "9")),
    "unknown bridge": ("ND3265", USER, "lava-dl", convert("plain", "--compat", "slayer")),
    "the other bridge": ("ND3265", USER, "--compat lava,", convert("plain", "--compat", "lava-dl")),
    "what the bridge refuses": ("ND1245", USER, "(1,)", convert("plain", "--compat", "lava")),
    "a bridge and bits": ("ND3261", USER, "--weight-bits", convert("plain", "--compat", "lava", "--weight-bits", "4")),
    "a source and a scheme": (
        "ND3261", USER, "sinabs", convert("plain", "--source", "sinabs", "--scheme", "euler")
    ),
    "a repair without a source": ("ND3261", USER, "--source", convert("plain", "--v-reset", "0.5")),
    "a gain without a source": ("ND3261", USER, "--source", convert("plain", "--unit-gain")),
    "an option of .net for NIR": ("ND3261", USER, "--skip-layers", convert("plain", "--skip-layers", "1")),
    "an option of NIR for .net": ("ND3261", USER, "--source", convert("net", "--source", "norse")),
    "calibration of a .net": ("ND3261", USER, "--calibration", convert("net", "--calibration", "x.npy")),
    "an option of language models": ("ND3264", USER, "--preset", convert("net", "--preset", "quick")),
    "an option of networks for a language model": (
        "ND3264", USER, "--dt", lambda w: ["convert", str(w.here), "--out", w.nd(), "--dt", "1e-3"]
    ),
    "a .net with a time step that is none": ("ND3267", USER, "-1.0 s", convert("net", "--dt", "-1")),
    "a shape of words": ("ND1100", USER, "200,66,3", convert("net", "--input-shape", "wide")),
    "more layers skipped than there are": ("ND1289", USER, "skipped", convert("net", "--skip-layers", "9")),
    "no calibration": ("ND3251", USER, "gone.npy", convert("plain", "--calibration", "gone.npy")),
    "calibration of another width": (
        "ND3252", USER, "(40, 5)",
        lambda w: ["convert", str(w.f.plain), "--out", w.nd(), "--dt", "1e-3", "--calibration", w.array(np.ones((40, 5)))]
    ),
    "out is a file": (
        "ND5004", USER, "thesis.nd", lambda w: ["convert", str(w.f.net), "--out", w.older("thesis.nd")]
    ),
    "out is the source": (
        "ND5004", USER, "x.net", lambda w: ["convert", (p := w.file("x.net", w.f.net.read_bytes())), "--out", p]
    ),
    # the wrong kind of bundle, or of input
    "no input": ("ND3262", USER, "--input", lambda w: ["run", w.nd()]),
    "no input to evaluate": ("ND3262", USER, "--input", lambda w: ["eval", w.nd()]),
    "no input to price": ("ND3262", USER, "--input", lambda w: ["energy", w.nd()]),
    "no input to report": ("ND3262", USER, "--input", lambda w: ["report", w.nd(), "--out", "r.html"]),
    "a text for a network": ("ND3262", USER, "spiking network", lambda w: ["run", w.nd(), "--text", w.file("t.txt")]),
    "a stream for a language model": ("ND3262", USER, "--text", lm("run", "--input", "x.npy")),
    "no text for a language model": ("ND3262", USER, "--text", lm("eval")),
    "a prompt for a network": ("ND3260", USER, "--input", lambda w: ["generate", w.nd(), "--prompt", "a"]),
    "a language model as .net": ("ND1290", USER, "inputs", lm("export", "--out", "x.net")),
    "tokens of a network": ("ND3264", USER, "--max-tokens", on("run", "--max-tokens", "9")),
    "priced tokens of a network": ("ND3264", USER, "--tokens", on("energy", "--tokens", "9")),
    "eval of a network without float": ("ND3264", USER, "--no-float", on("eval", "--no-float")),
    "steps of a language model": ("ND3264", USER, "--steps", lm("run", "--text", "t", "--steps", "3")),
    "a checkpoint of a language model": ("ND3264", USER, "--checkpoint", lm("run", "--text", "t", "--checkpoint", "c")),
    "probes of a language model": ("ND3264", USER, "--probe", lm("report", "--out", "r.html", "--probe", "a.v")),
    "labels of a language model": ("ND3264", USER, "--labels", lm("eval", "--text", "t", "--labels", "l.npy")),
    # streams
    "no such input": ("ND3251", USER, "gone.npy", lambda w: ["run", w.nd(), "--input", "gone.npy"]),
    "the input is a folder": ("ND3251", USER, "is no file", lambda w: ["run", w.nd(), "--input", str(w.here)]),
    "the input is a text": ("ND1280", USER, "x.txt", with_file("x.txt", "spikes")),
    "the input is a network": ("ND3251", USER, "NIRData", lambda w: ["run", w.nd(), "--input", str(w.f.plain)]),
    "a damaged array": ("ND3251", USER, "x.npy", with_file("x.npy", b"\x93NUMPY")),
    "a damaged archive": ("ND3251", USER, "x.npz", with_file("x.npz", b"PK\x03\x04rest")),
    "another width": ("ND3252", USER, "(40, 7)", fed(np.ones((40, 7), bool))),
    "another name": ("ND3252", USER, "neurons", lambda w: _archive(w, neurons=np.ones((4, 8), int), more=np.ones(3))),
    "no step": ("ND3252", USER, "no time step", fed(np.ones((0, 8), bool))),
    "no sample": ("ND3252", USER, "no sample", fed(np.ones((0, 4, 8), bool))),
    "text": ("ND3253", USER, "<U1", fed(np.full((4, 8), "x"))),
    "fractions": ("ND3253", USER, "--calibration", fed(np.full((4, 8), 0.5))),
    "not finite": ("ND3253", USER, "not finite", fed(np.full((4, 8), np.inf))),
    "beyond 32 bits": ("ND3253", USER, "32 bits", fed(np.full((4, 8), 1 << 40))),
    "sizes for a network of spikes": ("ND3268", USER, "32 values", fed(np.full((4, 8), 2))),
    "an array of 16 terabytes": ("ND3254", USER, "2147483648", with_file("x.npy", header("(1000000000000, 16)"))),
    "an archive that unpacks to 96 gigabytes": ("ND3254", USER, "(1500000000, 8)", bomb),
    "events without a time step": ("ND3255", USER, "--dt", recorded(events(), "net_nd")),
    "events of no neuron": ("ND3255", USER, "1 of 1", recorded(events(index=8))),
    "events after the end": ("ND3255", USER, "0.04 s", recorded(events(time=1.0))),
    "events over centuries": ("ND3254", USER, "268435456", recorded(events(end=1e10))),
    "events without an end": ("ND3254", USER, "268435456", recorded(events(end=1e308))),
    "half a neuron": ("ND3251", USER, "8.5", recorded(events(neurons=8.5))),
    "steps below one": ("ND1100", USER, "--steps", on("run", "--steps", "0")),
    # runs
    "unknown runner": ("ND3257", USER, "reference", on("run", "--runner", "gpu")),
    "unknown runner to evaluate": ("ND3257", USER, "reference", on("eval", "--runner", "gpu")),
    "probe of no population": ("ND3258", USER, "hidden", on("run", "--probe", "middle.v")),
    "probe of no variable": ("ND3258", USER, "u, v, a, s", on("run", "--probe", "hidden.w")),
    "probe without a variable": ("ND3258", USER, "hidden", on("run", "--probe", "hidden")),
    "probe twice": ("ND3208", USER, "hidden.v", on("run", "--probe", "hidden.v", "--probe", "hidden.v")),
    "outputs into a folder": ("ND5004", USER, "is a folder", lambda w: on("run", "--out", str(w.here))(w)),
    "outputs below a file": ("ND5004", USER, "a.txt", lambda w: on("run", "--out", w.file("a.txt") + "/o.npz")(w)),
    "outputs to nowhere": ("ND5004", USER, "nowhere", lambda w: on("run", "--out", str(w.here / "nowhere" / "o.npz"))(w)),
    "state to nowhere": ("ND5004", USER, "nowhere", lambda w: on("run", "--checkpoint", str(w.here / "nowhere" / "s"))(w)),
    "one file for two": (
        "ND5004", USER, "two files", lambda w: on("run", "--out", w.older("o"), "--checkpoint", str(w.here / "o"))(w)
    ),
    "no state": ("ND3256", USER, "--checkpoint", on("run", "--resume", "gone")),
    "a state that is none": ("ND5011", USER, "state", state(lambda w, path: path.write_bytes(b"junk"))),
    "half a state": ("ND5011", USER, "state", state(lambda w, path: path.write_bytes(path.read_bytes()[:900]))),
    "a state of another network": ("ND5011", USER, "another program", state(lambda w, path: None, bundle="net_nd")),
    "a state of other samples": (
        "ND3259", USER, "3 samples, the input 1",
        lambda w: [
            *state(lambda w, path: None)(w)[:2], "--input", w.array(np.ones((40, 8), bool)),
            "--resume", str(w.here / "state"),
        ]
    ),
    "a state at the end": ("ND3259", USER, "10", state(lambda w, path: None, "--steps", "10")),
    # eval
    "eval of integers": ("ND3263", USER, "integers only", on("eval", bundle="net_nd")),
    "no labels": ("ND3269", USER, "No such file", on("eval", "--labels", "gone.npy")),
    "labels for other samples": (
        "ND3269", USER, "(5,)", lambda w: on("eval", "--labels", w.array([1, 2, 0, 1, 2], "l.npy"))(w)
    ),
    "labels of words": ("ND3269", USER, "<U1", lambda w: on("eval", "--labels", w.array(list("abc"), "l.npy"))(w)),
    # map, energy, report
    "system too small": (
        "ND2001", NO_FIT, "120 cores", lambda w: ["map", _wide(w), "--system", "oheo-gulch", "--max-rows", "1"]
    ),
    "unknown powering": ("ND3104", USER, "system", on("energy", "--powered", "all")),
    # export
    "export to an unknown format": ("ND5012", USER, ".onnx", lambda w: ["export", w.nd(), "--out", w.older("x.onnx")]),
    "export to nowhere": (
        "ND5004", USER, "nowhere", lambda w: ["export", w.nd("net_nd"), "--out", str(w.here / "nowhere" / "x.net")]
    ),
    "export into a folder": ("ND5004", USER, "folder", lambda w: ["export", w.nd(), "--out", _folder(w, "x.nir")]),
    "export without a time step": ("ND1250", USER, "dt", lambda w: ["export", w.nd("net_nd"), "--out", w.older("x.nir")]),
    "a time step that is known": (
        "ND3261", USER, "--dt", lambda w: ["export", w.nd(), "--out", w.older("x.nir"), "--dt", "1e-3"]
    ),
    "what a .net cannot say": ("ND1290", USER, "population", _unsayable),
}  # fmt: skip


def _archive(w: World, **arrays: Any) -> list[str]:
    np.savez(w.here / "x.npz", **arrays)
    return ["run", w.nd(), "--input", str(w.here / "x.npz")]


def _folder(w: World, name: str) -> str:
    (w.here / name).mkdir()
    return str(w.here / name)


def _wide(w: World) -> str:
    """121 neurons, one a core."""
    import nir

    from neurodeploy import pipeline

    lif = nir.LIF(*(np.full(121, value) for value in (0.01, 1.0, 0.0, 1.0, 0.0)))
    nir.write(w.here / "wide.nir", nir.NIRGraph.from_list(nir.Linear(np.ones((121, 2))), lif))
    pipeline.convert(w.here / "wide.nir", w.here / "wide.nd", dt=DT)
    return str(w.here / "wide.nd")


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, world: World, capsys: Capture, monkeypatch: Patch) -> None:
    code, status, says, build = CASES[name]
    monkeypatch.chdir(world.here)
    if not name.startswith("half a"):  # sound files, which need no process of their own to be read
        monkeypatch.setattr(hdf5_guard, "ISOLATE", False)
    arguments = build(world)
    refused(arguments, code, status, says, world.here, capsys)


def test_every_code_of_these_verbs_has_a_case() -> None:
    """ND3250 to ND3269 as they stand in the sources; the interrupt is in test_runs, ND3250 in test_export_of_layers."""
    import re

    root = Path(__file__).parents[2] / "neurodeploy"
    text = "".join(path.read_text(encoding="utf-8") for path in root.rglob("*.py"))
    raised = set(re.findall(r'Error\(\s*"(ND32[56][0-9])"', text))
    assert raised - {code for code, *_ in CASES.values()} == {"ND3250"}
    assert len(raised) > 15
