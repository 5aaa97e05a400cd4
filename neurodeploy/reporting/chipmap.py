"""The chip map: every core as a small square on its mesh, or every chip as one where there are too many cores.

Squares of one colour are one SVG path, so that a core costs about 20 bytes. The columns behind them travel as one JSON
block, from which the page's script makes tooltips and other colourings; without it the fullest resource is shown.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Html, el
from neurodeploy.reporting.units import Data

#: Cores that are drawn one by one; a system with more is drawn chip by chip.
MAX_CORES = 12_000
#: Steps of the colour ramp u0..u9; ux is above the limit, uf is a free core, un has no value in this colouring.
STEPS = 10
_PITCH, _SIZE, _GAP = 10, 9, 4
_WORD = 24
FULLEST = "fullest resource"
LAYER = "layer"


@dataclass(slots=True)
class Panel:
    """One mesh: the cells in use by position, and where each cell's values lie in the columns (`start`)."""

    title: str
    caption: str
    cells: list[int]
    start: int
    sites: int


@dataclass(slots=True)
class ChipMap:
    """Panels and, for all cells in their order, a name and per mille values by colouring."""

    mesh: Data
    panels: list[Panel]
    names: list[str]
    modes: dict[str, list[int | None]]
    by_chip: bool
    layer_top: int = 0


def step_of(value: int | None) -> str:
    """Class of a value in per mille."""
    if value is None:
        return "un"
    return "ux" if value > 1000 else f"u{min(STEPS - 1, value * STEPS // 1000)}"


