"""docs/errors.md and the sources name the same codes, with the same exit status; every user error says what to do."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from neurodeploy import errors

ROOT = Path(__file__).parent.parent
PACKAGES = ("neurodeploy", "partitioner", "simulators", "targets")
CODE = re.compile(r"\bND[0-9]{4}\b")
ROW = re.compile(r"^\| (ND[0-9]{4}) \| (.+?) \| ([0-9]+) \| (.+?) \|$", re.MULTILINE)
#: Helpers whose first argument is a code, and the class that they raise.
HELPERS = {"guarded": "ModelError"}
#: Codes that parts of the code base share on purpose: one meaning, several places that find it.
SHARED = {
    "ND1010",
    "ND1100",
    "ND1107",
    "ND1311",
    "ND1313",
    "ND2090",
    "ND3002",
    "ND3005",
    "ND3006",
    "ND5004",
    "ND5006",
    "ND5010",
    "ND9001",
    "ND9004",
    "ND9031",
}


class Raise(NamedTuple):
    """A place where an error is made."""

    code: str
    kind: str
    where: str
    area: str
    has_fix: bool


def _sources() -> Iterator[tuple[Path, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path, path.read_text(encoding="utf-8")


def _raises() -> Iterator[Raise]:
    for path, text in _sources():
        parts = path.relative_to(ROOT).parts
        area = "/".join(parts[:2]) if parts[0] == "neurodeploy" else parts[0]
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
                continue
            code, kind = node.args[0], HELPERS.get(node.func.id, node.func.id)
            if isinstance(code, ast.Constant) and isinstance(code.value, str) and CODE.fullmatch(code.value):
                fix = len(node.args) >= 4 or node.func.id in HELPERS or any(k.arg == "fix" for k in node.keywords)
                yield Raise(code.value, kind, f"{path.relative_to(ROOT)}:{node.lineno}", area, fix)


RAISES = list(_raises())
TABLE = {code: (meaning, int(status), fix) for code, meaning, status, fix in ROW.findall(
    (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
)}  # fmt: skip


def test_the_table_has_every_code_once() -> None:
    listed = ROW.findall((ROOT / "docs" / "errors.md").read_text(encoding="utf-8"))
    assert len(listed) == len(TABLE)
    assert [row[0] for row in listed] == sorted(TABLE)


def test_table_and_sources_have_the_same_codes() -> None:
    raised = {entry.code for entry in RAISES}
    assert raised == set(TABLE)
    named = {code for _, text in _sources() for code in CODE.findall(text)}
    assert named - raised == set(), "a docstring names a code that nothing raises"


def test_one_meaning_each() -> None:
    meanings = [meaning for meaning, _, _ in TABLE.values()]
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("code", sorted(TABLE))
def test_exit_status(code: str) -> None:
    """Of all places that raise it, by their class."""
    statuses = {getattr(errors, entry.kind).exit_status for entry in RAISES if entry.code == code}
    assert statuses == {TABLE[code][1]}


def test_codes_are_not_reused_elsewhere() -> None:
    """A code that two parts raise is either listed as shared or a collision."""
    areas: dict[str, set[str]] = defaultdict(set)
    for entry in RAISES:
        areas[entry.code].add(entry.area)
    several = {code: sorted(found) for code, found in areas.items() if len(found) > 1}
    assert set(several) == SHARED, several


def test_families_of_codes() -> None:
    """The first digit says what an error is about, and ND9 is never the user's."""
    for entry in RAISES:
        internal = entry.kind == "InternalError"
        assert (entry.code[2] == "9") == internal, entry


def test_every_user_error_says_what_to_do() -> None:
    lacking = [entry.where for entry in RAISES if entry.kind != "InternalError" and not entry.has_fix]
    assert lacking == []


def test_statuses_are_all_explained() -> None:
    """Statuses in the table of statuses are those of the classes."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    listed = {int(status) for status in re.findall(r"^\| ([0-9]+) \| ", text, re.MULTILINE)}
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert listed == {0} | {kind.exit_status for kind in classes if issubclass(kind, errors.NeurodeployError)}
