"""Chips and systems of a user's own: what a file says is mapped and priced, what is wrong is named, bundles travel."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import BundleError, UserError
from neurodeploy.ir.chip import Basis, ChipSpec, SystemSpec
from targets.loihi2 import LOIHI2
from targets.systems import SYSTEMS, get_system
from tests.pipeline.networks import Files
from tests.tiny import Cli

ROOT = Path(__file__).parents[2]
LAB, SLOW = (ROOT / "examples" / "chips" / name for name in ("lab-board.toml", "slow-chip.json"))
KAPOHO = SYSTEMS["kapoho-point"]


def read(tmp_path: Path, data: Any, name: str = "own.json") -> SystemSpec:
    (tmp_path / name).write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return get_system(str(tmp_path / name))


def test_what_differs_is_taken_and_nothing_else() -> None:
    lab = get_system(str(LAB))
    assert (lab.name, lab.chips, lab.grid, lab.source) == ("lab-board", 4, (2, 2), "our board, revision B")
    chip = lab.chip
    assert chip.budget.neurons.value == 4096 and chip.budget.neurons.basis is Basis.GUESSED
    assert chip.budget.neurons.source == "user's file lab-board.toml"
    axons = chip.budget.in_axons
    assert (axons.value, axons.basis, axons.source) == (2048, Basis.MEASURED, "our compiler's log, March")
    power, synop = chip.costs["p_static_w"], chip.costs["synop_fc_j"]
    assert (power.low, power.nominal, power.high, power.unit, power.basis) == (0.18, 0.20, 0.23, "W", Basis.GUESSED)
    assert (synop.low, synop.high, synop.basis, synop.source) == (4e-12, 6e-12, Basis.MEASURED, "our rails, run 12")
    same = {key: value for key, value in chip.costs.items() if key not in ("p_static_w", "synop_fc_j")}
    assert same == {key: KAPOHO.chip.costs[key] for key in same} and len(same) == len(KAPOHO.chip.costs) - 2
    assert set(KAPOHO.chip.errs) - set(chip.errs) == {"p_static_w", "synop_fc_j"} & set(KAPOHO.chip.errs)
    kept = replace(chip, name=KAPOHO.chip.name, budget=KAPOHO.chip.budget, costs={}, errs={}, source="")
    assert kept == replace(KAPOHO.chip, costs={}, errs={}, source="")


def test_a_chip_takes_the_place_of_a_systems_own() -> None:
    there = get_system("oheo-gulch", SLOW)
    assert (there.name, there.chips, there.chip.cores) == ("oheo-gulch, slow-chip", 1, 60)
    assert there.chip.costs["t_synop_fc_s"].nominal == 2e-9
    assert there.chip.costs["p_infra_w"] == SYSTEMS["oheo-gulch"].chip.costs["p_infra_w"], "the board stays"
    assert there.origin is not None and there.origin.file == "slow-chip.json"


def whole(chip: ChipSpec) -> dict[str, Any]:
    """All that a file can say of a chip, without `like`."""
    costs = {
        key: {**{k: v for k, v in asdict(value).items() if k != "basis"}, "basis": value.basis.value}
        for key, value in chip.costs.items()
    }
    limits = {
        key: {
            "value": "unknown" if limit.value is None else limit.value,
            "basis": limit.basis.value,
            "source": limit.source,
        }
        for key, limit in chip.budget.limits().items()
    }
    supports = {"neurons": list(chip.supports.neurons), "synapses": list(chip.supports.synapses), "program": True}
    return {
        "name": "twin", "cores": chip.cores, "mesh": list(chip.mesh), "cores_per_router": chip.cores_per_router,
        "source": chip.source, "budget": limits, "formats": dict(chip.formats), "costs": costs, "supports": supports,
    }  # fmt: skip


def test_a_file_can_say_all(tmp_path: Path) -> None:
    made = read(tmp_path, {"name": "one", "chips": 6, "chip": whole(LOIHI2)})
    assert made.grid == (3, 2) and made.chips == 6
    chip = made.chip
    assert (chip.budget, chip.formats, dict(chip.costs)) == (LOIHI2.budget, LOIHI2.formats, dict(LOIHI2.costs))
    assert set(chip.supports.neurons) == set(LOIHI2.supports.neurons) and chip.supports.program is not None


@pytest.mark.parametrize(
    "key", ["cores", "mesh", "budget", "formats", "costs", "supports", "budget.neurons", "costs.hop_ew_j"]
)
def test_without_like_nothing_may_be_missing(key: str, tmp_path: Path) -> None:
    data = whole(LOIHI2)
    table, _, last = key.rpartition(".")
    del (data[table] if table else data)[last]
    with pytest.raises(UserError, match=rf"ND4008 own.json: chip\.{key}: is missing"):
        read(tmp_path, {"name": "one", "chips": 6, "chip": data})


def costs(**given: Any) -> dict[str, Any]:
    return {"like": "oheo-gulch", "chip": {"costs": given}}


WRONG: dict[str, tuple[Any, str]] = {
    "a key that is none": ({"like": "oheo-gulch", "chps": 3}, r"ND4008 own.json: chps: is no key .*did you mean chips"),
    "a cost that is none": (costs(p_static_mw=3), r"ND4008 .*chip.costs.p_static_mw: is no key .*did you mean p_static_w"),
    "a budget that is none": ({"like": "oheo-gulch", "chip": {"budget": {"neuron": 3}}}, "ND4008 .*did you mean neurons"),
    "no such system": ({"like": "kapoho"}, r"ND4008 own.json: like: is 'kapoho'.*choose one of oheo-gulch"),
    "two likes": ({"like": "oheo-gulch", "chip": {"like": "loihi1"}}, r"ND4008|ND4009"),
    "text for a number": (costs(p_static_w="0.2"), r"ND4008 .*p_static_w: is '0.2', no number of W"),
    "a truth for a number": (costs(p_static_w=True), "ND4008 .*no number of W"),
    "a point in a count": ({"like": "oheo-gulch", "chips": 2.0}, "ND4008 own.json: chips: is 2.0, no whole number"),
    "two of three": (costs(p_static_w=[1, 2]), "ND4008 .*no number of W"),
    "no nominal": (costs(p_static_w={"low": 1, "high": 2}), "ND4008"),
    "value and low": (costs(p_static_w={"low": 1, "value": 2}), "ND4008 .*either value, or low"),
    "another unit": (costs(p_static_w={"value": 3, "unit": "mW"}), r"ND4008 .*unit: is 'mW', p_static_w is in W"),
    "no basis": (costs(p_static_w={"value": 3, "basis": "felt"}), "ND4008 .*choose one of measured"),
    "out of order": (costs(p_static_w=[3, 2, 4]), "ND4009 .*in order"),
    "below zero": (costs(synop_fc_j=-1e-12), "ND4009"),
    "no bandwidth": (costs(bw_host_link_b_per_s=0), "ND4009 .*is 0 B/s"),
    "not a number": ('{"like": "oheo-gulch", "chip": {"costs": {"p_static_w": NaN}}}', "ND4009"),
    "picojoules as joules": (costs(synop_fc_j=5), r"ND4009 .*is 5 J, more than 1"),
    "no cores": ({"like": "oheo-gulch", "chip": {"cores": 0}}, "ND4009 .*chip.cores: is 0"),
    "a mesh too small": ({"like": "oheo-gulch", "chip": {"cores": 500}}, "ND4009 .*routers for 128 cores, the chip has 500"),
    "a grid too small": ({"like": "oheo-gulch", "chips": 9, "grid": [2, 2]}, "ND4009 .*2 x 2 places for 9 chips"),
    "wide weights": ({"like": "oheo-gulch", "chip": {"formats": {"weight_bits": 99}}}, "ND4009 .*1 to 16"),
    "a budget of none": ({"like": "oheo-gulch", "chip": {"budget": {"neurons": "unknown"}}}, "ND4008 .*no whole number"),
    "a neuron that is none": ({"like": "oheo-gulch", "chip": {"supports": {"neurons": ["liff"]}}}, "ND4008 .*liff"),
    "a name that is taken": ({"name": "vpx-16", "like": "oheo-gulch"}, "ND4009 .*a system that is known"),
    "a chip's name that is taken": ({"like": "oheo-gulch", "chip": {"name": "loihi1"}}, "ND4009 .*a chip that is known"),
    "no table": ({"like": "oheo-gulch", "chip": 3}, "ND4008 .*no table"),
    "a list": ([1], "ND4007 .*no table of keys"),
    "no JSON": ("{", "ND4007 .*is no JSON"),
    "a key twice": ('{"chips": 1, "chips": 2}', "ND4007 .*stands twice"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(case: str, tmp_path: Path) -> None:
    data, told = WRONG[case]
    with pytest.raises(UserError, match=told):
        read(tmp_path, data)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    big: dict[str, bytes | None] = {
        "none.toml": None, "date.toml": b"name = 2020-01-01", "bytes.toml": b"\xff", "big.json": b" " * (2 << 20)
    }  # fmt: skip
    for name, text in big.items():
        if text is not None:
            (tmp_path / name).write_bytes(text)
        with pytest.raises(UserError, match=r"ND4007"):
            get_system(str(tmp_path / name))
    with pytest.raises(UserError, match=r"ND4008 .*second chip"):
        get_system(str(LAB), SLOW)
    with pytest.raises(UserError, match=r"ND4001 .*or a file of your own"):
        get_system("lab-board")


@pytest.fixture(scope="module")
def bundle(files: Files, tmp_path_factory: pytest.TempPathFactory) -> nd.Bundle:
    folder = tmp_path_factory.mktemp("own")
    made = nd.convert(files.plain, folder / "x.nd", dt=1e-3).bundle
    shutil.copy(LAB, folder / "lab-board.toml")
    made.map(folder / "lab-board.toml")
    (folder / "lab-board.toml").unlink()
    return made


def test_a_bundle_opens_without_the_file(bundle: nd.Bundle, files: Files, tmp_path: Path) -> None:
    """Priced, verified, executed and reported elsewhere, by the numbers of the file; each says whose they are."""
    moved = nd.open(shutil.copytree(bundle.path, tmp_path / "moved.nd"))
    origin = get_system(str(LAB)).origin
    assert origin is not None
    assert moved.verify()["violations"] == []
    spent = moved.energy(input=files.spikes)
    assert "by the numbers of lab-board.toml, sha256 " in repr(spent)
    assert spent["system"] == "lab-board" and spent["system_file"] == origin.to_json()
    assert any(origin.file in line and origin.sha256[:12] in line for line in spent["sample"]["assumptions"])
    static = [row for row in spent["sample"]["entries"] if row["source"].startswith("user's file lab-board.toml")]
    assert static, "the power of the file is in the account"
    moved.report(tmp_path / "r.html", input=files.spikes)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "lab-board.toml" in page and origin.sha256[:12] in page


def test_the_mapping_says_whose_numbers_it_rests_on(bundle: nd.Bundle, cli: Cli) -> None:
    found = bundle.map(LAB)
    assert found["system_file"]["file"] == "lab-board.toml" and len(found["system_file"]["sha256"]) == 64
    assert found["utilisation"]["neurons"]["limit"] == 4096
    assert repr(found).startswith("lab-board (lab-board.toml, sha256 ")
    shown = cli("map", bundle, "--system", "oheo-gulch", "--chip", SLOW)
    assert shown.out.startswith("oheo-gulch, slow-chip (slow-chip.json, sha256 ")
    bundle.map(LAB)


@pytest.mark.parametrize("change", [
    lambda kept: kept.update(sha256="0" * 64), lambda kept: kept["data"].update(chips=9), lambda kept: kept.update(data=[]),
    lambda kept: kept.pop("file"),
])  # fmt: skip
def test_what_was_changed_in_a_bundle_is_found(change: Callable[[Any], Any], bundle: nd.Bundle, tmp_path: Path) -> None:
    place = tmp_path / "x.nd"
    shutil.copytree(bundle.path, place)
    opened = open_bundle(place)
    body = opened.read_mapping()
    change(body["system_file"])
    opened.write_mapping(body)  # with a digest that is right
    with pytest.raises(BundleError, match=r"ND5006 .*(system_file|file: is missing)"):
        nd.open(place).verify()


def test_numbers_of_a_file_change_what_is_computed(files: Files, bundle: nd.Bundle, tmp_path: Path) -> None:
    """Twice the static power of a chip, everything else equal: its entry doubles."""

    def joules(power: float) -> float:
        (tmp_path / "own.json").write_text(
            json.dumps({"like": "oheo-gulch", "chip": {"name": "c", "costs": {"p_static_w": power}}})
        )
        bundle.map(tmp_path / "own.json")
        entries = bundle.energy(input=files.spikes)["sample"]["entries"]
        return sum(row["joules"]["nominal"] for row in entries if row["source"] == "user's file own.json")

    assert joules(0.5) == pytest.approx(2 * joules(0.25)) and joules(0.25) > 0
    bundle.map(LAB)


def test_a_config_file_names_one(bundle: nd.Bundle, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(f'[map]\nsystem = "{LAB.as_posix()}"\n')
    assert cli("map", bundle, "--config", tmp_path / "c.toml").out.startswith("lab-board (lab-board.toml")


def test_fit_asks_of_a_file(cli: Cli) -> None:
    found = nd.fit("smollm2-135m", "alia-point", chip=SLOW, bits=(8,))
    known = nd.fit("smollm2-135m", "alia-point", bits=(8,))
    assert [row["system"] for row in found["rows"]] == ["alia-point, slow-chip"]
    assert found["notes"][0].startswith("alia-point, slow-chip is what the user's file says (slow-chip.json, sha256 ")
    assert found["rows"][0]["chips"] > known["rows"][0]["chips"], "half the cores a chip"
    with pytest.raises(UserError, match=r"ND2045 chip"):
        nd.fit("smollm2-135m", chip=SLOW)
