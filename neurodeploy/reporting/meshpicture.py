"""The picture of a mapping's traffic: the grid of chips with the load between them, and meshes with the load of each link.

Plain SVG that needs no script: a link is a line coloured by its busier direction, in tenths of the largest load of its
kind; texts on hover are `title` elements. The busiest chips are drawn with every router and link; where there are many,
links of one colour share a path and the rest is in the grid, where a chip has the colour of its busiest link.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from neurodeploy.reporting import units
from neurodeploy.reporting.html import Html, el, text
from neurodeploy.reporting.schema import Cores, MapSection
from neurodeploy.reporting.schema_metrics import Picture

#: Meshes that are drawn, the busiest ones; how many of them have a text at each link; chips of a grid with texts.
MESHES, SPOKEN, SPOKEN_GRID = 8, 2, 64
_PITCH, _SIDE = 24, 12


@dataclass(frozen=True, slots=True)
class Link:
    """Between two neighbours: (column, row) of the first, whether it runs along the row, messages there and back."""

    x: int
    y: int
    along: bool
    there: int
    back: int

    @property
    def load(self) -> int:
        return max(self.there, self.back)

    @property
    def path(self) -> str:
        start = _SIDE if self.along else _SIDE // 2
        step = _PITCH - _SIDE
        if self.along:
            return f"M{self.x * _PITCH + start} {self.y * _PITCH + _SIDE // 2}h{step}"
        return f"M{self.x * _PITCH + start} {self.y * _PITCH + _SIDE}v{step}"


def links_of(loads: list[list[int]], shape: list[int]) -> Iterator[Link]:
    """The links of one mesh from its four lists of loads."""
    columns, rows = shape
    east, west, south, north = loads
    for i, (there, back) in enumerate(zip(east, west, strict=True)):
        yield Link(i % (columns - 1), i // (columns - 1), True, there, back)
    for i, (there, back) in enumerate(zip(south, north, strict=True)):
        yield Link(i // (rows - 1), i % (rows - 1), False, there, back)


def step_of(value: int, most: int) -> str:
    """Class of a load: tenths of the largest, "uf" for none."""
    return f"u{min(9, value * 10 // most)}" if value and most else "uf"


def grid(picture: Picture) -> Html | None:
    """Chips that are used or passed, and the links between them; nothing for one chip."""
    if len(picture["chips"]) <= 1 or not any(map(any, picture["between"])):
        return None
    columns = picture["grid"][0]
    links = list(links_of(picture["between"], picture["grid"]))
    most = max(link.load for link in links)
    busy = {chip: _busiest(picture, i) for i, chip in enumerate(picture["chips"])}
    top = max(busy.values())
    loaded = [link for link in links if link.load]
    ends = [(chip % columns, chip // columns) for chip in busy]
    ends += [(link.x, link.y) for link in loaded]
    ends += [(link.x + link.along, link.y + (not link.along)) for link in loaded]
    width, height = (max(end[axis] for end in ends) + 1 for axis in (0, 1))
    per, few = picture["per"], len(busy) <= SPOKEN_GRID
    spoken = {
        link: f"chip {_number(link, columns)} to {_number(link, columns) + (1 if link.along else columns)}: "
        f"{units.si(link.there / per)} messages there, {units.si(link.back / per)} back"
        for link in loaded
    }
    boxes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for chip, load in busy.items():
        x, y = chip % columns * _PITCH, chip // columns * _PITCH
        box = f"M{x} {y}h{_SIDE}v{_SIDE}h-{_SIDE}z"
        boxes[step_of(load, top)].append((box, f"chip {chip}: busiest mesh link {units.si(load / per)} messages"))
    for x, y in dict.fromkeys(ends):
        if y * columns + x not in busy:
            box = f"M{x * _PITCH} {y * _PITCH}h{_SIDE}v{_SIDE}h-{_SIDE}z"
            boxes["uf"].append((box, f"chip {y * columns + x}: passed, not in use"))
    shapes = [*_lines(loaded, spoken, most, few), *_boxes(boxes, few)]
    label = f"{units.count(len(busy))} chips and the messages between them"
    caption = f"Chips, coloured by their busiest mesh link (most: {units.si(top / per)} messages), and links between "
    caption += f"them (most: {units.si(most / per)})."
    return _figure(shapes, width, height, label, el("figcaption", caption), "board", min(640, 70 * width))


def _number(link: Link, columns: int) -> int:
    return link.y * columns + link.x


def _busiest(picture: Picture, index: int) -> int:
    return max((max(loads, default=0) for loads in picture["links"][index]), default=0)


def meshes(section: MapSection, picture: Picture) -> list[Html]:
    """The busiest chips, the busiest first, with cores and links."""
    order = sorted(range(len(picture["chips"])), key=lambda i: (-_busiest(picture, i), i))[:MESHES]
    most = max((_busiest(picture, i) for i in order), default=0)
    used = _by_router(section["cores"], section["mesh"]["cores_per_router"])
    return [_mesh(section, picture, i, most, used, place < SPOKEN) for place, i in enumerate(order)]


def _by_router(cores: Cores, per_router: int) -> dict[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for i, (chip, core) in enumerate(zip(cores["chip"], cores["core"], strict=True)):
        found[chip, core // per_router].append(i)
    return found


def _mesh(
    section: MapSection,
    picture: Picture,
    index: int,
    most: int,
    used: dict[tuple[int, int], list[int]],
    spoken: bool,
) -> Html:
    chip, (columns, rows), per = picture["chips"][index], picture["mesh"], picture["per"]
    cores, room = section["cores"], section["mesh"]["cores_per_router"]
    links = [link for link in links_of(picture["links"][index], picture["mesh"]) if link.load]
    said = {
        link: f"({link.x}, {link.y}) to ({link.x + link.along}, {link.y + (not link.along)}): "
        f"{units.si(link.there / per)} messages there, {units.si(link.back / per)} back"
        for link in links
    }
    boxes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for router in range(columns * rows):
        x, y = router % columns * _PITCH, router // columns * _PITCH
        held = used.get((chip, router), [])
        names = ", ".join(dict.fromkeys(cores["label"][i] for i in held))[:80]
        what = f"router ({router % columns}, {router // columns}): {len(held)} of {room} cores in use {names}"
        boxes[step_of(len(held), room)].append((f"M{x} {y}h{_SIDE}v{_SIDE}h-{_SIDE}z", what))
    shapes = [*_lines(links, said, most, spoken), *_boxes(boxes, spoken)]
    load = _busiest(picture, index) / per
    caption = el(
        "figcaption", el("b", f"chip {chip}"), f" busiest link {units.si(load)} messages, "
        f"port {units.si(picture['ports'][index] / per)}",
    )  # fmt: skip
    return _figure(shapes, columns, rows, f"mesh of chip {chip} with the load of its links", caption, "mesh")


def _lines(links: list[Link], said: dict[Link, str], most: int, spoken: bool) -> Iterator[Html]:
    """A path for each link with its text, or one for all links of a colour."""
    if spoken:
        for link in links:
            yield el("path", el("title", said[link]), class_=f"link {step_of(link.load, most)}", d=link.path)
        return
    paths: dict[str, list[str]] = defaultdict(list)
    for link in links:
        paths[step_of(link.load, most)].append(link.path)
    for step, found in sorted(paths.items()):
        yield el("path", class_=f"link {step}", d="".join(found))


def _boxes(boxes: dict[str, list[tuple[str, str]]], spoken: bool) -> Iterator[Html]:
    for step, found in sorted(boxes.items()):
        if spoken:
            yield from (el("path", el("title", what), class_=step, d=path) for path, what in found)
        else:
            yield el("path", class_=step, d="".join(path for path, _ in found))


def _figure(
    shapes: list[Html], columns: int, rows: int, label: str, caption: Html, kind: str, pixels: int | None = None
) -> Html:
    """`pixels`: how wide it is drawn; None fills its place."""
    width, height = columns * _PITCH - (_PITCH - _SIDE), rows * _PITCH - (_PITCH - _SIDE)
    svg = el(
        "svg", *shapes, viewbox=f"-2 -2 {width + 4} {height + 4}", width=pixels, role="img", aria_label=text(label)
    )
    return el("figure", svg, caption, class_=f"load {kind}")
