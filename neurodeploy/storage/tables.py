"""CSV that spreadsheets show and never run: names come from models and files of strangers."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable
from typing import Any

#: What spreadsheets take for the begin of a formula (https://owasp.org/www-community/attacks/CSV_Injection), in whatever
#: width a character is written: NFKC makes U+FF1D, U+FE66 and U+207C of "=" alike. U+2212 is the minus of typography.
FORMULA = frozenset("=+-@\u2212\t\r")
#: A mark before a text that says: this is text.
MARK = "'"
#: Categories of characters that are not seen: spaces, line ends, controls, and those that format (U+200B, U+FEFF).
UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})


def clean(text: str) -> str:
    """Text without characters that no page, CSV or terminal should get: control characters and lone surrogates."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join("\ufffd" if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 else c for c in text)


def is_formula(text: str) -> bool:
    """Whether a spreadsheet might run it, marks before it left aside."""
    text = text.lstrip(MARK)
    if text[:1] in FORMULA:
        return True
    first = next((c for c in text if unicodedata.category(c) not in UNSEEN), "")
    return unicodedata.normalize("NFKC", first)[:1] in FORMULA if first else False


def cell(value: Any) -> Any:
    """A value for a cell; text that could be a formula gets a mark, which `marked` takes away again."""
    if not isinstance(value, str):
        return value
    value = clean(value)
    return MARK + value if is_formula(value) else value


def marked(text: str) -> str:
    """The text of a cell that `cell` wrote: ``marked(cell(x)) == clean(x)``."""
    return text[1:] if text[:1] == MARK and is_formula(text[1:]) else text


def csv_text(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table with its header, a line for each row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(cell(name) for name in head)
    writer.writerows([cell(value) for value in row] for row in rows)
    return out.getvalue()
