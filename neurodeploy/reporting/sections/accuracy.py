"""Accuracy: the integers that run against the float model, on one text, and a sample of what they write."""

from __future__ import annotations

from neurodeploy.reporting import units
from neurodeploy.reporting.charts import Segment, bar_row
from neurodeploy.reporting.derive import loss
from neurodeploy.reporting.html import Child, Html, el
from neurodeploy.reporting.sections.frame import Body, cell, missing_note, table
from neurodeploy.reporting.units import Data


def accuracy(data: Data) -> Body | None:
    found, sample = data.get("accuracy"), data.get("sample")
    if found is None and sample is None:
        return None
    left = el("div", *_numbers(found)) if found is not None else el("div", missing_note(data, "accuracy"))
    if sample is not None:
        right = el(
            "div",
            el("h3", "In its own words"),
            el("blockquote", el("span", sample["prompt"], class_="prompt"), sample["text"], tabindex=0),
            el("p", "Grey: the prompt. The rest was written by the integer model.", class_="hint"),
        )
    else:
        right = el("div", el("h3", "In its own words"), missing_note(data, "sample"))
    return [_lead(found), el("div", left, right, class_="two")]


def _lead(found: Data | None) -> str | None:
    if found is None:
        return None
    return (
        f"On {units.count(found['tokens'])} tokens of {found['text']}, the integers that run "
        f"predict the same next token as the float model in {units.percent(found['top1_agreement'])} of cases."
    )


def _numbers(found: Data) -> list[Child]:
    before, after = found["float"], found["chip"]
    perplexity = after["perplexity"] / before["perplexity"] - 1 if before["perplexity"] else 0.0
    rows = [
        _row("bits per byte", f"{before['bits_per_byte']:.4f}", f"{after['bits_per_byte']:.4f}", loss(found)),
        _row("perplexity", units.digits(before["perplexity"], 4), units.digits(after["perplexity"], 4), perplexity),
    ]
    if before["tokens_per_s"] is not None or after["tokens_per_s"] is not None:
        rows.append(
            _row("simulated here, tokens/s", units.si(before["tokens_per_s"]), units.si(after["tokens_per_s"]), None)
        )
    agreement = found["top1_agreement"]
    bar = bar_row(
        el("b", "same next token"),
        [Segment(agreement, "k0", f"{units.percent(agreement)} of the tokens")],
        None,
        [0.0, 0.5, 1.0],
        el("b", units.percent(agreement)),
        "share of tokens with the same most likely successor",
        "plain",
    )
    apart = el("p", f"Divergence from float (KL): {units.digits(found['kl_per_token'], 2)} nats a token.")
    clipped = found["saturations"]
    text = "No value was clipped." if not clipped else f"{units.count(clipped)} values were clipped (saturated) in all."
    speed = after["tokens_per_s"]
    if speed is not None:
        text += f" The whole comparison ran at {units.si(speed)} tokens/s on this machine."
    return [
        table("The chip against the float model", ["measure", "float>", "chip>", "change>"], rows, ""),
        bar,
        apart,
        el("p", text, class_="hint"),
    ]


def _row(name: str, before: str, after: str, change: float | None) -> list[Html]:
    shown = units.percent(change, 2, signed=True) if change is not None else ""
    return [cell(name), *(cell(value, class_="num") for value in (before, el("b", after), shown))]
