"""`calibrate` on mapped bundles, and `energy` with the coefficients that it has written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipeline.networks import Files, copied
from tests.tiny import Cli

HEADS = "bundle,input,phase,boundary,joules,seconds,error\n"


@pytest.fixture
def bundle(files: Files, tmp_path: Path, cli: Cli) -> Path:
    made = copied(files.plain_nd, tmp_path)
    cli.json("map", made, "--system", "oheo-gulch")
    (tmp_path / "in.npy").write_bytes(files.spikes.read_bytes())
    return made


def test_a_board_that_is_slower_and_dearer_is_found(bundle: Path, tmp_path: Path, cli: Cli) -> None:
    """Twice the seconds, and joules of 1.1 W in place of 1.75, by the account itself; afterwards it says so."""
    fed = [bundle, "--input", tmp_path / "in.npy"]
    before = cli.json("energy", *fed)["sample"]
    seconds = before["seconds_per_token"]["nominal"]
    table, made = tmp_path / "board.csv", tmp_path / "board.json"
    table.write_text(f"{HEADS}{bundle.name},in.npy,sample,board,{1.1 * 2 * seconds},{2 * seconds},0.02\n")
    found = cli.json("calibrate", table, "--out", made)
    assert found["figures"] == 2 and {row["quantity"] for row in found["rows"]} == {"joules", "seconds"}
    assert all(abs(row["error_after"]) < 0.05 < abs(row["error_before"]) for row in found["rows"])
    names = {row["name"] for row in found["coefficients"]}
    assert "p_infra_w" in names and "synop_conv_j" not in names
    assert all(row["shrunk"] < 1 and row["after"]["low"] < row["after"]["high"] for row in found["coefficients"])
    after = cli.json("energy", *fed, "--coefficients", made)["sample"]
    assert after["seconds_per_token"]["nominal"] == pytest.approx(2 * seconds, rel=0.05)
    assert after["joules_per_token"]["board"]["nominal"] == pytest.approx(2.2 * seconds, rel=0.05)
    (static,) = (entry for entry in after["entries"] if entry["component"] == "infrastructure")
    assert "calibrated on board.csv (2 figures); before: 1.543" in static["source"]
    said = cli("calibrate", table, "--out", made, "-v")
    assert said.status == 0 and "p_infra_w" in said.out and "energy --coefficients" in said.out


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("", "ND1105", "holds no text"), ("joules\n1\n", "ND3110", "no table"),
        ("bundle,bundle\na,b\n", "ND3110", "no table"), ("bundle,watt\na,1\n", "ND3110", "watt"),
        (HEADS, "ND3108", "no row"), (f"{HEADS}NAME,in.npy,sample\n", "ND3110", "row 1"),
        (f"{HEADS}NAME,in.npy,sample,board,1,1,1,1\n", "ND3110", "row 1"),
        (f"{HEADS}NAME,in.npy,sample,board,,,\n", "ND3110", "no figure"),
        (f"{HEADS},in.npy,,,1,,\n", "ND3110", "no bundle"), (f"{HEADS}NAME,in.npy,sample,plug,1,,\n", "ND3110", "plug"),
        (f"{HEADS}NAME,in.npy,generate,,1,,\n", "ND3110", "generate"),
        (f"{HEADS}NAME,in.npy,sample,board,lots,,\n", "ND3110", "lots"),
        (f"{HEADS}NAME,,sample,board,1,,\n", "ND3110", "no input"),
        (f"{HEADS}NAME,in.npy,sample,board,-1,,\n", "ND3108", "-1"),
        (f"{HEADS}NAME,in.npy,,,1,,nan\n", "ND3108", "nan"),
        ("bundle,input,joules,steps\nNAME,in.npy,1,1.5\n", "ND3110", "1.5"),
        ("bundle,text,joules\nNAME,in.npy,1\n", "ND3110", "does not read"),
        (f"{HEADS}NAME,none.npy,sample,board,1,,\n", "ND3251", "none.npy"),
        (f"{HEADS}none.nd,in.npy,,,1,,\n", "ND5001", "none.nd"),
    ],
)  # fmt: skip
def test_tables_that_are_none(text: str, code: str, says: str, bundle: Path, tmp_path: Path, cli: Cli) -> None:
    table = tmp_path / "m.csv"
    table.write_text(text.replace("NAME", bundle.name))
    found = cli("calibrate", table, "--out", tmp_path / "board.json")
    assert (found.status, found.code) == (2, code) and says in found.err, found.err
    assert found.err.count("\n") == 1 and not (tmp_path / "board.json").exists()


def test_a_place_that_cannot_be_written_is_told_before_the_work(bundle: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "m.csv").write_text(f"{HEADS}{bundle.name},in.npy,sample,board,1,,\n")
    assert cli("calibrate", tmp_path / "m.csv", "--out", tmp_path).code == "ND5004"


GOOD = {"low": 1e-7, "nominal": 1e-6, "high": 2e-6, "unit": "s", "basis": "derived", "source": "x"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("[", "JSON"), ([], "no file of coefficients"), ({"schema": "other"}, "no file of coefficients"),
        ({"chip": "loihi1"}, "loihi1"), ({"costs": []}, "no costs"), ({"costs": {"t_none_s": GOOD}}, "t_none_s"),
        ({"costs": {"t_step_floor_s": {**GOOD, "low": 3e-6}}}, "no band"),
        ({"costs": {"t_step_floor_s": {**GOOD, "high": float("inf")}}}, "no band"),
        ({"costs": {"t_step_floor_s": {**GOOD, "unit": "J"}}}, "in J"),
        ({"costs": {"t_step_floor_s": {**GOOD, "basis": "felt"}}}, "no whole"),
        ({"costs": {"t_step_floor_s": {"low": 1}}}, "no whole"), ({"costs": {"t_step_floor_s": 1}}, "no whole"),
    ],
)  # fmt: skip
def test_coefficients_that_are_none(change: object, says: str, bundle: Path, tmp_path: Path, cli: Cli) -> None:
    whole = {"schema": "neurodeploy-coefficients/1", "chip": "loihi2", "costs": {"t_step_floor_s": GOOD}}
    file = tmp_path / "c.json"
    fed = ["energy", bundle, "--input", tmp_path / "in.npy", "--coefficients", file]
    file.write_text(json.dumps(whole))
    assert cli.json(*fed)["sample"]["seconds_split"]["step floor"] > 0
    file.write_text(
        change if isinstance(change, str) else json.dumps({**whole, **change} if isinstance(change, dict) else change)
    )
    found = cli(*fed)
    assert (found.status, found.code) == (2, "ND3109") and says in found.err and found.err.count("\n") == 1


LAVA = "bundle,input,border,execution_time,power,vdd_power,vddm_power,static_power,error\n"


def test_figures_by_the_names_of_lavas_profiler(bundle: Path, tmp_path: Path, cli: Cli) -> None:
    """Times of a step, supplies that add up to the rails, static power by itself: a board like the account's, without 15 %
    of its static power."""
    table, steps = tmp_path / "lava.csv", 40
    ledger = cli.json("energy", bundle, "--input", tmp_path / "in.npy", "--border", "calls")["sample"]
    seconds, joules = ledger["seconds_per_token"]["nominal"], ledger["joules_per_token"]
    (entry,) = (entry for entry in ledger["entries"] if entry["component"] == "static")
    static = entry["joules"]["nominal"] / seconds
    rails, chip = (joules[name]["nominal"] / seconds - 0.15 * static for name in ("rails", "chip"))
    told = f"{seconds / steps},{chip},{rails / 3},{2 * rails / 3},{0.85 * static},0.02"
    table.write_text(f"{LAVA}{bundle.name},in.npy,calls,{told}\n")
    found = cli.json("calibrate", table, "--out", tmp_path / "c.json")
    rows = {(row["quantity"], row["boundary"], row["part"]): row for row in found["rows"]}
    wanted = {
        ("seconds", None, "total"): seconds, ("watts", "rails", "total"): rails, ("watts", "chip", "total"): chip,
        ("watts", "chip", "static"): 0.85 * static,
    }  # fmt: skip
    assert {key: row["measured"] for key, row in rows.items()} == pytest.approx(wanted)
    found_static = rows["watts", "chip", "static"]
    assert found_static["before"] == pytest.approx(static) and abs(found_static["error_after"]) < 0.05
    assert any(row["name"] == "p_static_w" and row["shrunk"] < 0.8 for row in found["coefficients"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("bundle,input,vdd_power\nNAME,in.npy,1\n", "vdd_power without vddm_power"),
        ("bundle,input,power,total_power\nNAME,in.npy,1,1\n", "in two ways"),
        ("bundle,input,execution_time,seconds\nNAME,in.npy,1,1\n", "by our name and by Lava's"),
        ("bundle,input,power,boundary\nNAME,in.npy,1,chip\n", "has a boundary or part for power"),
    ],
)
def test_figures_of_lava_that_are_none(text: str, says: str, bundle: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "m.csv").write_text(text.replace("NAME", bundle.name))
    found = cli("calibrate", tmp_path / "m.csv", "--out", tmp_path / "c.json")
    assert (found.status, found.code) == (2, "ND3110") and says in found.err, found.err


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"schema": "other"}', '{"schema": "neurodeploy-measurements/1", "rows": [1]}']
)
def test_files_of_measurements_that_are_none(text: str, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "m.json").write_text(text)
    found = cli("calibrate", tmp_path / "m.json", "--out", tmp_path / "c.json")
    assert (found.status, found.code) == (2, "ND3110") and "no file of measurements" in found.err
