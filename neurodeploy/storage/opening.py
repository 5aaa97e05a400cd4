"""Opening what should be a regular file: a FIFO without a writer would be waited for, a device never ends."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

#: What a path may be that is no file to read or to replace; a folder is told by the system itself.
STRANGE = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def strangeness(mode: int) -> str:
    """ "is a named pipe, not a regular file" for the mode of such a one, "" for files, folders and links."""
    kind = STRANGE.get(stat.S_IFMT(mode))
    return f"is {kind}, not a regular file" if kind else ""


def refuse_strange(path: Path) -> None:
    """`OSError` EINVAL that says what `path` is, where it (or what it links to) is neither a file nor a folder."""
    try:
        problem = strangeness(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return
    if problem:
        raise OSError(errno.EINVAL, problem, str(path))


def open_regular(path: Path) -> BinaryIO:
    """A regular file, opened for reading. `OSError` for anything else, without ever waiting for it."""
    # Between asking and opening, the path may become another file: opened without waiting, and asked again.
    refuse_strange(path)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        problem = strangeness(os.fstat(descriptor).st_mode)
        if problem:
            raise OSError(errno.EINVAL, problem, str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bounded(path: Path, most: int) -> bytes | None:
    """The bytes of a regular file; None where it has more than `most`. `OSError` as `open_regular`."""
    with open_regular(path) as file:
        data = file.read(most + 1)
    return data if len(data) <= most else None
