"""Energy: each boundary apart, both phases on one scale, and what each is made of. Details are in `energy_details`."""

from __future__ import annotations

from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.accounting.report_json import BOUNDARY_TEXT
from neurodeploy.reporting import units
from neurodeploy.reporting.charts import COLOURS, LogScale, Segment, band_plot, composition
from neurodeploy.reporting.derive import HEADLINE_BOUNDARY, PHASE_TEXT, boundary_stack, components, phases, unit_of
from neurodeploy.reporting.html import Child, Html, el, join
from neurodeploy.reporting.sections.energy_details import band_text, details
from neurodeploy.reporting.sections.frame import Body, missing_note
from neurodeploy.reporting.units import Band, Data

_TABS = {"generate": "Generating", "prefill": "Reading the prompt", "sample": "A sample", "step": "A time step"}
#: Bands of boundaries have a colour that no component has.
_BAND_COLOUR = "u5"


def energy(data: Data) -> Body | None:
    priced = phases(data.get("energy"))
    found = {name: phase for name, phase in priced.items() if phase is not None}
    if not found:
        return None
    colours = _colours(found)
    scale = LogScale.over(
        band for phase in found.values() for band in phase["joules_per_token"].values() if band is not None
    )
    tabs: list[Child] = []
    for i, name in enumerate(found):
        tabs.append(el("input", type="radio", name="phase", id=f"tab-{name}", checked=i == 0))
        tabs.append(el("label", _TABS[name], for_=f"tab-{name}"))
    tabs += [el("div", *details(found[name], name, colours), class_=f"panel panel-{name}") for name in found]
    blocks = [_boundaries(name, phase, data, colours, scale) for name, phase in priced.items()]
    return [
        _lead(found), el("div", *blocks, class_="chart"), _key(colours) if colours else None, el("div", *tabs, class_="tabs")
    ]  # fmt: skip


def _colours(found: dict[str, Data]) -> dict[str, str]:
    """A colour class per component, the same in every chart; the smallest share the grey one."""
    sizes: dict[str, float] = {}
    for phase in found.values():
        for row in components(phase):
            sizes[row.name] = sizes.get(row.name, 0.0) + row.joules["nominal"]
    ranked = sorted(sizes, key=lambda name: (-sizes[name], name))
    return {name: f"k{min(i, COLOURS - 1)}" for i, name in enumerate(ranked)}


def _lead(found: dict[str, Data]) -> str | None:
    """Which component is the largest at the boundary of the headline."""
    name, phase = next(iter(found.items()))
    band = phase["joules_per_token"].get(HEADLINE_BOUNDARY)
    parts, _ = boundary_stack(phase, HEADLINE_BOUNDARY)
    sums: dict[str, float] = {}
    for row, value in parts:
        sums[row.name] = sums.get(row.name, 0.0) + value
    if band is None or not sums or not band["nominal"]:
        return None
    top = max(sums, key=lambda key: sums[key])
    share = units.share(sums[top] / band["nominal"])
    return f"At the chip boundary, {units.words(top)} makes up {share} of what a {PHASE_TEXT[name]} costs."


def _boundaries(name: str, phase: Data | None, data: Data, colours: dict[str, str], scale: LogScale) -> Html:
    title = f"One {PHASE_TEXT[name]}"
    if phase is None:
        return el("div", el("h3", title), missing_note(data, "energy"), class_="phase")
    seconds = phase["seconds_per_token"]
    speed = f"{units.si(phase['tokens_per_s'])} {unit_of(name)}s/s, bound by {units.words(phase['bound_by'])}"
    head = [el("h3", title), el("span"), el("span"), el("span", "made of" if phase["entries"] else None)]
    foot = [el("span"), scale.axis("J"), el("span"), el("span")]
    return el(
        "div",
        el("div", *head, class_="boundary head"),
        *(_boundary(boundary, phase, unit_of(name), colours, scale) for boundary in BOUNDARIES),
        el("div", *foot, class_="boundary"),
        el("p", f"{units.spread(seconds, 's')}, {speed}", class_="hint"),
        class_="phase",
    )


def _boundary(boundary: str, phase: Data, unit: str, colours: dict[str, str], scale: LogScale) -> Html:
    """A row: name, band, figure, and the shares of its components."""
    label = el("div", el("b", boundary), el("span", BOUNDARY_TEXT[boundary]), class_="bar-label")
    band = phase["joules_per_token"].get(boundary)
    plot, figure, made = band_plot(None, scale, _BAND_COLOUR, "not known"), el("span", "not known"), el("span")
    if band is not None:
        tip = f"{boundary}: {units.si(band['nominal'], 'J')} per {unit}, {units.span(band, 'J')}"
        parts, rest = boundary_stack(phase, boundary)
        named = [(colours[row.name], units.words(row.name), value) for row, value in parts]
        if rest and parts:
            named.append(("rest", "not itemised", rest))
        segments = [Segment(value, colour, _share_text(what, value, band)) for colour, what, value in named]
        plot, figure = band_plot(band, scale, _BAND_COLOUR, tip), band_text(band)
        made = composition(segments, join([part.tip for part in segments], "; ")) if segments else made
    return el("div", label, plot, el("div", figure, class_="bar-value"), made, class_="boundary")


def _share_text(name: str, value: float, band: Band) -> str:
    share = units.share(value / band["nominal"]) if band["nominal"] else units.DASH
    return f"{name}: {units.si(value, 'J')}, {share}"


def _key(colours: dict[str, str]) -> Html:
    """Which colour is which component; those that share the grey one are named together."""
    groups: dict[str, list[str]] = {}
    for name, colour in colours.items():
        groups.setdefault(colour, []).append(units.words(name))
    items = [el("span", el("i", class_=f"key {colour}"), ", ".join(names)) for colour, names in groups.items()]
    note = "Bars run from low to high on a logarithmic scale, the mark is the nominal value."
    return el("p", *items, el("span", note), class_="keys")
