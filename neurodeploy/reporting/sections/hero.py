"""The head of the page: the model, the verdict in one sentence, and six key figures with band, boundary and basis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from neurodeploy.reporting import derive, units
from neurodeploy.reporting.charts import band_strip
from neurodeploy.reporting.html import Child, Html, el, join
from neurodeploy.reporting.missing import how_to
from neurodeploy.reporting.units import Data


def name_of(data: Mapping[str, Any]) -> str:
    return data["model"]["name"] if data.get("model") is not None else "Unnamed model"


def hero(data: Mapping[str, Any]) -> Html:
    clauses = derive.verdict(data)
    ends = ["," if i < len(clauses) - 1 else "" for i in range(len(clauses))]
    if len(clauses) > 1:
        ends[-2] = ", and" if len(clauses) > 2 else " and"
    told = [join([el("span", clause, class_="clause"), end]) for clause, end in zip(clauses, ends, strict=True)]
    told = told or [el("span", "nothing has been mapped, priced or evaluated yet", class_="clause")]
    section = data.get("map")
    fails = "fails" if section is not None and derive.fit_of(section) == derive.NOT_FIT else None
    return el(
        "header",
        el("p", _spans(["neurodeploy report", *_over(data)]), class_="over"),
        el("h1", el("b", name_of(data)), " " if clauses else ": ", join(told, " "), ".", class_=fails),
        el("p", _spans(_facts(data)), class_="model"),
        _listed(_card(data, *card) for card in _CARDS),
        class_="hero",
    )


def _spans(parts: Iterable[Child]) -> Html:
    return join((el("span", part) for part in parts), " ")


def _over(data: Mapping[str, Any]) -> Iterator[Child]:
    section, provenance, run = data.get("map"), data.get("provenance"), data.get("run")
    if run is not None:
        samples = f"{units.some(run['samples'], 'sample')} of " if run["samples"] > 1 else ""
        yield f"{run['input']}, {samples}{units.some(run['steps'], run['unit'])}"
    if section is not None:
        yield f"{section['system']} ({section['chip']})"
    if provenance is not None and provenance["created"]:
        yield provenance["created"]


def _facts(data: Data) -> Iterator[str]:
    model = data.get("model")
    if model is None:
        return
    yield model["family"]
    if model["hidden_size"]:
        yield f"{units.count(model['layers'])} layers of {units.count(model['hidden_size'])}"
        yield f"vocabulary {units.count(model['vocab_size'])}"
    yield f"{units.si(model['neurons'])} neurons in {units.some(model['populations'], 'population')}"
    yield f"{units.si(model['synapses'])} synapses, {units.si(model['weight_bytes'], 'B')} of weights"
    if not model["hidden_size"]:
        yield f"time step {units.si(model['dt_s'], 's')}" if model["dt_s"] else "time step not stated"
    yield f"licence {model['licence']}"
    yield f"from {model['source']}"


#: Title, value, unit, lines below.
Figure = tuple[str, str, str, Sequence[Child]]


def cards(figures: Iterable[Figure]) -> Html:
    """Key figures of another page."""
    return _listed(_drawn(figure) for figure in figures)


def _listed(made: Iterable[Html | None]) -> Html:
    return el("ul", *made, class_="cards", aria_label="Key figures")


def band_figure(title: str, band: units.Band, unit: str, said: str) -> Figure:
    """A figure with its band, drawn and in numbers."""
    return title, *_split(units.si(band["nominal"], unit)), [band_strip(band), f"{units.span(band, unit)} {said}"]


def _split(text: str) -> tuple[str, str]:
    """ "4.61 mJ" -> ("4.61", "mJ")."""
    head, _, tail = text.partition(units.SPACE)
    return head, tail


def _chips(section: Data) -> Figure:
    bound = section["cores_lower_bound"]
    over = section["cores_used"] / bound - 1 if bound else 0.0
    cores = f"{units.some(section['cores_used'], 'core')}, {units.percent(over, 2)} above the least possible"
    lines = [cores, f"bound by {units.words(section['binding_resource'])}"]
    return "Chips", units.count(section["chips_used"]), f"of {units.count(section['chips_available'])}", lines


def _energy(section: Data) -> Figure | None:
    phase, name = derive.headline_phase(section)
    band = phase["joules_per_token"].get(derive.HEADLINE_BOUNDARY) if phase is not None else None
    if phase is None or band is None:
        return None
    shares = derive.basis_shares(entry for entry in phase["entries"] if derive.inside(entry, derive.HEADLINE_BOUNDARY))
    lines = [band_strip(band), f"{units.span(band, 'J')} at the chip boundary, modelled"]
    told = [derive.basis_sentence(shares)] if shares else []
    return f"Energy per {derive.PHASE_TEXT[name]}", *_split(units.si(band["nominal"], "J")), [*lines, *told]


def _speed(section: Data) -> Figure | None:
    phase, name = derive.headline_phase(section)
    if phase is None:
        return None
    band = derive.rate_band(phase["seconds_per_token"])
    unit = f"{derive.unit_of(name)}s/s"
    span = f"{units.span(band, '')}{units.SPACE}{unit}, modelled"
    lines = [band_strip(band), span, f"bound by {units.words(phase['bound_by'])}"]
    return f"Speed, {derive.PHASE_TEXT[name]}s", units.si(phase["tokens_per_s"]), unit, lines


def _accuracy(accuracy: Data) -> Figure:
    before, after = accuracy["float"]["bits_per_byte"], accuracy["chip"]["bits_per_byte"]
    same = f"same next token: {units.percent(accuracy['top1_agreement'])}"
    change = _split(units.percent(derive.loss(accuracy), 2, signed=True))
    return "Bits per byte, chip against float", *change, [f"{before:.4f} in float, {after:.4f} in integers", same]


def _operations(ops: list[Data]) -> Figure:
    chip = sum(op["device"] == "chip" for op in ops)
    reasons = units.some(len({op["rule"] for op in ops if op["device"] != "chip"}), "reason")
    left = f"{units.count(len(ops) - chip)} on the host, for {reasons}"
    return "Operations on the chip", units.count(chip), f"of {units.count(len(ops))}", [left]


def _border(traffic: Data) -> Figure:
    both = traffic["to_host_bytes"] + traffic["to_chip_bytes"]
    crossings = f"per {traffic['unit']}, in {traffic['crossings']:g} crossings"
    return "Across the host border", *_split(units.si(both, "B")), [crossings]


def _comparison(rows: Sequence[Data]) -> Figure:
    worst = max(rows, key=derive.differing)
    said = f"{units.count(worst['differing'])} of {units.count(worst['compared'])} of {worst['population']}"
    return "Bins that differ from float", *_split(units.percent(derive.differing(worst), 2)), [said]


def _labelled(found: Data) -> Figure:
    row = derive.first_labelled(found)
    samples, theirs = found["samples"], row["float_correct"]
    lines = [f"{units.count(row['chip_correct'])} of {units.some(samples, 'sample')}, labels of {found['file']}"]
    if theirs is not None:
        lines.append(f"{units.percent(theirs / samples)} in float")
    return "Right on labels", *_split(units.percent(row["chip_correct"] / samples)), lines


#: key of the data, title where it was not run, maker
_CARDS: tuple[tuple[str, str, Callable[[Any], Figure | None]], ...] = (
    ("map", "Chips", _chips),
    ("energy", "Energy", _energy),
    ("energy", "Speed", _speed),
    ("labelled", "Right on labels", _labelled),
    ("accuracy", "Accuracy", _accuracy),
    ("comparison", "Float against integers", _comparison),
    ("explain", "Operations on the chip", _operations),
    ("traffic", "Across the host border", _border),
)


def _card(data: Data, key: str, title: str, make: Callable[[Any], Figure | None]) -> Html | None:
    """None for what the way in which the model reads does not have."""
    made = make(data[key]) if data.get(key) else None
    if made is None and (key in ("comparison", "labelled") or (key == "accuracy" and "traces" in data)):
        return None
    if made is None:
        command = el("p", el("code", how_to(data, key)[1]))
        return el("li", el("p", title, class_="name"), el("p", "not run", class_="value"), command, class_="card none")
    return _drawn(made)


def _drawn(figure: Figure) -> Html:
    title, value, unit, lines = figure
    shown = (part if isinstance(part, Html) else el("p", part) for part in lines)
    value_line = el("p", value, el("small", units.SPACE, unit) if unit else None, class_="value")
    return el("li", el("p", title, class_="name"), value_line, *shown, class_="card")
