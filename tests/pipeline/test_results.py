"""What verbs return in Python: the data of ``--json``, and its words, pages, tables and charts."""

from __future__ import annotations

import copy
import csv
import json
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import BundleError, TargetUnavailable, UserError
from partitioner.files.json_form import mapping_from_json
from tests.pipeline.networks import Files
from tests.tiny import Cli, Patch


@pytest.fixture(scope="module")
def results(files: Files, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One of each kind: a spiking network through the verbs, beside what needs no bundle."""
    folder = tmp_path_factory.mktemp("results")
    fed = {"input": files.spikes}
    bundle = folder / "x.nd"
    return {
        "convert": nd.convert(files.plain, bundle, dt=1e-3), "map": nd.map(bundle, "oheo-gulch"),
        "run": nd.run(bundle, **fed), "eval": nd.eval(bundle, **fed), "energy": nd.energy(bundle, **fed),
        "explain": nd.explain(bundle), "verify": nd.verify(bundle), "doctor": nd.doctor(),
        "report": nd.report(bundle, folder / "r.html", **fed), "export": nd.export(bundle, folder / "x2.nir"),
        "fit": nd.fit("gemma3-1b", "oheo-gulch", bits=(8,)), "diff": nd.diff(bundle, files.plain_nd, **fed),
    }  # fmt: skip


VERBS = ("convert", "map", "run", "eval", "energy", "explain", "verify", "doctor", "report", "export", "fit", "diff")


@pytest.mark.parametrize("verb", VERBS)
def test_a_result_is_its_data(verb: str, results: dict[str, Any]) -> None:
    """Equal to a plain container, dumped as one, copied and pickled with the name of its verb."""
    found = results[verb]
    bare = list(found) if isinstance(found, list) else dict(found)
    assert found == bare and type(bare) in (list, dict)
    assert json.loads(json.dumps(found)) == json.loads(json.dumps(bare))
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert other == found and other.verb == verb and repr(other) == repr(found)


def test_the_command_line_prints_the_same_data(results: dict[str, Any], cli: Cli) -> None:
    bundle = results["convert"]["bundle"]
    assert cli.json("explain", bundle) == results["explain"]
    assert cli.json("verify", bundle) == results["verify"]


@pytest.mark.parametrize("verb", VERBS)
def test_words_are_few_and_are_the_terminals(verb: str, results: dict[str, Any], capsys: Any) -> None:
    lines = repr(results[verb]).splitlines()
    assert 1 <= len(lines) <= 5 and max(map(len, lines)) <= 120 and not lines[0].startswith(("{", "["))
    results[verb].show()
    printed = capsys.readouterr().out
    assert printed.startswith(lines[0].rstrip("…")), "the whole begins with the answer"


def test_the_first_line_answers(results: dict[str, Any]) -> None:
    mapping = mapping_from_json(open_bundle(results["convert"]["bundle"]).read_mapping())
    first, second = repr(results["map"]).splitlines()[:2]
    assert first == f"oheo-gulch: fits, {mapping.chips_used} of 1 chip"
    assert second.startswith(f"{mapping.cores_used} core")
    assert ": sound" in repr(results["verify"]).splitlines()[0]
    joules = results["energy"]["sample"]["joules_per_token"]["chip"]["nominal"]
    figure, unit = repr(results["energy"]).removeprefix("Sample: ").split()[:2]
    assert float(figure) * {"mJ": 1e-3, "µJ": 1e-6, "nJ": 1e-9}[unit] == pytest.approx(joules, rel=0.01)


def test_what_was_taken_apart_is_shown_as_it_is(results: dict[str, Any]) -> None:
    found = copy.copy(results["map"])
    found.clear()
    found["a"] = 1
    assert repr(found) == "{'a': 1}" and found._repr_html_() is None


def test_pages_have_the_sections_of_the_report(results: dict[str, Any]) -> None:
    """Section by section the same markup as on the report's own page."""
    page = Path(results["report"]["paths"][0]).read_text(encoding="utf-8")
    for verb, anchors in {"explain": ["operations"], "run": ["counts"], "report": ["map", "energy"]}.items():
        made = results[verb].to_html()
        for anchor in anchors:
            part = made[made.index(f'id="{anchor}"') :].partition("</section>")[0]
            assert len(part) > 200 and part in page
    assert 'id="energy"' in results["energy"].to_html()


@pytest.mark.parametrize("verb", VERBS)
def test_notebooks_get_a_frame_that_meets_nothing_of_theirs(verb: str, results: dict[str, Any]) -> None:
    shown = results[verb]._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and shown.count("<") == 2  # everything else is escaped in the attribute
    assert "http" not in results[verb].to_html().replace("http-equiv", "").partition("<main")[0]


class Pandas(ModuleType):
    """Stands for pandas: keeps what it is given."""

    @staticmethod
    def DataFrame(rows: list[list[Any]], columns: list[str]) -> list[dict[str, Any]]:
        return [dict(zip(columns, row, strict=True)) for row in rows]


def test_frames(results: dict[str, Any], monkeypatch: Patch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", Pandas("pandas"))
    run, energy = results["run"], results["energy"]
    by_name = {row.pop("name"): row for row in run.to_frame()}
    assert by_name == run["populations"]
    assert {row["target"] for row in run.to_frame("projections")} == {"hidden", "last"}
    dynamic = sum(row["joules.nominal"] for row in energy.to_frame())
    assert dynamic == pytest.approx(energy["sample"]["joules_per_token"]["wall"]["nominal"])
    values = {row["name"]: row["value"] for row in energy.to_frame("values")}
    assert (values["system"], values["sample.bound_by"]) == ("oheo-gulch", energy["sample"]["bound_by"])
    assert [row["path"] for row in results["explain"].to_frame()] == [row["path"] for row in results["explain"]]
    with pytest.raises(UserError, match=r"ND3300 nothere: .* choose one of values, populations, projections"):
        run.to_frame("nothere")


@pytest.mark.parametrize("verb", VERBS)
def test_every_table_is_a_csv_file(verb: str, results: dict[str, Any], tmp_path: Path) -> None:
    found = results[verb]
    for section in (None, *found.sections):
        place = found.save(tmp_path / "t.csv", section)
        with place.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert all(None not in row and None not in row.values() for row in rows)
        place.unlink()
    assert "values" in found.sections


def test_files(results: dict[str, Any], tmp_path: Path) -> None:
    found = results["map"]
    assert json.loads(found.save(tmp_path / "a.json").read_text()) == json.loads(json.dumps(found))
    assert found.save(tmp_path / "a.html").read_text(encoding="utf-8") == found.to_html()
    (tmp_path / "a.txt").write_text("mine")
    for place in ("a.txt", "a"):
        with pytest.raises(BundleError, match=r"ND5013 .*end it in \.json, \.csv or \.html"):
            found.save(tmp_path / place)
    assert (tmp_path / "a.txt").read_text() == "mine" and len(list(tmp_path.iterdir())) == 3
    with pytest.raises(BundleError, match="ND5004"):
        found.save(tmp_path / "a.json" / "b.json")


class Axes:
    """Stands for axes of matplotlib: keeps what is drawn."""

    def __init__(self) -> None:
        self.calls: dict[str, Any] = {}

    def barh(self, places: Any, widths: list[float], xerr: Any = None) -> None:
        self.calls |= {"widths": widths, "xerr": xerr}

    def set_yticks(self, places: Any, labels: list[str]) -> None:
        self.calls["labels"] = labels

    def set_title(self, text: str) -> None:
        self.calls["title"] = text

    def set_xlabel(self, text: str) -> None:
        self.calls["unit"] = text


CHARTED = ("energy", "map", "run", "explain", "eval", "fit", "report")


@pytest.mark.parametrize("verb", VERBS)
def test_charts(verb: str, results: dict[str, Any]) -> None:
    if verb not in CHARTED:
        with pytest.raises(UserError, match=f"ND3301 plot of {verb}: .*energy.*map"):
            results[verb].plot(Axes())
        return
    axes = results[verb].plot(Axes())
    assert axes.calls["widths"] and len(axes.calls["widths"]) == len(axes.calls["labels"])
    assert axes.calls["unit"] and axes.calls["title"]


def test_bars_of_energy_add_up(results: dict[str, Any]) -> None:
    """Bars of components to the joules at the wall."""
    drawn = results["energy"].plot(Axes()).calls
    wall = results["energy"]["sample"]["joules_per_token"]["wall"]
    assert drawn["unit"] == "J per sample" and sum(drawn["widths"]) == pytest.approx(wall["nominal"])
    parts = results["energy"]["sample"]["by_component"]
    for name, part in parts.items():
        own = [width for label, width in zip(drawn["labels"], drawn["widths"], strict=True) if label == name]
        assert sum(own) == pytest.approx(part["nominal"])
    assert min(map(min, drawn["xerr"])) >= 0 and set(drawn["labels"]) == set(parts)


@pytest.mark.parametrize(("call", "name"), [("to_frame", "pandas"), ("plot", "matplotlib.pyplot")])
def test_what_is_not_installed_is_named(call: str, name: str, results: dict[str, Any], monkeypatch: Patch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(TargetUnavailable, match=f"ND4006 {call}: needs {name}.*pip install {name.partition('.')[0]}$"):
        getattr(results["run"], call)()
