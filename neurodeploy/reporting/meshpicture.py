"""The picture of a mapping's traffic: the grid of chips with the load between them, and meshes with the load of each link.

Plain SVG that needs no script: a link is a line coloured by its busier direction, in tenths of the largest load of its
kind; texts on hover are `title` elements. The busiest chips are drawn with every router and link; where there are many,
links of one colour share a path and the rest is in the grid, where a chip has the colour of its busiest link.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Html, el
from neurodeploy.reporting.units import Data

#: Meshes that are drawn, the busiest ones; how many of them have a text at each link; chips of a grid with texts.
MESHES, SPOKEN, SPOKEN_GRID = 8, 2, 64
_PITCH, _SIDE = 24, 12


@dataclass(frozen=True, slots=True)
class Link:
    """Between two neighbours: (column, row) of the first and of the second, messages there and back."""

    one: tuple[int, int]
    other: tuple[int, int]
    there: int
    back: int

    @property
    def load(self) -> int:
        return max(self.there, self.back)

    def drawn(self, names: Callable[[tuple[int, int]], object], per: int, most: int) -> Shape:
        x, y = (place * _PITCH for place in self.one)
        along = self.other[0] > self.one[0]
        start = f"M{x + _SIDE} {y + _SIDE // 2}h" if along else f"M{x + _SIDE // 2} {y + _SIDE}v"
        what = f"{names(self.one)} to {names(self.other)}: {units.si(self.there / per)} messages there, "
        what += f"{units.si(self.back / per)} back"
        return Shape(f"link {step_of(self.load, most)}", f"{start}{_PITCH - _SIDE}", what)


class Shape(NamedTuple):
    """Class, path, and the text on hover."""

    kind: str
    path: str
    what: str


def _box(kind: str, x: int, y: int, what: str) -> Shape:
    return Shape(kind, f"M{x * _PITCH} {y * _PITCH}h{_SIDE}v{_SIDE}h-{_SIDE}z", what)


def links_of(loads: list[list[int]], shape: list[int]) -> Iterator[Link]:
    """The links of one mesh that carry something, from its four lists of loads."""
    columns, rows = shape
    east, west, south, north = loads
    for i, (there, back) in enumerate(zip(east, west, strict=True)):
        if there or back:
            y, x = divmod(i, columns - 1)
            yield Link((x, y), (x + 1, y), there, back)
    for i, (there, back) in enumerate(zip(south, north, strict=True)):
        if there or back:
            x, y = divmod(i, rows - 1)
            yield Link((x, y), (x, y + 1), there, back)


def step_of(value: int, most: int) -> str:
    """Class of a load: tenths of the largest, "uf" for none."""
    return f"u{min(9, value * 10 // most)}" if value and most else "uf"


def grid(picture: Data) -> Html | None:
    """Chips that are used or passed, and the links between them; nothing for one chip."""
    if len(picture["chips"]) <= 1 or not any(map(any, picture["between"])):
        return None
    columns, per = picture["grid"][0], picture["per"]
    links = list(links_of(picture["between"], picture["grid"]))
    most = max(link.load for link in links)
    busy = {chip: _busiest(picture, i) for i, chip in enumerate(picture["chips"])}
    top, places = max(busy.values()), {chip: divmod(chip, columns)[::-1] for chip in busy}
    ends = dict.fromkeys([*places.values(), *(link.one for link in links), *(link.other for link in links)])
    width, height = (max(end[axis] for end in ends) + 1 for axis in (0, 1))
    shapes = [link.drawn(lambda at: f"chip {at[1] * columns + at[0]}", per, most) for link in links]
    for chip, load in busy.items():
        what = f"chip {chip}: busiest mesh link {units.si(load / per)} messages"
        x, y = places[chip]
        shapes.append(_box(step_of(load, top), x, y, what))
    for x, y in (end for end in ends if end not in places.values()):
        shapes.append(_box("uf", x, y, f"chip {y * columns + x}: passed, not in use"))
    label = f"{units.some(len(busy), 'chip')} and the messages between them"
    caption = f"Chips, coloured by their busiest mesh link (most: {units.si(top / per)} messages), and links between "
    caption += f"them (most: {units.si(most / per)})."
    size = (width, height, min(640, 70 * width))
    return _figure(shapes, len(busy) <= SPOKEN_GRID, size, label, el("figcaption", caption), "board")


def _busiest(picture: Data, index: int) -> int:
    return max((max(loads, default=0) for loads in picture["links"][index]), default=0)


def meshes(section: Data, picture: Data) -> list[Html]:
    """The busiest chips, the busiest first, with cores and links."""
    order = sorted(range(len(picture["chips"])), key=lambda i: (-_busiest(picture, i), i))[:MESHES]
    most = max((_busiest(picture, i) for i in order), default=0)
    cores, room = section["cores"], section["mesh"]["cores_per_router"]
    used: dict[tuple[int, int], list[str]] = defaultdict(list)
    for chip, core, label in zip(cores["chip"], cores["core"], cores["label"], strict=True):
        used[chip, core // room].append(label)
    return [_mesh(picture, i, most, used, room, place < SPOKEN) for place, i in enumerate(order)]


def _mesh(
    picture: Data, index: int, most: int, used: dict[tuple[int, int], list[str]], room: int, spoken: bool
) -> Html:
    chip, (columns, rows), per = picture["chips"][index], picture["mesh"], picture["per"]
    links = links_of(picture["links"][index], picture["mesh"])
    shapes = [link.drawn(str, per, most) for link in links]
    for router in range(columns * rows):
        y, x = divmod(router, columns)
        held = used.get((chip, router), [])
        what = f"router ({x}, {y}): {len(held)} of {room} cores in use {', '.join(dict.fromkeys(held))[:80]}"
        shapes.append(_box(step_of(len(held), room), x, y, what))
    load, port = _busiest(picture, index) / per, picture["ports"][index] / per
    said = f" busiest link {units.si(load)} messages, port {units.si(port)}"
    caption = el("figcaption", el("b", f"chip {chip}"), said)
    return _figure(
        shapes, spoken, (columns, rows, None), f"mesh of chip {chip} with the load of its links", caption, "mesh"
    )


def _figure(
    shapes: list[Shape], spoken: bool, size: tuple[int, int, int | None], label: str, caption: Html, kind: str
) -> Html:
    """`spoken`: each shape with its text, otherwise all of a kind in one path. `size`: columns, rows, and how many pixels
    wide it is drawn; None fills its place."""
    paths: dict[str, str] = defaultdict(str)
    for shape in () if spoken else shapes:
        paths[shape.kind] += shape.path
    drawn = [el("path", class_=name, d=path) for name, path in sorted(paths.items())]
    drawn += [el("path", el("title", s.what), class_=s.kind, d=s.path) for s in shapes if spoken]
    width, height = (n * _PITCH - (_PITCH - _SIDE) for n in size[:2])
    box = f"-2 -2 {width + 4} {height + 4}"
    picture = el("svg", *drawn, viewbox=box, width=size[2], role="img", aria_label=label)
    return el("figure", picture, caption, class_=f"load {kind}")
