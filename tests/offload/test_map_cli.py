"""`neurodeploy map` with a budget, a plan and hints: exit status, what is said, what is stored, and bad input."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.pipeline.session import read_mapping
from neurodeploy.pipeline.texts import left_to_host
from tests.islands import islands_of
from tests.offload.conftest import ROWS, Pair
from tests.tiny import Cli, snapshot

#: (a folder to write in, the bundle) -> options of the call
Options = Callable[[Path, Path], list[str]]
BUDGET = ["--chips", "1", "--max-rows", str(ROWS), "--no-place"]
ATTENTION = "layers.0.attention"


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_the_budget_leaves_islands_to_the_host_and_says_so(copy: Path, cli: Cli) -> None:
    answer = cli("map", copy, *BUDGET, "-v")
    left = left_to_host(open_bundle(copy))
    assert answer.out.splitlines()[0] == f"kapoho-point: fits partly, {len(left)} islands on the host, 1 of 1 chip"
    said = f"not on the chips: {len(left)} of 17 islands, which the host (cpu-generic) runs: not-resident"
    assert said in answer.out and said in cli("map", copy, *BUDGET).out
    assert "not-resident" in answer.out
    assert "keeps every island on the chips" in answer.out
    assert "weights streamed in" in answer.out


def test_what_fits_partly_is_not_status_0_unless_it_was_asked_for(copy: Path, tmp_path: Path, cli: Cli) -> None:
    """The mapping is the same in all cases and is stored; only an offload that nobody asked for is status 3."""
    before = snapshot(copy)
    unasked = cli("map", copy, *BUDGET, "--write-plan", tmp_path / "plan.csv", "--json")
    found = json.loads(unasked.out)
    assert (unasked.status, found["fits"], found["verdict"]) == (3, False, "partly")
    assert found["host_islands"] == len(found["offload"]["on_host"]) == len(found["offload"]["unasked"]) > 0
    stored = snapshot(copy)
    assert stored != before
    meant = cli("map", copy, *BUDGET, "--offload", "--json")
    assert (meant.status, json.loads(meant.out)["verdict"]) == (0, "partly")
    planned = cli("map", copy, *BUDGET, "--plan", tmp_path / "plan.csv", "--json")
    assert (planned.status, json.loads(planned.out)["offload"]["unasked"]) == (0, [])
    whole = cli("map", copy, "--chips", "1", "--no-place", "--json")
    assert (whole.status, json.loads(whole.out)["verdict"], json.loads(whole.out)["fits"]) == (0, "fits", True)


@pytest.mark.parametrize(
    ("objective", "least"), [("cores", "energy"), ("latency", "time"), ("traffic", "border bytes")]
)
def test_both_ratios_stand_beside_what_was_optimised(objective: str, least: str, copy: Path, cli: Cli) -> None:
    options = [*BUDGET, "--objective", objective, "--offload"]
    found = cli.json("map", copy, *options)["offload"]
    ratios = [found[key]["plan"] / found[key]["resident"] for key in ("joules_per_token", "seconds_per_token")]
    said = cli("map", copy, *options, "-v").out
    line = next(line for line in said.splitlines() if line.startswith("as mapped: "))
    energy, time = (float(text) for text in re.findall(r"([\d.]+) times the", line))
    assert [energy, time] == pytest.approx(ratios, rel=0.1)
    assert line.endswith(f"chosen for the least {least}")


def test_the_json_has_every_figure(copy: Path, cli: Cli) -> None:
    found = json.loads(cli("map", copy, *BUDGET, "--json").out)
    offload = found["offload"]
    assert found["violations"] == []
    assert set(offload["on_host"]) == left_to_host(open_bundle(copy))
    for key in ("joules_per_token", "seconds_per_token"):
        assert set(offload[key]) == {"plan", "resident", "streaming"}
        assert all(value > 0 for value in offload[key].values())
    assert offload["joules_per_token"]["streaming"] > offload["joules_per_token"]["plan"]
    assert offload["crossings_per_token"]["plan"] < offload["crossings_per_token"]["resident"]
    assert {"group", "islands", "rule", "reason", "remedy"} == set(offload["groups"][0])


def test_without_the_budget_or_strictly_it_is_an_error(copy: Path, cli: Cli) -> None:
    before = snapshot(copy)
    strict = cli("map", copy, *BUDGET, "--no-offload")
    assert (strict.status, strict.err.split()[1]) == (3, "ND2001")
    assert "islands on the host" in strict.err
    answered = json.loads(cli("map", copy, *BUDGET, "--no-offload", "--json").out)
    assert (answered["fits"], answered["verdict"]) == (False, "does not fit")
    plain = cli("map", copy, "--system", "oheo-gulch", "--max-rows", ROWS, "--no-place")
    assert (plain.status, plain.err.split()[1]) == (3, "ND2001")
    assert "kapoho-point (8 chips) holds it" in plain.err
    assert "--chips 1 puts " in plain.err
    assert " of 17 islands on the host: " in plain.err
    assert snapshot(copy) == before


def test_a_budget_that_suffices_changes_nothing(copy: Path) -> None:
    found = pipeline.map(copy, chips=1)
    assert found["offload"] is None
    assert left_to_host(open_bundle(copy)) == frozenset()


def test_the_plan_that_was_written_gives_the_same_mapping(copy: Path, tmp_path: Path) -> None:
    table = tmp_path / "plan.csv"
    found = pipeline.map(copy, chips=1, max_rows=ROWS, place=False, write_plan=table)
    first, _ = read_mapping(open_bundle(copy))
    again = pipeline.map(copy, chips=1, max_rows=ROWS, place=False, plan=table)
    second, _ = read_mapping(open_bundle(copy))
    assert second.shards == first.shards
    assert set(again["offload"]["on_host"]) == set(found["offload"]["on_host"])
    rows = {row["name"]: row for row in rows_of(table)}
    assert list(rows) == [entry.path for entry in first.assignments]
    assert {name for name, row in rows.items() if (row["device"], row["kind"]) == ("host", "island")} == set(
        found["offload"]["on_host"]
    )
    here = next(row for row in rows.values() if row["kind"] == "island" and row["device"] == "chip")
    assert here["on_chips"] == "0"
    assert int(here["cores"]) > 0
    assert float(here["joules_per_token"]) > 0


def test_a_plan_edited_by_hand(copy: Path, tmp_path: Path) -> None:
    """One island to the host, hints for another: kept, verified, written again with the hints."""
    table, after = tmp_path / "plan.csv", tmp_path / "after.csv"
    pipeline.map(copy, write_plan=table, place=False)
    rows = rows_of(table)
    by_name = {row["name"]: row for row in rows}
    by_name["lm_head"]["device"] = "host"
    by_name["layers.0.feed_forward.gate_up"] |= {"rows": "50", "blocks": "1", "chip": "3"}
    write(table, rows)
    found = pipeline.map(copy, plan=table, write_plan=after, place=False)
    assert (found["violations"], found["offload"]["on_host"]) == ([], ["lm_head"])
    shards = read_mapping(open_bundle(copy))[0].by_island()
    assert "lm_head" not in shards
    gate_up = shards["layers.0.feed_forward.gate_up"]
    assert {shard.chip for shard in gate_up} == {3}
    assert max(shard.row_count for shard in gate_up) <= 50
    assert {shard.cols for shard in gate_up} == {(0, 64)}
    new = {row["name"]: row for row in rows_of(after)}
    assert new["lm_head"]["device"] == "host"
    assert [new["layers.0.feed_forward.gate_up"][key] for key in ("rows", "blocks", "chip")] == ["50", "1", "3"]


def test_hints_on_the_command_line(copy: Path, cli: Cli) -> None:
    hints = ["--pin", f"{ATTENTION}=rows:16", "--pin", "lm_head=device:host"]
    answer = cli("map", copy, *hints, "--no-place", "--json")
    assert answer.status == 0
    mapping, _ = read_mapping(open_bundle(copy))
    found = mapping.by_island()
    assert "lm_head" not in found
    assert {max(s.row_count for s in found[f"layers.0.self_attn.{n}"]) for n in ("q_k_v", "o_proj")} == {16}
    assert [e.reason.rule for e in mapping.assignments if e.path == "lm_head"] == ["pinned-to-host"]


def test_caps_seed_and_objective_reach_the_mapper(copy: Path, cli: Cli) -> None:
    wide = pipeline.map(copy)["cores_used"]
    answer = cli("map", copy, "--cap", "synapse_bytes=5", "--seed", "7", "--objective", "traffic", "--json")
    assert answer.status == 0
    assert json.loads(answer.out)["cores_used"] > wide
    mapping, _ = read_mapping(open_bundle(copy))
    assert (mapping.seed, mapping.objective) == (7, "traffic")


def test_stages_are_kept_in_a_folder_and_taken_from_there(copy: Path, tmp_path: Path) -> None:
    stages = tmp_path / "stages"
    found = []
    for _ in range(2):
        pipeline.map(copy, chips=2, max_rows=ROWS, work=stages)
        found.append(read_mapping(open_bundle(copy))[0])
        assert any(stages.rglob("*"))
    assert found[0].shards == found[1].shards


def table(text: str) -> Options:
    def make(folder: Path, _: Path) -> list[str]:
        path = folder / "bad.csv"
        path.write_text(text)
        return ["--plan", str(path)]

    return make


def given(*options: str) -> Options:
    return lambda *_: list(options)


def all_on_chip(folder: Path, bundle: Path) -> list[str]:
    lines = "".join(f"{name},chip\n" for name in islands_of(open_bundle(bundle).program))
    return table("name,device\n" + lines)(folder, bundle) + BUDGET


ISLANDS = ["layers.0.self_attn.q_k_v", "layers.0.self_attn.o_proj", "lm_head"]
#: name: (code, exit status, what the message must name, options)
BAD: dict[str, tuple[str, int, str, Options]] = {
    "a plan that is not there": ("ND2061", 2, "none.csv", given("--plan", "none.csv")),
    "a plan that is a folder": ("ND2061", 2, "cannot be read", given("--plan", ".")),
    "a plan without columns": ("ND2062", 2, "name,device", table("hello\nworld\n")),
    "an unknown operation": ("ND2063", 2, "did you mean lm_head?", table("name,device\nlm_heat,chip\n")),
    "an unknown hint": ("ND2063", 2, "--write-plan", given("--pin", "zzzz=rows:4")),
    "attention on the chip": (
        "ND2064",
        2,
        "both operands of q k",
        table("name,device\nlayers.0.self_attn.attention,chip\n"),
    ),
    "an unknown device": ("ND2064", 2, "chip or host", table("name,device\nlm_head,tpu\n")),
    "more rows than there are": ("ND2065", 2, "most is 128", given("--pin", "lm_head=rows:129")),
    "a chip out of range": ("ND2065", 2, "from 0 to 7", given("--pin", "lm_head=chip:8")),
    "a chip beyond the budget": ("ND2065", 2, "at most 1", given("--pin", "lm_head=chip:2", "--chips", "2")),
    "an island and its group": ("ND2066", 2, "device", table(f"name,device\n{ATTENTION},host\n{ISLANDS[0]},chip\n")),
    "cores of the host": ("ND2066", 2, "empty its chip", table("name,device,chip\nlm_head,host,1\n")),
    "a hint that cannot be read": ("ND2067", 2, "KEY:VALUE", given("--pin", "lm_head")),
    "pinned to too few chips": ("ND2068", 3, "offers 1", all_on_chip),
    "more on a chip than it holds": (
        "ND2020",
        3,
        "chip 0",
        given("--max-rows", "1", "--pin", f"{ATTENTION}=chip:0", "--no-place"),
    ),
    "strict with a plan": ("ND2069", 2, "--no-offload", given("--pin", "lm_head=device:host", "--no-offload")),
    "a cap that is no percentage": ("ND2070", 2, "RESOURCE=PERCENT", given("--cap", "in_axons")),
    "a cap of nothing": ("ND2003", 2, "caps", given("--cap", "in_axons=0")),
    "a cap of no budget": ("ND2003", 2, "caps", given("--cap", "love=50")),
    "an unknown objective": ("ND2003", 2, "traffic", given("--objective", "beauty")),
    "no time": ("ND2003", 2, "above 0", given("--time-limit", "0")),
    "an unknown host": ("ND4003", 2, "cpu-generic", given("--host", "abacus")),
    "a plan to be written nowhere": ("ND5004", 2, "/proc", given("--write-plan", "/proc/plan.csv")),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_leaves_the_older_mapping(case: str, copy: Path, tmp_path: Path, cli: Cli) -> None:
    code, status, named, options = BAD[case]
    arguments, before = ["map", str(copy), *options(tmp_path, copy)], snapshot(copy)
    answer = cli(*arguments, "--json")
    error: dict[str, Any] = json.loads(answer.out or answer.err)["error"]
    assert (error["code"], answer.status) == (code, status), error
    assert named in " ".join(error.values()), error
    assert error["fix"]
    assert snapshot(copy) == before


def test_the_pair_differs_only_in_its_mapping(pair: Pair) -> None:
    first, second = (open_bundle(path) for path in pair)
    assert first.digest == second.digest
