"""Rows of "variants", what of a model is on the chip: how terminal and page show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neurodeploy.reporting import units
from neurodeploy.reporting.derive import BOUNDARY_OF_TABLES
from neurodeploy.reporting.units import DASH, Data

#: Heads of a table; those that end in ">" are of numbers.
HEADS = (
    "On the chip", "Crossings>", "Steps>", "Cores>", "Chips>", *(f"{name.capitalize()}>" for name in BOUNDARY_OF_TABLES),
    "Time>", "Bits a byte>", "KL>", "Same token>",
)  # fmt: skip
#: What the heads mean.
MEANING = (
    "of a generated token: crossings of the host border, steps of the chip, joules at the chip and at the wall, seconds "
    "(modelled); against float: change of bits a byte, nats a token (KL), same next token"
)
NOT_MEASURED = "not measured"
#: Where the figures of a row come from, but for those of a bundle that was run.
ORIGIN = {"plan": "planned from shapes", "computed": "computed"}


def name_of(row: Data, rows: Sequence[Data]) -> str:
    """What is on the chip, with the bundle where another has the same there, or where its figures come from."""
    twins = sum(other["on_chip"] == row["on_chip"] for other in rows) > 1
    where = row["bundle"] if twins and row["bundle"] else ORIGIN.get(row["from"]) if row["from"] == "plan" else None
    return f"{row['on_chip']} ({where})" if where else str(row["on_chip"])


def cells(row: Data, rows: Sequence[Data]) -> list[str]:
    """A row of the table under `HEADS`."""
    phase, found = row["generate"], row["loss"]
    joules = [
        units.si(phase["joules_per_token"][name]["nominal"], "J") if phase else DASH for name in BOUNDARY_OF_TABLES
    ]
    loss = [NOT_MEASURED, DASH, DASH]
    if found is not None:
        change, kl, same = (found[key] for key in ("bits_per_byte_change", "kl_per_token", "top1_agreement"))
        loss = [units.percent(change, 2, signed=True), units.digits(kl, 2), units.percent(same)]
    return [
        name_of(row, rows), *(DASH if row[key] is None else f"{row[key]:,.4g}" for key in ("crossings", "steps")),
        units.count(row["cores"]), units.count(row["chips"]), *joules,
        units.si(phase["seconds_per_token"]["nominal"], "s") if phase else DASH, *loss,
    ]  # fmt: skip


def remarks(rows: Sequence[Data]) -> list[str]:
    """What must be said beside the table: notes of rows, systems and texts where there are several."""
    said = [f"{name_of(row, rows)}: {row['note']}" for row in rows if row["note"]]
    systems = {row["system"] for row in rows if row["chips"]}
    if len(systems) > 1:
        said.append("systems differ: " + ", ".join(f"{row['on_chip']} {row['system']}" for row in rows if row["chips"]))
    texts: set[Any] = {(row["loss"]["text"], row["loss"]["tokens"]) for row in rows if row["loss"]}
    if len(texts) > 1:
        each = ", ".join(f"{text}, {units.some(tokens, 'token')}" for text, tokens in sorted(texts))
        said.append(f"losses were measured on different texts: {each}")
    elif texts:
        ((text, tokens),) = texts
        said.append(f"losses on {units.some(tokens, 'token')} of {text}")
    if any(row["loss"] is None for row in rows):
        said.append("a loss is known once `neurodeploy eval --keep` has run on the bundle")
    return said
