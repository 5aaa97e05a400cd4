"""Where evaluations keep finished parts while they run: a folder in the cache, named by the digest of what they depend on.

It is removed when the evaluation ends, and stays only where it was interrupted or killed: the same call goes on with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neurodeploy.errors import Interrupted
from neurodeploy.storage.cache import cache_folder
from neurodeploy.storage.temporary import remove

#: Evaluations that are kept, and bytes of all of them: where a new one begins, the oldest make room.
MOST, MOST_BYTES = 8, 1 << 30


@contextmanager
def kept_folder(key: str) -> Iterator[Path | None]:
    """The folder for the time of a ``with``; None where the cache cannot be written, and nothing is kept."""
    folder = _made(key[:32])
    try:
        yield folder
    except (KeyboardInterrupt, Interrupted):
        if folder is not None:
            with suppress(OSError):
                folder.rmdir()  # nothing was finished
        raise
    except BaseException:
        if folder is not None:
            remove(folder)
        raise
    if folder is not None:
        remove(folder)


def interrupted(done: str, folder: Path) -> Interrupted:
    """ND3009 for an evaluation of which something is kept; `done` says how much of what."""
    fix = f"run the same command again to go on from there: what is finished is kept in {folder}"
    return Interrupted("ND3009", "eval", f"was interrupted after {done}", fix)


def _made(name: str) -> Path | None:
    try:
        folder = cache_folder() / "interrupted" / name
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder)
    except (OSError, RuntimeError):  # no home, or none that can be written
        return None
    return folder


def _make_room(folder: Path) -> None:
    """Remove the oldest of the others, so that few and little is kept."""
    others = [other for other in folder.parent.iterdir() if other != folder]
    total = 0
    for number, other in enumerate(sorted(others, key=lambda path: -path.lstat().st_mtime), 2):
        total += sum(file.lstat().st_size for file in other.rglob("*"))
        if number > MOST or total > MOST_BYTES:
            remove(other)
