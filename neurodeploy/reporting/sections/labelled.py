"""Right and wrong by class: what the integers take the samples of each label for, the worst classes first."""

from __future__ import annotations

from collections.abc import Iterator

from neurodeploy.reporting import units
from neurodeploy.reporting.derive import labelled_clause
from neurodeploy.reporting.html import Html, el
from neurodeploy.reporting.sections.frame import Body, cell, table
from neurodeploy.reporting.units import Data

#: Classes that are shown of an output: those with the largest share of errors.
_WORST = 12


def labelled(data: Data) -> Body | None:
    found = data.get("labelled")
    if not found:
        return None
    named = f"With the labels of {found['file']}, the network {labelled_clause(found)}."
    several = len(found["outputs"]) > 1
    hint = (
        "The class is the neuron of an output with the largest sum of payloads over all steps, the first of equal ones; a "
        "class is a label of the file, counted from 0."
    )
    return [named, *(part for row in found["outputs"] for part in _output(row, several)), el("p", hint, class_="hint")]


def _output(row: Data, several: bool) -> Iterator[Html]:
    wrong = [each for each in row["classes"] if each["right"] < each["samples"]]
    if several:
        yield el("h3", row["output"])
    if not wrong:
        yield el("p", f"Every sample of {_classes(len(row['classes']))} is right.")
        return
    rows = [
        [
            cell(f"{each['class']}"),
            cell(f"{units.count(each['right'])} of {units.count(each['samples'])}", float(each["right"])),
            cell(units.percent(each["right"] / each["samples"]), each["right"] / each["samples"]),
            cell(_taken(each)),
        ]
        for each in wrong[:_WORST]
    ]
    yield table(f"Worst classes of {row['output']}", ["Class", "Right>", "Share>", "Taken for"], rows)
    without = len(row["classes"]) - len(wrong)
    rest = f"{_classes(without)} without an error" if without else "no class is without an error"
    left = len(wrong) - _WORST
    more = f"{_classes(left)} with fewer errors {'is' if left == 1 else 'are'} in the JSON file; " if left > 0 else ""
    yield el("p", f"{more}{rest}.", class_="hint")


def _classes(number: int) -> str:
    return f"{units.count(number)} class{'' if number == 1 else 'es'}"


def _taken(each: Data) -> str:
    return ", ".join(f"{other['class']} ({units.count(other['samples'])} times)" for other in each["taken_for"])
