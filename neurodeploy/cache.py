"""The cache folder: ``$NEURODEPLOY_CACHE``, or ``~/.cache/neurodeploy``. What is kept there can be made again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Where assembled models, texts and measured speeds are kept; not made here."""
    chosen = os.environ.get("NEURODEPLOY_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "neurodeploy"


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A temporary name beside `target`, renamed to it at the end: nobody ever sees half a file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.parent / f".{target.name}.{os.getpid()}.part"
    try:
        yield aside
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
