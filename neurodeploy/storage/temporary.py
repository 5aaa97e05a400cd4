"""Temporary names beside what they will become, with their maker inside, so that a later run knows what is left over.

    .NAME.HOST-PID-START.TOKEN.KIND             .NAME.HOST-PID-START.TOKEN.KEY.KIND

NAME is that of the place, cut to `NAME_BYTES` so that every file system takes the whole. HOST stands for the machine and
its numbering of processes, PID for the process, START for when it began: a number that was given to another process since
is told apart. KEY names what the work depends on, where finished parts of it may be taken over (`taken_over`). KIND is what
it is. What belongs to a living process, or to another machine that shares the disk, is never touched.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.storage.opening import strangeness

#: Bytes of a place's name in a temporary one. With at most 78 more bytes it fits the 143 of eCryptfs; others have 255.
NAME_BYTES = 60
#: Kinds: a file or a folder that is being written; what stepped aside for it.
PART, PARTIAL, OLD = "part", "partial", "old"
#: Hexadecimal digits of HOST, START, TOKEN and of a KEY.
_DIGITS, _KEY_DIGITS = 8, 16
_LAST = re.compile(
    r"\.(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]{1,10})-(?P<start>[0-9a-f]{8})\.[0-9a-f]{8}(\.(?P<key>[0-9a-f]{16}))?"
    rf"\.(?P<kind>{PART}|{PARTIAL}|{OLD})\Z"
)
#: START where the system does not tell it.
_UNKNOWN = "0" * _DIGITS
#: Names that this process is using.
_in_use: set[str] = set()


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a process that is gone left beside `place`."""

    path: Path
    kind: str
    key: str | None


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]


def _head(name: str) -> str:
    """``.NAME``; a long one is cut and told apart by a digest."""
    raw = os.fsencode(name)
    if len(raw) <= NAME_BYTES:
        return f".{name}"
    cut = raw[: NAME_BYTES - _DIGITS - 1].decode("utf-8", "ignore")
    return f".{cut}~{_short(name)}"


def is_temporary(name: str) -> bool:
    """Whether a name is one of ours, whoever made it."""
    found = _LAST.search(name)
    return found is not None and found.start() > 0 and name.startswith(".")


@contextmanager
def temporary(place: Path, kind: str, key: str | None = None) -> Iterator[Path]:
    """A new name beside `place` for the time of a ``with``; nothing is made or removed."""
    middle = "" if key is None else f".{key[:_KEY_DIGITS]}"
    token = secrets.token_hex(_DIGITS // 2)
    maker = f"{_host()}-{os.getpid()}-{_start(os.getpid()) or _UNKNOWN}"
    name = f"{_head(place.name)}.{maker}.{token}{middle}.{kind}"
    _in_use.add(name)
    try:
        yield place.with_name(name)
    finally:
        _in_use.discard(name)


def leftovers(place: Path) -> list[Leftover]:
    """Temporaries of `place` whose makers are gone, in the order of their names; none where the folder cannot be read."""
    head, found = _head(place.name), []
    with suppress(OSError), os.scandir(place.parent) as entries:
        for entry in entries:
            match = _LAST.fullmatch(entry.name[len(head) :]) if entry.name.startswith(head) else None
            if match and _is_gone(entry.name, match["host"], int(match["pid"]), match["start"]):
                found.append(Leftover(place.with_name(entry.name), match["kind"], match["key"]))
    return sorted(found, key=lambda leftover: leftover.path.name)


def sweep(place: Path, keyed: bool = True) -> None:
    """Remove what runs that are gone left beside `place`; with `keyed` False not what may still be taken over.

    What had stepped aside comes back where nothing else of that name is there: its run was killed between two renames.
    """
    for leftover in leftovers(place):
        with suppress(OSError):
            if leftover.kind == OLD and not os.path.lexists(place):
                leftover.path.rename(place)
            elif keyed or leftover.key is None:
                remove(leftover.path)


def taken_over(place: Path, key: str, new: Path) -> bool:
    """Rename a folder that a run with this `key` left to `new`: of several runs that try, one gets it."""
    for leftover in leftovers(place):
        if leftover.kind == PARTIAL and leftover.key == key[:_KEY_DIGITS]:
            with suppress(OSError):
                leftover.path.rename(new)
                return True
    return False


def remove(path: Path) -> None:
    """A file, a link or a whole folder, as far as the system lets us."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def refuse_all_but_files(path: Path) -> None:
    """`OSError` EINVAL or EISDIR where a file may not take the place of what is there: a folder, a link, a device, a pipe.

    Renamed onto, a link would be lost and what it leads to be left as it was; a device would become a file.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return  # nothing there, or for the writing itself to find out
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, a file is needed", str(path))
    if stat.S_ISLNK(mode):
        raise OSError(errno.EINVAL, f"is a link to {path.readlink()}: name that itself", str(path))
    if problem := strangeness(mode):
        raise OSError(errno.EINVAL, problem, str(path))


@contextmanager
def written_aside(path: Path, parents: bool = False) -> Iterator[Path]:
    """A temporary name to write a file under, which takes the place of `path` at the end; `OSError` as the system says.

    A reader sees the old file or the new one, never half of one. With `parents` the folders above it are made.
    """
    refuse_all_but_files(path)
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path)
    with temporary(path, PART) as aside:
        try:
            yield aside
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes, parents: bool = False) -> None:
    """`written_aside` of bytes."""
    with written_aside(path, parents) as aside:
        aside.write_bytes(content)


# -- processes --------------------------------------------------------------------------------------------------------


def _host() -> str:
    """This machine and its numbering of processes: containers count their own."""
    words = [platform.node()]
    with suppress(OSError):
        words.append(Path("/etc/machine-id").read_text(encoding="ascii", errors="replace").strip())
    with suppress(OSError):
        words.append(str(Path("/proc/self/ns/pid").readlink()))
    return _short("\0".join(words))


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat (proc(5)) from the third on, the state; None where the system has none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _start(pid: int) -> str | None:
    """When a process began (field 22, in ticks since the system did); None where the system does not tell."""
    fields = _stat(pid)
    if fields is None or len(fields) < 20:
        return None
    boot = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii", errors="replace").strip()
    return _short(f"{boot} {fields[19]}")


def _is_gone(name: str, host: str, pid: int, start: str) -> bool:
    """Whether the maker of a name is surely no longer at work on it."""
    if host != _host() or os.name != "posix":
        return False
    now = _start(pid)
    if pid == os.getpid() and start in (now, _UNKNOWN):
        return name not in _in_use
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # somebody else's, and alive; or no number of a process
    if start != _UNKNOWN and now is not None and now != start:
        return True
    fields = _stat(pid)
    return fields is not None and fields[0] in "ZX"  # killed, and its parent has not looked yet
