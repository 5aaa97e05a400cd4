"""docs/operators.md says what the tables of operators are today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.tiny import environment

ROOT = Path(__file__).parents[2]


def test_the_page_is_current(tmp_path: Path) -> None:
    """`scripts/operators.py` would write the same: run it after a change of operators, forms or host operations."""
    out = tmp_path / "operators.md"
    subprocess.run([sys.executable, ROOT / "scripts" / "operators.py", "--out", out], check=True, env=environment())
    assert out.read_text(encoding="utf-8") == (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
