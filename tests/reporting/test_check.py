"""The check at the door names the place of what is wrong, and lets everything through that is right."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from neurodeploy.errors import InternalError
from neurodeploy.reporting.check import check


def test_all_cases_follow_the_schema(synthetic: ModuleType) -> None:
    for make in synthetic.CASES.values():
        data = make()
        check(data)


def _set(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        at: Any = data
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value

    return change


def _drop(*keys: Any) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        at: Any = data
        for key in keys[:-1]:
            at = at[key]
        del at[keys[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (_drop("model", "licence"), "report.model.licence"),
        (_set("model", "layers", value="30"), "report.model.layers"),
        (_set("model", "layers", value=True), "report.model.layers"),
        (_set("map", "fits", value=1), "report.map.fits"),
        (_set("map", "cores", "chip", value=[0]), "report.map.cores.core"),
        (_set("map", "cores", "resource_fractions", "neurons", value=[0.1]), "report.map.cores.neurons"),
        (_set("map", "utilisation", "neurons", "limit", value="x"), "report.map.utilisation.neurons.limit"),
        (_set("explain", 3, "reason", value=None), "report.explain[3].reason"),
        (_set("explain", value="many"), "report.explain"),
        (
            _set("energy", "generate", "entries", 2, "boundary", value="socket"),
            "report.energy.generate.entries[2].boundary",
        ),
        (_set("energy", "prefill", "entries", 0, "basis", value="felt"), "report.energy.prefill.entries[0].basis"),
        (_set("energy", "prefill", "joules_per_token", "moon", value=None), "report.energy.prefill.joules_per_token"),
        (_set("energy", "generate", "by_layer", 0, "layer", value=1.5), "report.energy.generate.by_layer[0].layer"),
        (_set("accuracy", "float", value=None), "report.accuracy.float"),
        (_set("acuracy", value=None), "report.acuracy"),
    ],
)
def test_what_breaks_the_schema_is_named(
    smollm: dict[str, Any], change: Callable[[dict[str, Any]], None], place: str
) -> None:
    change(smollm)
    with pytest.raises(InternalError) as caught:
        check(smollm)
    assert (caught.value.code, caught.value.subject) == ("ND9050", place)


def test_what_may_be_unknown_passes(smollm: dict[str, Any]) -> None:
    smollm["conversion"]["calibration"] = None
    smollm["conversion"]["sites"][0] |= {"weight_sqnr_db": None, "output_sqnr_db": None}
    smollm["energy"]["generate"]["by_layer"][0]["layer"] = None
    smollm["accuracy"]["tokens_per_s"] = None
    smollm["provenance"] |= {"created": None, "seed": None, "bundle": None}
    smollm["activity"]["layers.0.o"]["more"] = "than asked for"
    check(smollm)
