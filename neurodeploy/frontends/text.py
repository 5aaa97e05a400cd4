"""Texts that users name: read as UTF-8, never empty, errors that say where."""

from __future__ import annotations

from pathlib import Path

from neurodeploy.errors import UserError
from neurodeploy.storage.opening import read_bounded

#: Larger files are more than any calibration or evaluation here reads.
TEXT_LIMIT = 1 << 30


def read_text(path: str | Path) -> str:
    """The text of a file. ND1104 missing or unreadable, ND1105 empty, ND1106 not UTF-8."""
    path = Path(path)
    try:
        data = read_bounded(path, TEXT_LIMIT)
    except FileNotFoundError:
        raise UserError("ND1104", path, "no such text file", "check the path") from None
    except OSError as error:
        raise UserError("ND1104", path, f"cannot be read: {error.strerror}", "give a text file") from None
    if data is None:
        raise UserError("ND1104", path, f"is larger than {TEXT_LIMIT} bytes", "give a part of it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text: byte {error.start} is {data[error.start]:#04x}"
        raise UserError("ND1106", path, problem, "save it as UTF-8") from None
    if not text.strip():
        raise UserError("ND1105", path, "holds no text", "give a text of at least a few sentences")
    return text
