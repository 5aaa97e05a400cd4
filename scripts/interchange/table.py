"""Write the table of `docs/interchange.md` again, from the computation that its test makes.

python scripts/interchange/table.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.interchange import slayer_cells  # noqa: E402
from tests.interchange.cells import table  # noqa: E402

DOCUMENT = ROOT / "docs" / "interchange.md"
START, END = "<!-- table: written by scripts/interchange/table.py -->", "<!-- end of table -->"


def whole(frameworks: str) -> str:
    """The table of the four frameworks, and that of lava-dl."""
    return frameworks + "\n".join(slayer_cells.table()) + "\n"


def main() -> None:
    text = DOCUMENT.read_text()
    before, rest = text.split(START)
    DOCUMENT.write_text(f"{before}{START}\n\n{whole(table())}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
