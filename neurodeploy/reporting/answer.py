"""What verbs return: plain dictionaries and lists that also show themselves, in words, as a page, as tables and as a chart.

A verb's result *is* the dictionary (or list) that ``--json`` prints: it is indexed, compared and dumped as one. It has no
other numbers. The words are those of the terminal (`terminal`), the page is made of the report's own sections (`page`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurodeploy.errors import BundleError
from neurodeploy.reporting import answer_tables

if TYPE_CHECKING:
    from rich.console import Console

#: Version of the schema of each verb whose answer is an object of fields (`neurodeploy.reporting.schemas`).
VERSIONS = {
    "convert": 1, "map": 1, "run": 1, "generate": 1, "eval": 1, "energy": 2, "fit": 2, "calibrate": 1, "export": 1,
    "verify": 1, "doctor": 1, "demo": 1, "explore": 1, "diff": 1,
}  # fmt: skip
#: Endings that `save` writes.
ENDINGS = (".json", ".csv", ".html")


class Answer:
    """What results of all verbs can do, whether they are a dictionary or a list. `verb` is who returned it."""

    verb: str

    def __repr__(self) -> str:
        """At most five lines, the first of which answers; those of a plain container where parts were taken out."""
        from neurodeploy.reporting.answer_words import headlines

        lines = headlines(self.verb, self)
        return "\n".join(lines) if lines else super().__repr__()

    def __str__(self) -> str:
        return repr(self)

    def show(self, console: Console | None = None, *, brief: bool = False) -> None:
        """Print the whole summary, as the command line does with ``-v``, on stdout or on a console of rich; `brief`: the
        answer in five lines, as it does without."""
        from neurodeploy.reporting import terminal

        (terminal.show_brief if brief else terminal.show)(self.verb, self, console)

    def _repr_html_(self) -> str | None:
        """For notebooks: the sections of the report that it has the data of, otherwise the words of the terminal."""
        from neurodeploy.reporting.answer_words import framed

        made = self.to_html()
        return None if made is None else framed(made)

    def to_html(self) -> str | None:
        """One self-contained page that loads nothing, as text; None where parts that it shows were taken out."""
        from neurodeploy.reporting.answer_words import page_of

        return page_of(self.verb, self)

    @property
    def sections(self) -> tuple[str, ...]:
        """Names of its tables, for `to_frame`: "values" (every single number or text), and dotted names of the rest."""
        return tuple(answer_tables.tables(self))

    def to_frame(self, section: str | None = None) -> Any:
        """A table as a `pandas.DataFrame`, a row for each entry, nested numbers under dotted names ("joules.low").

        section : one of `sections`; None is the table that the verb is about: populations of a `run` (neurons, messages,
            updates are counts), budgets of a `map` (shares of 1), entries of the ledger of `energy` (joules), rows of `fit`,
            `explain` and `calibrate`, outputs of `eval`; "values" otherwise.

        Raises ND3300 for another name; ND4006 where pandas is not installed.
        """
        pandas = answer_tables.library("pandas", "to_frame")
        heads, rows = answer_tables.table(self, section or answer_tables.main_table(self.verb, self))
        return pandas.DataFrame(rows, columns=heads)

    def plot(self, ax: Any = None) -> Any:
        """Draw the chart of the verb into `ax` (default: a new figure) of matplotlib; returns the axes.

        `energy` and `report` draw joules at the wall by component with their bands, `map` how full the fullest core is by
        budget (shares of 1), `run` messages by population, `explain` bytes a token (or step) over the host border, `eval`
        bits per byte of both models or the share of bins that differ, `fit` the chips of each row, `demo` joules a token of
        each variant. ND3301: the verb, or this result, has no chart. ND4006: matplotlib is not installed.
        """
        from neurodeploy.reporting.answer_charts import draw

        return draw(self.verb, self, ax)

    def save(self, path: str | os.PathLike[str], section: str | None = None) -> Path:
        """Write it to `path`, aside first and then renamed; returns the path.

        .json : all of it, as ``--json`` prints it. .csv : a table, see `to_frame`. .html : the page of `to_html`.
        Raises ND5013 for another ending, ND5004 where the file cannot be written, ND3300 for an unknown table.
        """
        from neurodeploy.reporting.files import write_all

        place = Path(path)
        write_all({place: self._as_text(place, section)}, place)
        return place

    def _as_text(self, place: Path, section: str | None) -> str:
        kind = place.suffix.lower()
        if kind == ".json":
            return answer_tables.json_text(self)
        if kind == ".csv":
            return answer_tables.csv_of(self, section or answer_tables.main_table(self.verb, self))
        page = self.to_html() if kind == ".html" else None
        if page is None:
            raise _no_such_file(place)
        return page


def check_ending(place: Path) -> None:
    """ND5013 where `save` writes no such file."""
    if place.suffix.lower() not in ENDINGS:
        raise _no_such_file(place)


def _no_such_file(place: Path) -> BundleError:
    return BundleError("ND5013", place, "is no file that this result can be saved as", f"end it in {_ANY}")


_ANY = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"


class Result(Answer, dict[str, Any]):
    """What a verb returns: the dictionary that ``--json`` prints, with the name and version of its "schema"."""

    def __init__(self, verb: str, found: dict[str, Any]) -> None:
        super().__init__(found)
        if verb in VERSIONS:
            self.setdefault("schema", f"neurodeploy-{verb}/{VERSIONS[verb]}")
        self.verb = verb


class ResultRows(Answer, list[dict[str, Any]]):
    """What a verb returns that answers with rows (`explain`): the list that ``--json`` prints."""

    def __init__(self, verb: str, found: list[dict[str, Any]]) -> None:
        super().__init__(found)
        self.verb = verb
