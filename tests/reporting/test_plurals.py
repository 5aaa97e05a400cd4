"""No "1 cores": a number before a noun in the plural is written by `units.some` (above the types) or `errors.some`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What answers of verbs are made of.
SOURCES = sorted(
    path
    for pattern in (
        "neurodeploy/reporting/[!m]*.py", "neurodeploy/accounting/*.py", "neurodeploy/pipeline/fit*.py",
        "neurodeploy/pipeline/variants.py", "neurodeploy/pipeline/export*.py", "neurodeploy/pipeline/explor*.py",
        "partitioner/offload/*.py",
    )
    for path in ROOT.glob(pattern)
)  # fmt: skip
#: Nouns that are counted.
NOUN = re.compile(
    r" (?:cores|chips|islands|operations|host operations|neurons|synapses|samples|windows|projections|axons|assumptions|"
    r"omissions|layers|points|tokens|times|events|messages|crossings|bits|bins|populations|members|shards|copies|experts|"
    r"wordings|errors|files|values|rows|columns|steps|boards|exchanges|updates|notes|warnings|rules|bundles)\b"
    r"(?!/s| per byte| a weight)"
)
#: What is never one, or is no count: a ratio, a sum of many, a band.
EXCUSED = {
    "{} times the ", "{} times that way's joules", "{} times its joules at the", "{} times as long", "{} chips are needed",
    "{} chips have", "{} messages a step", "{} messages of the host",
}  # fmt: skip


def bare(source: str) -> Iterator[str]:
    """A number and a noun in the plural that follow one another in an f-string, however large the number is."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for before, after in zip(node.values, node.values[1:], strict=False):
                text = after.value if isinstance(after, ast.Constant) and isinstance(after.value, str) else ""
                if isinstance(before, ast.FormattedValue) and NOUN.match(text):
                    named = ast.unparse(before.value).endswith(".name")  # "loihi2 cores"
                    if not named and not any(f"{{}}{text}".startswith(excuse) for excuse in EXCUSED):
                        yield f"line {node.lineno}: {{{ast.unparse(before.value)}}}{text:.40}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_counts_are_written_by_one_helper(path: Path) -> None:
    assert not list(bare(path.read_text(encoding="utf-8")))


def test_a_slip_is_found() -> None:
    slip = "say(f'{n} cores of {some(2)}, {x:g} times the energy and')"
    assert list(bare(slip)) == ["line 1: {n} cores of "]
