"""The head of the page: the model, the verdict in one sentence, and six key figures with band, boundary and basis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from neurodeploy.reporting import derive, units
from neurodeploy.reporting.charts import band_strip
from neurodeploy.reporting.html import Child, Html, el, join
from neurodeploy.reporting.missing import how_to
from neurodeploy.reporting.schema import Accuracy, Energy, Explained, MapSection, Traffic


def name_of(data: Mapping[str, Any]) -> str:
    about = data.get("network") or data.get("model")
    return about["name"] if about is not None else "Unnamed model"


def hero(data: Mapping[str, Any]) -> Html:
    """Of a spiking network without the key figures."""
    clauses = derive.verdict(data)
    ends = ["," if i < len(clauses) - 1 else "" for i in range(len(clauses))]
    if len(clauses) > 1:
        ends[-2] = ", and" if len(clauses) > 2 else " and"
    told = [join([el("span", clause, class_="clause"), end]) for clause, end in zip(clauses, ends, strict=True)]
    told = told or [el("span", "nothing has been mapped, priced or evaluated yet", class_="clause")]
    section, run = data.get("map"), data.get("run")
    fails = "fails" if section is not None and derive.fit_of(section) == derive.NOT_FIT else None
    facts = _model_facts(data) if run is None else _network_facts(data)
    return el(
        "header",
        el("p", _spans(["neurodeploy report", *_over(data)]), class_="over"),
        el("h1", el("b", name_of(data)), " " if clauses else ": ", join(told, " "), ".", class_=fails),
        el("p", _spans(facts), class_="model"),
        el("div", *(_card(data, *card) for card in _CARDS), class_="cards") if run is None else None,
        class_="hero",
    )


def _spans(parts: Iterable[Child]) -> Html:
    return join((el("span", part) for part in parts), " ")


def _over(data: Mapping[str, Any]) -> Iterator[Child]:
    section, provenance, run = data.get("map"), data.get("provenance"), data.get("run")
    if run is not None:
        yield f"{run['input']}, {run['samples']} x {run['steps']} steps"
    if section is not None:
        yield f"{section['system']} ({section['chip']})"
    if provenance is not None and provenance["created"]:
        yield provenance["created"]


def _network_facts(data: Mapping[str, Any]) -> Iterator[str]:
    about = data["network"]
    yield about["family"]
    yield f"{units.count(about['neurons'])} neurons in {units.count(len(data['populations']))} populations"
    yield f"{units.si(about['synapses'])} synapses"
    yield f"time step {units.si(about['dt_s'], 's')}" if about["dt_s"] else "time step not stated"
    yield f"from {about['source']}"
    yield f"licence {about['licence']}"


def _model_facts(data: Mapping[str, Any]) -> Iterator[str]:
    model = data.get("model")
    if model is not None:
        yield model["family"]
        yield f"{units.count(model['layers'])} layers of {units.count(model['hidden_size'])}"
        yield f"vocabulary {units.count(model['vocab_size'])}"
        yield f"{units.si(model['parameters_on_chip'])} weights on the chip, {units.si(model['weight_bytes'], 'B')}"
        yield f"licence {model['licence']}"
        yield f"from {model['source']}"


#: Title, value, unit, lines below.
_Figure = tuple[str, str, str, Sequence[Child]]


def _split(text: str) -> tuple[str, str]:
    """ "4.61 mJ" -> ("4.61", "mJ")."""
    head, _, tail = text.partition(units.SPACE)
    return head, tail


def _chips(section: MapSection) -> _Figure:
    bound = section["cores_lower_bound"]
    over = section["cores_used"] / bound - 1 if bound else 0.0
    cores = f"{units.count(section['cores_used'])} cores, {units.percent(over, 2)} above the least possible"
    lines = [cores, f"bound by {units.words(section['binding_resource'])}"]
    return "Chips", units.count(section["chips_used"]), f"of {units.count(section['chips_available'])}", lines


def _energy(section: Energy) -> _Figure | None:
    phase, name = derive.headline_phase(section)
    band = phase["joules_per_token"].get(derive.HEADLINE_BOUNDARY) if phase is not None else None
    if phase is None or band is None:
        return None
    shares = derive.basis_shares(entry for entry in phase["entries"] if derive.inside(entry, derive.HEADLINE_BOUNDARY))
    lines = [band_strip(band), f"{units.span(band, 'J')} at the chip boundary, modelled"]
    told = [derive.basis_sentence(shares)] if shares else []
    return f"Energy per {derive.PHASE_TEXT[name]}", *_split(units.si(band["nominal"], "J")), [*lines, *told]


def _speed(section: Energy) -> _Figure | None:
    phase, name = derive.headline_phase(section)
    if phase is None:
        return None
    band = derive.rate_band(phase["seconds_per_token"])
    span = f"{units.span(band, '')}{units.SPACE}tokens/s, modelled"
    lines = [band_strip(band), span, f"bound by {units.words(phase['bound_by'])}"]
    return f"Speed, {derive.PHASE_TEXT[name]}s", units.si(phase["tokens_per_s"]), "tokens/s", lines


def _accuracy(accuracy: Accuracy) -> _Figure:
    before, after = accuracy["float"]["bits_per_byte"], accuracy["chip"]["bits_per_byte"]
    same = f"same next token: {units.percent(accuracy['top1_agreement'])}"
    change = _split(units.percent(derive.loss(accuracy), 2, signed=True))
    return "Bits per byte, chip against float", *change, [f"{before:.4f} in float, {after:.4f} in integers", same]


def _operations(ops: list[Explained]) -> _Figure:
    chip = sum(op["device"] == "chip" for op in ops)
    reasons = units.some(len({op["rule"] for op in ops if op["device"] != "chip"}), "reason")
    left = f"{units.count(len(ops) - chip)} on the host, for {reasons}"
    return "Operations on the chip", units.count(chip), f"of {units.count(len(ops))}", [left]


def _border(traffic: Traffic) -> _Figure:
    both = traffic["host_in_bytes_per_token"] + traffic["host_out_bytes_per_token"]
    crossings = f"per token, in {traffic['crossings_per_token']:g} crossings"
    return "Across the host border", *_split(units.si(both, "B")), [crossings]


#: key of the data, title where it was not run, maker
_CARDS: tuple[tuple[str, str, Callable[[Any], _Figure | None]], ...] = (
    ("map", "Chips", _chips),
    ("energy", "Energy per token", _energy),
    ("energy", "Speed", _speed),
    ("accuracy", "Accuracy", _accuracy),
    ("explain", "Operations on the chip", _operations),
    ("traffic", "Across the host border", _border),
)


def _card(data: Mapping[str, Any], key: str, title: str, make: Callable[[Any], _Figure | None]) -> Html:
    made = make(data[key]) if data.get(key) is not None else None
    if made is None:
        command = el("p", el("code", how_to(data, key)[1]))
        return el("div", el("h3", title), el("p", "not run", class_="value"), command, class_="card none")
    title, value, unit, lines = made
    shown = (part if isinstance(part, Html) else el("p", part) for part in lines)
    value_line = el("p", value, el("small", units.SPACE, unit) if unit else None, class_="value")
    return el("div", el("h3", title), value_line, *shown, class_="card")
