"""The cache folder: ``$NEURODEPLOY_CACHE``, or ``~/.cache/neurodeploy``. What is kept there can be made again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where assembled models, texts, measured speeds and finished parts of broken work are kept; not made here."""
    chosen = os.environ.get("NEURODEPLOY_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "neurodeploy"
