"""All verbs over a language model, a spiking network, both with a part on the host, a model without weights, and a language
model whose blocks are on the chip.

The steps of a kind follow one another as a user types them, and each test looks at what all kinds have in common. What a
kind cannot do, it refuses by name: `REFUSED`. Every answer is what its schema says (`neurodeploy.reporting.schemas`).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurodeploy.bundle import open_bundle
from neurodeploy.reporting import schemas
from tests.pipeline.networks import Files
from tests.tiny import Cli, unchanged

PROSE = "It was a bright cold day in April, and the clocks were striking thirteen. " * 3
ISLAND = "layers.1.mlp.down_proj"


@dataclass(frozen=True)
class Kind:
    """What the verbs of a kind are given beside the bundle; `on_host` names what `pin` leaves to the host, `export` what is
    written. A `model` that is a bundle was made in Python, and is copied."""

    model: Path
    convert: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    energy: list[str] = field(default_factory=list)
    on_host: str = ""
    export: str = "out.nir"


KINDS = (
    "language model", "spiking network", "host operations in time", "partly on the host", "spiking, partly on the host",
    "without weights", "blocks on the chip",
)  # fmt: skip
TEXT, SPIKES, HYBRID, MIXED, SPIKES_MIXED, HOLLOW, BLOCK = KINDS
#: What every report holds, of whatever is mapped.
SECTIONS = {"model", "run", "map", "explain", "traffic", "energy", "populations", "projections", "conversion"}
SECTIONS |= {"neurobench", "provenance"}
#: (verb, kind) -> the code with which it says that there is nothing to do.
REFUSED = {
    **{("generate", kind): "ND3260" for kind in (SPIKES, HYBRID, SPIKES_MIXED)},
    ("eval", HYBRID): "ND3263", ("export", HYBRID): "ND3291",
    **{(verb, HOLLOW): "ND2111" for verb in ("run", "generate", "eval", "export")},
}  # fmt: skip


def kinds(verb: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", [kind for kind in KINDS if (verb, kind) not in REFUSED])


@pytest.fixture(scope="module")
def world(
    llama: Path, files: Files, made: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Kind]:
    folder = tmp_path_factory.mktemp("world")
    text = folder / "prose.txt"
    text.write_text(PROSE)
    (folder / "hollow").mkdir()
    shutil.copy(llama / "config.json", folder / "hollow")
    quick, short = ["--preset", "quick", "--calibration-tokens", "96"], ["--text", str(text)]
    model = {"convert": quick, "given": short, "energy": ["--prompt-tokens", "8", "--tokens", "2"]}
    spiking = {"convert": ["--dt", "1e-3"], "given": ["--input", str(files.spikes)]}
    return {
        TEXT: Kind(llama, **model),
        SPIKES: Kind(files.plain, **spiking),
        HYBRID: Kind(made[0], given=["--input", str(made[1])]),
        MIXED: Kind(llama, **model, on_host=ISLAND),
        SPIKES_MIXED: Kind(files.plain, **spiking, on_host="hidden"),
        HOLLOW: Kind(folder / "hollow" / "config.json", **model),
        BLOCK: Kind(llama, **{**model, "convert": [*quick, "--on-chip", "block"]}, export="out.parts"),
    }


class Session:
    """A bundle of each kind, made when it is first wanted."""

    def __init__(self, world: dict[str, Kind], folder: Path) -> None:
        self.world, self.folder = world, folder
        self.made: dict[tuple[str, str], Any] = {}

    def bundle(self, kind: str) -> Path:
        return self.folder / f"{KINDS.index(kind)}.nd"

    def ask(self, cli: Cli, verb: str, kind: str, *more: object) -> Any:
        """The JSON of a verb on the mapped bundle."""
        for step in ("convert", "map"):
            self.step(cli, step, kind)
        found = cli.json(verb, self.bundle(kind), *more)
        schemas.check(verb, found)
        return found

    def step(self, cli: Cli, step: str, kind: str) -> Any:
        """`convert` or `map` of a kind, once."""
        given, bundle = self.world[kind], self.bundle(kind)
        if step == "convert" and given.model.suffix == ".nd" and not bundle.exists():
            self.made[step, kind] = {"bundle": shutil.copytree(given.model, bundle), "warnings": []}
        if (step, kind) not in self.made:
            pin = ["--pin", f"{given.on_host}=device:host"] if given.on_host else []
            arguments = {
                "convert": [given.model, "--out", bundle, *given.convert],
                "map": [bundle, "--system", "oheo-gulch", *pin],
            }
            self.made[step, kind] = cli.json(step, *arguments[step])
            schemas.check(step, self.made[step, kind])
        return self.made[step, kind]


@pytest.fixture(scope="module")
def session(world: dict[str, Kind], tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(world, tmp_path_factory.mktemp("session"))


@kinds("convert")
def test_convert(kind: str, session: Session, cli: Cli) -> None:
    found = session.step(cli, "convert", kind)
    assert Path(found["bundle"]) == session.bundle(kind)
    assert (session.bundle(kind) / "manifest.json").is_file() and found["warnings"] is not None


@kinds("map")
def test_map(kind: str, session: Session, cli: Cli) -> None:
    session.step(cli, "convert", kind)
    found = session.step(cli, "map", kind)
    assert found["violations"] == [] and found["fits"] == (not session.world[kind].on_host)
    assert 1 <= found["cores_lower_bound"] <= found["cores_used"]
    assert found["system"] == "oheo-gulch"


@kinds("run")
def test_run_counts_the_same_on_every_runner(kind: str, session: Session, cli: Cli) -> None:
    given = session.world[kind].given
    counts = []
    for runner in ("reference", "fast", "partitioned"):
        found = session.ask(cli, "run", kind, *given, "--runner", runner)
        assert found.pop("runner") == runner
        assert ("executed" in found) == (runner == "partitioned")
        assert found["populations"].keys() and found["projections"].keys() and found["steps"] * found["samples"] > 0
        assert set(found["on_host"]) == ({on_host} if (on_host := session.world[kind].on_host) else set())
        counts.append({key: value for key, value in found.items() if key not in ("executed", "seconds", "steps_per_s")})
    assert counts[0] == counts[1] == counts[2]


@kinds("generate")
def test_generate(kind: str, session: Session, cli: Cli) -> None:
    found = session.ask(cli, "generate", kind, "--prompt", "abc", "--tokens", "3")
    assert len(found["tokens"]) == 3


@kinds("eval")
def test_eval_compares_with_the_float_model(kind: str, session: Session, cli: Cli) -> None:
    found = session.ask(cli, "eval", kind, *session.world[kind].given)
    if "comparison" in found:
        (row,) = found["comparison"]
        share = 1 - row["differing"] / row["compared"]
    else:
        share = found["top1_agreement"]
    assert 0.5 < share <= 1


@kinds("energy")
def test_energy_grows_with_the_boundary(kind: str, session: Session, cli: Cli) -> None:
    given = session.world[kind]
    found = session.ask(cli, "energy", kind, *given.given, *given.energy)
    for name in ("step", "sample") if "step" in found else ("prefill", "generate"):
        phase = found[name]
        joules = [phase["joules_per_token"][name]["nominal"] for name in ("rails", "chip", "board", "wall")]
        assert joules[0] > 0 and joules == sorted(joules)
        assert phase["seconds_per_token"]["nominal"] > 0 and phase["entries"]


@kinds("explain")
def test_explain_names_what_is_on_the_host(kind: str, session: Session, cli: Cli) -> None:
    found = session.ask(cli, "explain", kind)
    devices = {row["path"].removeprefix("populations."): row["device"] for row in found}
    assert set(devices.values()) == {"chip", "host"}
    assert all(row["rule"] and row["reason"] for row in found if row["device"] == "host")
    on_host = session.world[kind].on_host
    assert not on_host or devices[on_host] == "host"


@kinds("report")
def test_report(kind: str, session: Session, cli: Cli, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    found = session.ask(cli, "report", kind, *session.world[kind].given, "--out", page)
    assert str(page) in map(str, np.ravel(list(found.values()) if isinstance(found, dict) else found))
    assert page.read_text(encoding="utf-8").startswith("<!")
    data = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert all(data[section] for section in SECTIONS)


@kinds("report")
def test_report_before_map_names_the_command(kind: str, session: Session, cli: Cli, tmp_path: Path) -> None:
    session.step(cli, "convert", kind)
    shutil.copytree(session.bundle(kind), tmp_path / "x.nd", ignore=shutil.ignore_patterns("mapping.json"))
    cli.json("report", tmp_path / "x.nd", *session.world[kind].given, "--out", tmp_path / "page.html")
    assert "neurodeploy map x.nd" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))["energy"] is None


@kinds("verify")
def test_verify_executes_the_mapping(kind: str, session: Session, cli: Cli) -> None:
    """Where there are weights to execute."""
    found = session.ask(cli, "verify", kind)
    assert found["mapped"] and found["violations"] == []
    assert found["executed"] is None if kind == HOLLOW else found["executed"]["cores"] >= 1


@kinds("export")
def test_export(kind: str, session: Session, cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / session.world[kind].export
    found = session.ask(cli, "export", kind, "--out", out)
    assert found["bytes"] > 0 and out.exists()


@kinds("verify")
def test_verbs_that_read_leave_the_bundle_alone(kind: str, session: Session, cli: Cli, tmp_path: Path) -> None:
    for step in ("convert", "map"):
        session.step(cli, step, kind)
    given, out = session.world[kind], ["--out", tmp_path / "page.html"]
    with unchanged(session.bundle(kind)):
        for verb, options in {
            "run": given.given, "eval": given.given, "energy": [*given.given, *given.energy], "explain": [],
            "verify": [], "report": [*given.given, *out], "export": ["--out", tmp_path / given.export],
        }.items():  # fmt: skip
            if (verb, kind) not in REFUSED:
                session.ask(cli, verb, kind, *options)
    open_bundle(session.bundle(kind))


def test_blocks_cross_less(session: Session, cli: Cli) -> None:
    """Of the same model: nothing of the block is left to the host but positions and attention, and the host waits less."""
    left = {}
    for kind in (TEXT, BLOCK):
        rows = session.ask(cli, "explain", kind)
        left[kind] = {row["op"] for row in rows if row["device"] == "host"}
    assert left[BLOCK] == {"embedding", "rope", "attention"} < left[TEXT]
    given = session.world[TEXT]
    seconds = [
        session.ask(cli, "energy", kind, *given.given, *given.energy)["generate"]["seconds_split"]["host link latency"]
        for kind in (TEXT, BLOCK)
    ]
    assert seconds[1] < seconds[0]


@pytest.mark.parametrize("kind", KINDS)
def test_fit(kind: str, session: Session, cli: Cli) -> None:
    """Of the bundle."""
    found = session.ask(cli, "fit", kind, "--system", "oheo-gulch")
    assert found["fits"] and "fits" in found["answer"]
    assert {row["bits"] for row in found["rows"]} == {8, 4, 2}


@pytest.mark.parametrize(("verb", "kind"), REFUSED)
def test_refusals_say_what_is_missing(verb: str, kind: str, session: Session, cli: Cli, tmp_path: Path) -> None:
    for step in ("convert", "map"):
        session.step(cli, step, kind)
    given = {
        "generate": ["--prompt", "abc"], "export": ["--out", str(tmp_path / "x.nir")]
    }.get(verb, session.world[kind].given)  # fmt: skip
    answer = cli(verb, session.bundle(kind), *given)
    assert (answer.status, answer.code) == (2, REFUSED[verb, kind]) and not list(tmp_path.iterdir())
