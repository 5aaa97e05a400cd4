"""The axes of an exploration: what words and values they take, the grid, and the points of a budget."""

from __future__ import annotations

from typing import Any

import pytest

from neurodeploy.conversion.presets import Preset
from neurodeploy.errors import UserError
from neurodeploy.pipeline.converting import OF_CHECKPOINTS, OF_FILES
from neurodeploy.pipeline.explore_axes import AXES, CONVERT, MAP, chosen, grid, of_verb, read_over
from neurodeploy.pipeline.tensors import OPTIONS as OF_TENSORS
from partitioner.options import OBJECTIVES, Options
from targets.systems import SYSTEMS


def test_words_of_the_command_line() -> None:
    found = read_over(["preset=default, a8", "objective,system", "spread=true", "events=0.5"])
    assert found["preset"] == ("default", "a8")
    assert (found["objective"], found["system"]) == (OBJECTIVES, tuple(SYSTEMS))
    assert (found["spread"], found["events"]) == ((True,), (0.5,))


def test_values_of_python() -> None:
    found = read_over({"payload_bits": [8, 16, 8], "system": "oheo-gulch", "on_chip": None, "dt": 1e-3})
    assert found == {
        "payload_bits": (8, 16), "system": ("oheo-gulch",), "on_chip": ("projections", "block", "all"), "dt": (1e-3,)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({}, "ND3320"), ([], "ND3320"), (["colour=red"], "ND3320"), ([""], "ND3320"), (["=8"], "ND3320"),
        (["payload_bits=eight"], "ND3321"), (["spread=perhaps"], "ND3321"), (["chips"], "ND3321"), (["preset="], "ND3321"),
        (["preset=a8", "preset=w4"], "ND3321"), ({"system": []}, "ND3321"),
    ],
)  # fmt: skip
def test_what_is_no_axis(over: Any, code: str) -> None:
    with pytest.raises(UserError, match=code):
        read_over(over)


def test_an_axis_is_an_option_of_its_verb() -> None:
    of_convert = {*OF_CHECKPOINTS, *OF_TENSORS, *(name for names in OF_FILES.values() for name in names)}
    of_map = {*Options.__dataclass_fields__, "system", "offload"}
    for name, axis in AXES.items():
        assert name in {CONVERT: of_convert, MAP: of_map}[axis.verb], name
        assert all(axis.read(str(value)) == value for value in axis.values), name


def test_every_preset_of_the_name_alone_converts_any_checkpoint() -> None:
    presets = read_over(["preset"])["preset"]
    assert Preset("default").name in presets and "keep" not in presets


def test_a_budget_draws_points_of_the_grid_in_its_order() -> None:
    axes = {"preset": ("a", "b"), "seed": (0, 1, 2), "system": ("x", "y")}
    every = grid(axes)
    assert every[0] == {"preset": "a", "seed": 0, "system": "x"} and every[1]["system"] == "y" and len(every) == 12
    some, rule = chosen(axes, 5, 7)
    assert [every.index(point) for point in some] == sorted(every.index(point) for point in some)
    assert rule == "5 of 12 points, drawn without replacement with seed 7"
    assert chosen(axes, 5, 7)[0] == some != chosen(axes, 5, 8)[0]
    assert chosen(axes, 12, 7) == chosen(axes, None, 0) == (every, "all 12 points of the grid")
    assert of_verb(every[0], MAP) == {"seed": 0, "system": "x"}
    with pytest.raises(UserError, match="ND3322"):
        chosen(axes, 0, 0)
