"""Metrics, picture and export through the verbs: JSON, terminal, page, folder."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from neurodeploy import cli, pipeline
from neurodeploy.frontends.lavadl.writer import write_net
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.pipeline.map_section import map_section
from neurodeploy.reporting.sections.chips import chips
from neurodeploy.reporting.sections.quality import quality
from neurodeploy.reporting.terminal import print_map
from partitioner.judge.summary import summary
from partitioner.mapper import map_model
from targets.systems import get_system
from tests.islands import hollow_island, hollow_program
from tests.pipeline.networks import chain


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judges")
    write_net(chain(), folder / "net.net")
    np.save(folder / "spikes.npy", np.random.default_rng(0).random((2, 30, 8)) < 0.3)
    pipeline.convert(folder / "net.net", folder / "net.nd")
    return folder / "net.nd"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as done:
        cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return int(str(done.value.code or 0)), said.out + said.err


def test_map_export_and_report_of_a_network(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = bundle.parent
    code, said = run(capsys, "export", bundle, "--format", "sanafe", "--out", here / "early")
    assert code == 2 and "ND2005" in said and not (here / "early").exists()
    code, said = run(capsys, "map", bundle, "--system", "oheo-gulch", "--json")
    metrics = json.loads(said)["metrics"]
    assert code == 0 and metrics["unit"] == "time step" and metrics["nulls"]["models"]
    assert metrics["mapper"]["seconds"] > 0 and metrics["mapper"]["peak_bytes"] > 1_000_000
    code, said = run(capsys, "map", bundle, "--system", "oheo-gulch", "-v")
    assert code == 0 and "Placement of the same cores" in said and "messages x hops, unicast" in said
    assert "sequential (row-major)" in said and "SANA-FE" not in said  # not priced: no row
    spikes = here / "spikes.npy"
    code, said = run(capsys, "export", bundle, "--format", "sanafe", "--out", here / "out", "--input", spikes)
    assert code == 0 and "2 files for SANA-FE" in said and "the first of 2 samples is played" in said
    assert {path.name for path in (here / "out").iterdir()} == {"arch.yaml", "network.yaml"}
    assert "layer1.0..5" in (here / "out" / "network.yaml").read_text()
    found = pipeline.report(bundle, here / "page.html", input=spikes)
    assert found["data"]["map"]["metrics"]["rates"] == "as counted in a run"
    page = (here / "page.html").read_text(encoding="utf-8")
    assert 'id="quality"' in page and "Null models" in page and "METIS" in page


def test_export_refuses_what_has_no_meaning(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = bundle.parent
    for arguments, code in (
        (["--format", "other", "--out", here / "x"], "ND5012"),
        (["--format", "sanafe", "--dt", "1", "--out", here / "x"], "ND3261"),
        (["--input", here / "spikes.npy", "--out", here / "x.net"], "ND3261"),
        (["--format", "sanafe", "--out", here / "net.net"], "ND5004"),
    ):
        status, said = run(capsys, "export", bundle, *arguments)
        assert status == 2 and code in said and not (here / "x").exists()


def test_the_page_of_a_large_program_draws_chips_and_links_in_few_bytes() -> None:
    islands = [hollow_island(f"layers.{k}.ff", 3072, 768, layer=k) for k in range(12)]
    program, system = hollow_program(ModelInfo("x", "x", 1, 1, 1, 1, "x"), islands), get_system("kapoho-point")
    mapping = map_model(program, system)
    section = map_section(program, mapping, system)
    assert "One square is one core" in "".join(map(str, chips({"map": section})))
    page = "".join(map(str, quality({"map": section})))
    assert "Cores of 12 layers" in page and page.count("<figure") >= mapping.chips_used + 1
    assert "messages there" in page and "<title>" in page and len(page) < 60_000
    json.dumps(section["picture"])
    text = io.StringIO()
    found = summary(mapping, program, system)
    print_map(found, Console(file=text, width=140))
    assert "transport energy" in text.getvalue() and "packets between chips" in text.getvalue()
    assert quality({**section, "metrics": None}) is None


def test_a_program_on_the_host_has_nothing_to_judge() -> None:
    program = hollow_program(ModelInfo("x", "x", 1, 1, 1, 1, "x"), [hollow_island("a", 9, 9)])
    system = get_system("oheo-gulch")
    mapping = replace(map_model(program, system), shards=())
    found = summary(mapping, program, system, judge=False)
    assert found["metrics"] is None
