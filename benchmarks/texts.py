"""Texts that `scripts/fetch_texts.py` writes into the cache folder."""

from __future__ import annotations

import sys
from pathlib import Path

from neurodeploy.storage.cache import cache_folder


def fetched(name: str) -> Path:
    """The file of "shakespeare", "britannica" or "milton"; ends the program with what to do where it is not there."""
    path = cache_folder() / "texts" / f"{name}.txt"
    if not path.is_file():
        sys.exit(f"{path} is not there: run python scripts/fetch_texts.py")
    return path
