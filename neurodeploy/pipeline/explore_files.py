"""The page of an exploration, its data and its table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurodeploy.bundle.files import check_place
from neurodeploy.errors import BundleError
from neurodeploy.reporting.exploration_page import exploration_page
from neurodeploy.reporting.files import to_json, write_all
from neurodeploy.storage.tables import csv_text

#: Endings of what stands beside the page.
BESIDE = (".json", ".csv", ".work")


def check(out: Path, work: Path) -> None:
    """ND5004 where no page of that name, or nothing in the folder `work`, can be written: said before the work."""
    check_place(work / "stage", parents=True)
    check_place(out, "explore.html", parents=True)
    if out.suffix.lower() in BESIDE:
        raise BundleError("ND5004", out, "is the name of what stands beside the page", "name it NAME.html")


def written(out: Path, table: Mapping[str, Any]) -> list[str]:
    """Their paths, the page first; all are written or none (ND5004)."""
    rows = table["rows"]
    columns = list(rows[0])
    texts = {
        out: exploration_page(table),
        out.with_suffix(".json"): to_json(table),
        out.with_suffix(".csv"): csv_text(columns, ([row[name] for name in columns] for row in rows)),
    }
    write_all(texts, named=out)
    return [str(path) for path in texts]
