"""The chip map: every core is drawn once and where its chip has it; a system with too many is drawn chip by chip."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest

from neurodeploy.reporting import chipmap
from neurodeploy.reporting.chipmap import FULLEST, LAYER, build, draw_panel, position, script_data, step_of

MESH: Any = {"columns": 8, "rows": 4, "cores_per_router": 4}


def squares(markup: str, class_: str | None = None) -> list[tuple[int, int]]:
    """Corners of the squares of one colour, or of all."""
    paths = re.findall(r'<path class="(\w+)" d="([^"]*)"', markup)
    kept = "".join(d for name, d in paths if class_ in (None, name))
    return [(int(x), int(y)) for x, y in re.findall(r"M(-?\d+) (-?\d+)", kept)]


def test_positions_follow_the_rule_of_the_schema() -> None:
    assert position(MESH, 0) == (0, 0)
    assert position(MESH, 1) == (10, 0)  # the same router, one place to the right
    assert position(MESH, 2) == (0, 10)  # the same router, one row down
    assert position(MESH, 4) == (24, 0)  # the next router
    assert position(MESH, 32) == (0, 24)  # the first router of the second row
    assert len({position(MESH, cell) for cell in range(128)}) == 128


@pytest.mark.parametrize(
    ("mille", "name"), [(0, "u0"), (99, "u0"), (100, "u1"), (999, "u9"), (1000, "u9"), (1001, "ux"), (None, "un")]
)
def test_steps(mille: int | None, name: str) -> None:
    assert step_of(mille) == name


def test_every_core_in_use_and_every_free_one_is_drawn_once(synthetic: ModuleType) -> None:
    section = synthetic.tiny_moe()["map"]
    found = build(section)
    assert len(found.panels) == 1 and not found.by_chip
    drawn = draw_panel(found, found.panels[0], 0)
    assert len(squares(drawn)) == len(set(squares(drawn))) == 120
    assert len(squares(drawn, "uf")) == 120 - 31
    assert {position(section["mesh"], core) for core in section["cores"]["core"]} == set(squares(drawn)) - set(
        squares(drawn, "uf")
    )


def test_what_is_over_its_limit_stands_out(synthetic: ModuleType) -> None:
    found = build(synthetic.unfit()["map"])
    over = [squares(draw_panel(found, panel, i), "ux") for i, panel in enumerate(found.panels)]
    assert [len(cells) for cells in over] == [0] * 8 + [20]


def test_a_fraction_just_above_one_is_over_and_one_just_below_is_not(synthetic: ModuleType) -> None:
    section = synthetic.tiny_moe()["map"]
    section["cores"]["used_fraction"][:3] = [1.00001, 1.0, 0.99999]
    assert [step_of(v) for v in build(section).modes[FULLEST][:3]] == ["ux", "u9", "u9"]


def test_cores_may_come_in_any_order(synthetic: ModuleType) -> None:
    section = synthetic.smollm()["map"]
    before = build(section)
    cores = section["cores"]
    order = list(range(len(cores["chip"])))[::-1]
    turned = {key: [cores[key][i] for i in order] for key in ("chip", "core", "label", "layer", "used_fraction")}
    fractions = {name: [column[i] for i in order] for name, column in cores["resource_fractions"].items()}
    after = build(section | {"cores": turned | {"resource_fractions": fractions}})
    assert script_data(before) == script_data(after)


def test_too_many_cores_are_drawn_chip_by_chip(synthetic: ModuleType) -> None:
    section = synthetic.hala()["map"]
    found = build(section)
    assert found.by_chip and len(found.panels) == 1
    drawn = draw_panel(found, found.panels[0], 0)
    assert len(set(squares(drawn))) == 1152
    assert len(squares(drawn, "uf")) == 1152 - section["chips_used"]
    assert all(len(values) == section["chips_used"] for values in found.modes.values())
    fractions = [
        f for chip, f in zip(section["cores"]["chip"], section["cores"]["used_fraction"], strict=True) if chip == 7
    ]
    assert found.modes[FULLEST][7] == round(1000 * sum(fractions) / len(fractions))


def test_captions_tell_layers_and_what_has_none(synthetic: ModuleType) -> None:
    panels = build(synthetic.smollm()["map"]).panels
    assert panels[0].caption.startswith("120 cores, layers 0–3, ")
    assert panels[7].caption.startswith("120 cores, layers 28–29, lm_head, ")
    assert panels[8].caption.startswith("120 cores, lm_head, ")


def test_no_layer_at_all_gives_no_colouring_by_layer(synthetic: ModuleType) -> None:
    section = synthetic.tiny_moe()["map"]
    section["cores"]["layer"] = [None] * 31
    assert LAYER not in build(section).modes


def test_a_map_without_cores_is_drawn_as_nothing(synthetic: ModuleType) -> None:
    section = synthetic.smollm()["map"]
    empty = {"chip": [], "core": [], "label": [], "layer": [], "used_fraction": [], "resource_fractions": {}}
    found = build(section | {"cores": empty})
    assert found.panels == [] and script_data(found)["names"] == []
    assert len(squares(chipmap.system_strip(section | {"cores": empty}))) == 32
