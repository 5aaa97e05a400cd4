"""No head of a table, budget, boundary or basis without an entry in docs/glossary.md; only plain words need none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from neurodeploy.accounting.ledger import BOUNDARIES
from neurodeploy.ir.chip import Basis
from neurodeploy.reporting import derive
from targets.loihi2 import LOIHI2
from tests.docs.test_links import ROOT

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
#: Where answers have their tables.
BESIDE = ("side_by_side", "exploration", "without_chip", "what_if")
REPORTING = ROOT / "neurodeploy" / "reporting"
TABLES = sorted([*REPORTING.glob("terminal*.py"), *(REPORTING / f"{name}.py" for name in BESIDE)])
#: Words that mean what they mean everywhere.
PLAIN_TEXT = """
    a above after all alone apart as at because before beside both by chosen each error everywhere field figure first fits
    for from full fullest generated had has head high how in is it its joules label layer like limit loses low machine many
    mean measured model most much name needs never no not number of on once one operation other out ours over own part per
    prompt public relative remedy resource same saved second seconds share size source step that the this time times to token
    unit used value wall weight what when where which with without worst yes j s kib byte bytes weakest does configuration
    least account cell and busiest cost energy holds lava rounding x host device output input memory placement run
    count
"""
PLAIN = set(PLAIN_TEXT.split())


def entries() -> set[str]:
    """Words of what stands in bold in the glossary, in the singular."""
    return {one(word) for bold in re.findall(r"\*\*([^*]+)\*\*", GLOSSARY) for word in words(bold)}


def words(text: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Za-z][A-Za-z-]*[A-Za-z]|[A-Za-z]", text)]


def one(word: str) -> str:
    return word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s") if not word.endswith("ss") else word


def heads(path: Path) -> Iterator[str]:
    """Heads of the tables that a file shows: the second argument of `show_table`, and what is called heads."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found: list[ast.expr] = []
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "show_table" and len(node.args) > 1:
            found = [node.args[1]]
        elif isinstance(node, ast.Assign) and any(ast.unparse(t).lower() == "heads" for t in node.targets):
            found = [node.value]
        for part in (each for expression in found for each in ast.walk(expression)):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def labels() -> set[str]:
    shown = {head for path in TABLES for head in heads(path)}
    shown |= {*derive.POPULATION.values(), *derive.PROJECTION.values(), *BOUNDARIES, *(basis.value for basis in Basis)}
    return shown | {name.replace("_", " ") for name in LOIHI2.budget.limits()}


def unknown(shown: set[str]) -> dict[str, str]:
    known = entries() | {one(word) for word in PLAIN} | PLAIN
    return {word: label for label in sorted(shown) for word in words(label) if one(word) not in known}


def test_every_term_of_a_table_is_in_the_glossary() -> None:
    assert len(labels()) > 80
    assert not unknown(labels())


def test_a_term_without_an_entry_is_found() -> None:
    assert unknown({"Flux of a chip>"}) == {"flux": "Flux of a chip>"}
