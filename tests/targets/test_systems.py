from __future__ import annotations

import pytest

from neurodeploy.errors import UserError
from targets.systems import ALIASES, SYSTEMS, get_system


def test_chips_of_every_system() -> None:
    chips = {name: system.chips for name, system in SYSTEMS.items()}
    assert chips == {
        "oheo-gulch": 1,
        "kapoho-point": 8,
        "vpx-16": 16,
        "alia-point": 32,
        "hala-point": 1152,
        "loihi1-nahuku": 32,
    }
    for name, system in SYSTEMS.items():
        assert system.name == name
        assert system.grid[0] * system.grid[1] == system.chips
    assert SYSTEMS["hala-point"].cores == 1152 * 120


@pytest.mark.parametrize("name", ["alia-point", "Alia Point", " ALIA_POINT "])
def test_names_are_forgiving(name: str) -> None:
    assert get_system(name) is SYSTEMS["alia-point"]


def test_aliases_point_to_systems() -> None:
    assert get_system("one chip").name == "oheo-gulch"
    assert set(ALIASES.values()) <= set(SYSTEMS)
    assert not set(ALIASES) & set(SYSTEMS)


def test_a_single_chip_carries_the_board_alone() -> None:
    infra = {name: system.chip.costs["p_infra_w"] for name, system in SYSTEMS.items()}
    assert infra["kapoho-point"].nominal == 0.75  # no run of it is published
    assert infra["oheo-gulch"].low > max(
        infra[name].nominal for name in ("kapoho-point", "vpx-16", "alia-point", "hala-point")
    )
    assert infra["oheo-gulch"].low < 1.56 < infra["oheo-gulch"].high  # Nesbit et al. 2026
    assert get_system("oheo-gulch").chip.budget == get_system("kapoho-point").chip.budget


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        get_system("kapoho-pont")
    assert caught.value.code == "ND4001"
    assert "did you mean kapoho-point?" in caught.value.fix
    assert all(name in caught.value.fix for name in SYSTEMS)