def build(section: Data) -> ChipMap:
    """One square per core; per chip of the system, with the means over its cores in use, where they are too many."""
    cores = section["cores"]
    chips: dict[int, list[int]] = defaultdict(list)
    for i in sorted(range(len(cores["chip"])), key=lambda i: (cores["chip"][i], cores["core"][i])):
        chips[cores["chip"][i]].append(i)
    by_chip = len(cores["chip"]) > MAX_CORES
    squares = [*chips.values()] if by_chip else [[i] for group in chips.values() for i in group]

    def means(column: Sequence[float]) -> list[int | None]:
        return [_mille(sum(column[i] for i in square) / len(square)) for square in squares]

    modes = {FULLEST: means(cores["used_fraction"])}
    modes |= {units.words(name): means(column) for name, column in cores["resource_fractions"].items()}
    top = max((layer for layer in cores["layer"] if layer is not None), default=0)
    first = [next((cores["layer"][i] for i in square if cores["layer"][i] is not None), None) for square in squares]
    if any(layer is not None for layer in first):
        modes[LAYER] = [None if layer is None else layer * 1000 // (top + 1) for layer in first]
    mesh, captions = section["mesh"], {chip: _caption(section, group) for chip, group in chips.items()}
    if by_chip:
        sites = max(section["chips_available"], max(chips) + 1)
        mesh = _grid(sites, math.ceil(math.sqrt(sites * 2)))
        names = [f"chip {chip}: {caption}" for chip, caption in captions.items()]
        return ChipMap(mesh, [Panel("", "", list(chips), 0, sites)], names, modes, True, top)
    sites = min(section["cores_per_chip"], mesh["columns"] * mesh["rows"] * mesh["cores_per_router"])
    panels, start = [], 0
    for chip, group in chips.items():
        panels.append(Panel(f"chip {chip}", captions[chip], [cores["core"][i] for i in group], start, sites))
        start += len(group)
    return ChipMap(mesh, panels, [cores["label"][i] for (i,) in squares], modes, False, top)


def _grid(sites: int, columns: int) -> Data:
    return {"columns": columns, "rows": math.ceil(sites / columns), "cores_per_router": 1}


def _mille(fraction: float) -> int:
    """Per mille, rounded so that only a value above 1 goes above 1000."""
    return max(1001, round(fraction * 1000)) if fraction > 1 else min(1000, max(0, round(fraction * 1000)))


def _caption(section: Data, found: list[int]) -> str:
    cores = section["cores"]
    numbers = [layer for i in found if (layer := cores["layer"][i]) is not None]
    mean = sum(cores["used_fraction"][i] for i in found) / len(found)
    parts = [units.some(len(found), "core")]
    if numbers:
        parts.append(f"layer{'s' if len(set(numbers)) > 1 else ''} {units.ranges(numbers)}")
    if len(numbers) < len(found):  # what belongs to no layer is told by the first word of its label
        names = dict.fromkeys(cores["label"][i].partition(" ")[0][:_WORD] for i in found if cores["layer"][i] is None)
        parts.append(", ".join([*names][:2]) + (", …" if len(names) > 2 else ""))
    return f"{', '.join(parts)}, {units.percent(mean, 2)} full"


# --- drawing ---------------------------------------------------------------------------------------------------------


def _side(mesh: Data) -> tuple[int, int]:
    """Columns and rows of the square that the cores of one router make."""
    across = math.ceil(math.sqrt(mesh["cores_per_router"]))
    return across, math.ceil(mesh["cores_per_router"] / across)


def position(mesh: Data, cell: int) -> tuple[int, int]:
    """Top left corner of a cell in drawing units. The script turns it round to find the cell under the pointer."""
    across, down = _side(mesh)
    router, place = divmod(cell, mesh["cores_per_router"])
    row, column = divmod(router, mesh["columns"])
    gap = _GAP if mesh["cores_per_router"] > 1 else 0
    return (
        column * (across * _PITCH + gap) + place % across * _PITCH,
        row * (down * _PITCH + gap) + place // across * _PITCH,
    )


def _squares(mesh: Data, cells: Sequence[int]) -> str:
    return "".join("M{} {}h{s}v{s}h-{s}z".format(*position(mesh, cell), s=_SIZE) for cell in cells)


def _size(mesh: Data) -> tuple[int, int]:
    across, down = _side(mesh)
    gap = _GAP if mesh["cores_per_router"] > 1 else 0
    return mesh["columns"] * (across * _PITCH + gap) - gap - 1, mesh["rows"] * (down * _PITCH + gap) - gap - 1


def draw_panel(chip_map: ChipMap, panel: Panel, index: int) -> Html:
    mesh = chip_map.mesh
    values = chip_map.modes[FULLEST][panel.start : panel.start + len(panel.cells)]
    groups: dict[str, list[int]] = defaultdict(list)
    for cell, value in zip(panel.cells, values, strict=True):
        groups[step_of(value)].append(cell)
    groups["uf"] = sorted(set(range(panel.sites)) - set(panel.cells))
    width, height = _size(mesh)
    paths = [el("path", class_=name, d=_squares(mesh, cells)) for name, cells in sorted(groups.items()) if cells]
    label = f"{panel.title}: {panel.caption}" if panel.title else "chips of the system, coloured by how full they are"
    svg = el("svg", *paths, viewbox=f"-1 -1 {width + 2} {height + 2}", role="img", aria_label=label, data_panel=index)
    if not panel.title:
        return el("div", svg, class_="chip whole")
    return el("figure", svg, el("figcaption", el("b", panel.title), " ", panel.caption), class_="chip")


def script_data(chip_map: ChipMap) -> dict[str, Any]:
    """What the script needs; names that repeat are kept once."""
    names: dict[str, int] = {}
    indices = [names.setdefault(name, len(names)) for name in chip_map.names]
    across, down = _side(chip_map.mesh)
    return {
        "columns": chip_map.mesh["columns"],
        "perRouter": chip_map.mesh["cores_per_router"],
        "across": across,
        "down": down,
        "pitch": _PITCH,
        "size": _SIZE,
        "gap": _GAP if chip_map.mesh["cores_per_router"] > 1 else 0,
        "steps": STEPS,
        "byChip": chip_map.by_chip,
        "layerMode": LAYER,
        "layerTop": chip_map.layer_top,
        "panels": [{"title": p.title, "cells": p.cells, "start": p.start, "sites": p.sites} for p in chip_map.panels],
        "names": list(names),
        "name": indices,
        "modes": chip_map.modes,
    }


def system_strip(section: Data) -> Html:
    """All chips of the system as small squares: in use or free."""
    used = sorted(set(section["cores"]["chip"]))
    sites = max(section["chips_available"], max(used, default=-1) + 1)
    mesh = _grid(sites, min(sites, 32 if sites <= 128 else 64))
    free = sorted(set(range(sites)) - set(used))
    width, height = _size(mesh)
    label = f"{units.count(len(used))} of {units.some(section['chips_available'], 'chip')} in use"
    paths = [el("path", class_="u7", d=_squares(mesh, used)), el("path", class_="uf", d=_squares(mesh, free))]
    pixels, box = round(width * (1.2 if sites <= 128 else 0.6)), f"-1 -1 {width + 2} {height + 2}"
    return el("svg", *paths, viewbox=box, width=pixels, class_="system", role="img", aria_label=label)
