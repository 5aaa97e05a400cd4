"""The verb: what it says, in which order, with which exit status, of every kind of model."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

import neurodeploy as nd
from neurodeploy.errors import DoesNotFit
from neurodeploy.reporting import units
from neurodeploy.reporting.terminal_fit import print_fit
from tests.fit.configs import config
from tests.pipeline.networks import DT, Files
from tests.reporting.reader import Reader
from tests.reporting.structure import faults
from tests.tiny import Cli


def test_a_model_that_fits(cli: Cli) -> None:
    """One line first: the system, chips, cores beside the bound, joules and seconds with the boundary."""
    answer = cli("fit", "gpt2", "--system", "kapoho-point")
    first = answer.out.splitlines()[0]
    assert answer.status == 0 and first.startswith("GPT-2 small fits on kapoho-point: 6 of 8 chips at 8 bits, ")
    assert "above the least possible" in first and "a generated token at the board, modelled" in first


def test_a_model_that_does_not_fit(cli: Cli) -> None:
    """Exit 3 with the table all the same: layer, resource, need, limit, remedy, and a plan for the host."""
    answer = cli("fit", "llama4-scout", "--system", "hala-point", "--json")
    assert answer.status == DoesNotFit.exit_status == 3
    found = json.loads(answer.out)
    assert not found["fits"]
    assert found["answer"].startswith("Llama 4 Scout does not fit on hala-point: needs 69")
    assert [row["bits"] for row in found["rows"]] == [8, 4, 2]
    for row in found["rows"]:
        assert row["chips"] > row["chips_available"] == 1152
        assert row["cores"] >= row["cores_lower_bound"]
        problem = row["problem"]
        assert (problem["layer"], problem["resource"]) == ("feed_forward.experts.gate_up", "synapse_bytes")
        assert str(row["chips"]) in problem["need"] and "1152" in problem["limit"]
        assert "it would take" in problem["remedy"]
    plan = found["chip_plan"]
    assert plan["boards"] == 7 and plan["experts_on_whole_chips"] and plan["idle_share"] > 0.8
    assert len(plan["groups"]) == 2 * 48 + 1  # of each layer what every token meets and its experts, and the head
    assert [len(group["experts"]) for group in plan["groups"] if "experts" in group] == [16] * 48
    spare = found["fallback"]
    assert spare["chips"] <= 1152
    assert {entry["group"].split(": ")[1] for entry in spare["on_host"]} == {"expert"}
    kept = sum(unit["copies"] for unit in spare["on_chips"] if unit["unit"].endswith("expert"))
    assert kept + sum(entry["copies"] for entry in spare["on_host"]) == 48 * 16
    assert spare["crossings_per_token"]["plan"] < spare["crossings_per_token"]["resident"]
    seconds = {way: spare[way]["generate"]["seconds_per_token"]["nominal"] for way in ("plan", "host_alone")}
    assert seconds["plan"] < seconds["host_alone"]
    assert spare["streaming"]["seconds_per_token"]["nominal"] > 1.0


def test_every_system_and_width() -> None:
    found = nd.fit("gemma3-270m")
    assert {(row["system"], row["bits"]) for row in found["rows"]} == {
        (system, bits)
        for system in ("oheo-gulch", "kapoho-point", "vpx-16", "alia-point", "hala-point", "loihi1-nahuku")
        for bits in (8, 4, 2)
    }
    for row in found["rows"]:
        assert row["fits"] == ("generate" in row) != ("problem" in row)
        if row["fits"]:
            assert row["cores_lower_bound"] <= row["cores"]
            for phase in ("prefill", "generate"):
                joules = row[phase]["joules_per_token"]
                assert list(joules) == ["rails", "chip", "board", "wall"]
                assert all(band["low"] <= band["nominal"] <= band["high"] for band in joules.values())
                assert sum(row[phase]["basis"].values()) == pytest.approx(1.0)
    assert any("assumed activity" in text for text in found["assumptions"])
    assert found["assumed"]["context"] == 1024


def test_narrower_weights_where_wide_ones_do_not_fit() -> None:
    """One chip holds GPT-2's body at no width; with two allowed, at 2 bits, and the answer says what 8 bits need."""
    assert not nd.fit("gpt2", "oheo-gulch")["fits"]
    found = nd.fit("gpt2", "kapoho-point", chips=3, head="host")
    assert found["fits"] and "3 of 3 chips asked for (it has 8) at 4 bits" in found["answer"]
    assert "it would need 6 at 8 bits" in found["answer"]
    assert "4-bit weights fit (3 chips)" in found["rows"][0]["problem"]["remedy"]


def test_the_head_goes_where_it_is_told() -> None:
    chip, host, auto = (
        nd.fit("gpt2", "alia-point", bits=(8,), head=head)["rows"][0] for head in ("chip", "host", "auto")
    )
    assert (chip["head"], host["head"], auto["head"]) == ("chip", "host", "chip")
    assert chip["cores_used"] == host["cores_used"] + chip["head_cores"] == auto["cores_used"]
    for row in (chip, host, auto):  # one convention, wherever the head is
        assert (row["chips"], row["chips_without_head"]) == (chip["chips_used"], host["chips_used"]) == (9, 6)
        assert (row["cores"], row["cores_without_head"]) == (chip["cores_used"], host["cores_used"])
    assert not nd.fit("gpt2", "kapoho-point", bits=(8,), head="chip")["fits"]


def test_one_convention_with_the_head(cli: Cli) -> None:
    """Gemma 3 1B: chips with the head everywhere, without it in columns of their own; never one for the other."""
    found = nd.fit("gemma3-1b", bits=(8,))
    assert "66 of 1152 chips" in found["answer"] and "head included" in found["answer"]
    plan = next(plan for plan in found["plans"] if "chips" in plan)
    assert (plan["chips"], plan["chips_without_head"]) == (66, 46)
    assert plan["cores"] == plan["cores_without_head"] + plan["head_cores"] == 7843
    assert plan["cores_naive_bound"] <= plan["cores_lower_bound"] <= plan["cores"]
    for row in (row for row in found["rows"] if row["chips"] is not None):
        assert (row["chips"], row["chips_without_head"]) == (66, 46)
        assert row["fits"] or "66 chips (46 without the head)" in row["problem"]["need"]
    shown = cli("fit", "gemma3-1b", "--bits", "8", "-v").out
    too_small = ["oheo-gulch", "kapoho-point", "vpx-16", "alia-point"]
    assert [row["system"] for row in found["rows"] if row["chips"] is not None and not row["fits"]] == too_small
    assert shown.count("no, 66") == len(too_small) and "no, 46" not in shown


def test_chips_that_were_asked_for_and_chips_that_are_there() -> None:
    """--chips 8 of Hala Point's 1152: both numbers, in the answer, the limit and the remedy."""
    found = nd.fit("gemma3-1b", "hala-point", bits=(8,), chips=8)
    assert "needs 66 chips (46 without the head) at 8 bits; at most 8 of its 1152 were asked for" in found["answer"]
    row = found["rows"][0]
    assert (row["chips_available"], row["system_chips"]) == (8, 1152)
    assert row["problem"]["limit"] == "8 asked for, of 1152 of hala-point"
    assert "allow 66 chips of hala-point" in row["problem"]["remedy"]
    assert "; it has 32; " in nd.fit("gemma3-1b", "alia-point", bits=(8,))["answer"]


def test_both_ratios_of_a_fallback_and_what_was_optimised() -> None:
    """A plan that is a little faster than the host alone for many times its energy is not called faster."""
    found = nd.fit("gpt-oss-20b", "hala-point", bits=(8,))
    spare = found["fallback"]
    ways = [spare[way]["generate"] for way in ("plan", "host_alone")]
    energy = ways[0]["joules_per_token"]["wall"]["nominal"] / ways[1]["joules_per_token"]["wall"]["nominal"]
    time = ways[0]["seconds_per_token"]["nominal"] / ways[1]["seconds_per_token"]["nominal"]
    assert time < 1 < 10 < energy
    assert spare["beside_host_alone"] == {"energy": pytest.approx(energy), "time": pytest.approx(time)}
    assert spare["optimised"] == "energy"
    said = f"{energy:.0f} times the energy and {time:.2f} times the time of the host alone"
    assert said in found["answer"] and "though the host alone takes less" in found["answer"]
    assert "faster" not in found["answer"]
    console = Console(record=True, width=400, file=StringIO())
    print_fit(found, console)
    assert f"this plan takes {said}" in console.export_text()


def test_further_memories() -> None:
    found = nd.fit("gpt2", "kapoho-point", bits=(8,), memory_kib=(96, 64))
    assert found["fits"] and [row["memory_kib"] for row in found["rows"]] == [None, 96, 64]
    cores = [plan["cores"] for plan in found["plans"]]
    assert cores == sorted(cores)


def test_activity_and_context_change_the_price() -> None:
    def joules(**options: float | int) -> float:
        row = nd.fit("gpt2", "alia-point", bits=(8,), **options)["rows"][0]  # type: ignore[arg-type]
        return float(row["generate"]["joules_per_token"]["wall"]["nominal"])

    assert joules(activity=0.2) < joules() < joules(context=1024, activity=1.0) * 1.0001
    assert joules(context=64) < joules(context=1024)


@pytest.mark.parametrize(
    ("name", "said"), [("gemma3-4b", ["the vision tower"]), ("spikingbrain-7b", ["output gate", "recurrence"])]
)
def test_what_is_left_out_and_what_is_estimated(name: str, said: list[str]) -> None:
    notes = " ".join(nd.fit(name, "hala-point", bits=(8,))["notes"])
    assert all(word in notes for word in said)


def test_a_folder_a_file_and_a_bundle(llama: Path, llama_bundle: Path) -> None:
    """The same model, without and with weights: the same cores."""
    said = []
    for path in (llama, llama / "config.json", llama_bundle):
        found = nd.fit(path, "oheo-gulch", bits=(8,))
        said.append([found["rows"][0]["cores"], *(found["weights"][part] for part in ("body", "small", "total"))])
        assert found["fits"]
    assert said[0] == said[1] == said[2]


def test_weights_need_not_be_there(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config("qwen3_moe")))
    found = nd.fit(tmp_path, "kapoho-point", bits=(8,))
    assert found["fits"] and found["name"] == tmp_path.name


def test_an_unknown_family_only_when_asked(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config("llama") | {"model_type": "brand_new"}))
    assert cli("fit", tmp_path).status == 2
    answer = cli("fit", tmp_path, "--generic")
    assert answer.status == 0 and "taken for" in answer.out


def test_the_list(cli: Cli) -> None:
    answer = cli("fit", "--list")
    assert answer.status == 0 and "llama4-scout" in answer.out
    assert cli.json("fit", "--list")["gpt2"].startswith("GPT-2 small: ")


def test_spiking_networks(files: Files, cli: Cli) -> None:
    """A NIR file, a .net and a bundle through the mapper itself."""
    for arguments in ([files.plain, "--dt", DT], [files.net], [files.plain_nd]):
        found = cli.json("fit", *arguments)
        assert found["kind"] == "spiking network" and found["fits"]
        assert all(row["cores"] >= row["cores_lower_bound"] >= 1 for row in found["rows"] if row["fits"])
        assert "energy" in found["notes"][0]
    shown = cli("fit", files.plain, "--dt", DT).out
    assert " fits on " in shown.splitlines()[0]


def test_in_python_and_the_same_twice() -> None:
    first, second = (nd.fit("matmulfree-370m", "hala-point") for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


@pytest.mark.parametrize(
    "name", ["gemma3-1b --system alia-point", "llama4-scout --system hala-point --bits 2", "CONFIG"]
)
def test_out_keeps_the_answer_as_a_page(name: str, cli: Cli, tmp_path: Path) -> None:
    """With a name that holds markup, too."""
    (tmp_path / "config.json").write_text(json.dumps({**config("llama"), "_name_or_path": "<b>x</b>"}))
    words = name.replace("CONFIG", str(tmp_path / "config.json")).split()
    answer = cli("fit", *words, "--out", tmp_path / "a" / "fit.html")
    page = (tmp_path / "a" / "fit.html").read_text(encoding="utf-8")
    assert answer.status in (0, 3) and f"written to {tmp_path / 'a' / 'fit.html'}" in answer.out
    found = nd.fit(words[0], *words[2:3], bits=(2,) if "--bits" in words else (8, 4, 2))
    read = Reader(page)
    assert faults(page) == [] and page == found.to_html()
    first = found["answer"].partition("; ")[0].partition(":")
    assert all(part.strip() in read.words for part in first)
    fits = "fits" if found["fits"] else "does not fit"
    assert fits in read.words
    for row in found["rows"]:
        if "generate" in row:
            joules = row["generate"]["joules_per_token"]["board"]["nominal"]
            assert units.si(joules, "J").replace(units.SPACE, " ") in read.words
        if not row["fits"]:
            assert row["problem"]["remedy"] in read.words
    assert ('id="fallback"' in page) is bool(found["fallback"])


def test_out_may_be_data(cli: Cli, tmp_path: Path) -> None:
    cli("fit", "gpt2", "--system", "kapoho-point", "--out", tmp_path / "fit.json")
    found = json.loads((tmp_path / "fit.json").read_text())
    assert found == {**nd.fit("gpt2", "kapoho-point"), "out": str(tmp_path / "fit.json")}
    cli("fit", "gpt2", "--system", "kapoho-point", "--out", tmp_path / "fit.csv")
    assert len((tmp_path / "fit.csv").read_text().splitlines()) == 1 + len(found["rows"])


@pytest.mark.parametrize(("place", "code"), [("fit.txt", "ND5013"), ("", "ND5013"), ("x.nd/fit.html", "ND5004")])
def test_out_that_cannot_be_written(place: str, code: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.nd").write_text("mine")
    answer = cli("fit", "gpt2", "--out", tmp_path / place)
    assert answer.code == code
    assert [path.name for path in tmp_path.iterdir()] == ["x.nd"]
