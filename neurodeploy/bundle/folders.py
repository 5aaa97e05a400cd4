"""The folder of a bundle: which one may be replaced, how the new one takes its place, what a broken run leaves.

A folder is replaced only if it is a bundle and holds nothing but a bundle: the members that its manifest names, what verbs
add to it later (`ADDED`), temporaries of our own, and what file managers drop everywhere (`OF_FILE_MANAGERS`). Copies that
editors keep of open files (.NAME.swp, NAME~) are a person's work: they count as foreign.

The new bundle is written beside the old one and changes places with it in one step where the system can do that. Where it
cannot, the old one steps aside first; a process killed just then leaves it under the name that it had stepped aside to, and
whoever opens or replaces the bundle next finds it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from neurodeploy.bundle.files import writing
from neurodeploy.bundle.reader import EVALUATION, MAPPING, read_manifest
from neurodeploy.errors import BundleError
from neurodeploy.storage.exchange import exchange
from neurodeploy.storage.temporary import OLD, PARTIAL, is_temporary, remove, sweep, taken_over, temporary

#: Members that no manifest names, because they change after conversion.
ADDED = (MAPPING, EVALUATION)
#: What file managers write into any folder that is looked at: nobody's work.
OF_FILE_MANAGERS = (".DS_Store", ".directory", "Thumbs.db", "desktop.ini")
_ELSEWHERE = "choose another --out, or move it away yourself"

#: Says whether what stands in a folder that is not finished is worth keeping, and clears away the rest.
Keep = Callable[[Path], bool]


def refuse_others(path: Path) -> None:
    """ND5004, naming it, for whatever stands at `path` or in it and is not a bundle's: nothing of it has been touched."""
    if path.name in ("", ".."):
        raise BundleError("ND5004", path, "is no name for a new folder", "name one: --out NAME.nd")
    with writing(path):
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(mode):
            problem = f"is a link to {path.readlink()}, which is not followed"
            raise BundleError("ND5004", path, problem, "name that folder itself, or remove the link")
        foreign = _foreign(path) if stat.S_ISDIR(mode) else "it is no folder"
    if foreign is not None:
        raise BundleError("ND5004", path, f"exists and is not a bundle, or not only that: {foreign}", _ELSEWHERE)


def _foreign(path: Path) -> str | None:
    """The first thing in a folder that is not a bundle's; None where there is nothing."""
    if not os.path.lexists(path / "manifest.json"):
        held = sorted(entry.name for entry in path.iterdir())
        return f"it holds {held[0]}, and no manifest.json" if held else "it is empty"
    try:
        members = read_manifest(path)["members"]
    except BundleError as error:
        return f"manifest.json is none of ours ({error.problem})"
    files = {"manifest.json", *members, *ADDED}
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents}
    for folder, inside, names in os.walk(path, onerror=_raise):
        here = PurePosixPath(Path(folder).relative_to(path).as_posix())
        for name in sorted((*inside, *names)):
            place, whole = str(here / name), Path(folder) / name
            if whole.is_symlink() or not (whole.is_dir() or whole.is_file()):
                return f"it holds {place}, which is no plain file"
            known = place in folders if whole.is_dir() else place in files
            if not known and not _is_nobodys(whole):
                return f"it holds {place}, which its manifest does not name"
    return None


def _raise(error: OSError) -> None:
    raise error


def _is_nobodys(path: Path) -> bool:
    return path.is_file() and (
        path.name in OF_FILE_MANAGERS or path.name.startswith("._") or is_temporary(path.name)
    )  # fmt: skip


@contextmanager
def folder_aside(path: Path, *inside: str, key: str | None = None, keep: Keep | None = None) -> Iterator[Path]:
    """A temporary folder that takes the place of `path` on success and vanishes on any failure or interrupt.

    The folders `inside` are made in it. A bundle of that name is replaced only at the end; everything else there is refused
    (`refuse_others`). Folders above `path` that had to be made vanish too. What runs that were killed left beside `path` is
    removed.

    With a `key`, the digest of all that the work depends on, an interrupted folder stays where `keep` says so, under a
    hidden name that carries the key: the next call of that key goes on with it. There is at most one for each `path`, and
    none after a success.
    """
    refuse_others(path)
    sweep(path, keyed=False)
    with writing(path):
        made = [folder for folder in path.parents if not folder.exists()]
    with temporary(path, PARTIAL, key) as work:
        try:
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                if key is None or not taken_over(path, key, work):
                    work.mkdir()
                for name in inside:
                    (work / name).mkdir(exist_ok=True)
            yield work
            with writing(path):
                take_place(work, path)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and keep is not None and keep(work):
                sweep(path)
                raise
            _remove([work, *made])
            if isinstance(error, BundleError) and error.code == "ND5004":  # what is in the folder has no name for users
                raise BundleError(error.code, path, error.problem, error.fix) from None
            raise
    sweep(path)


def _remove(folders: list[Path]) -> None:
    """The first with all that is in it, the others where they are empty."""
    remove(folders[0])
    for folder in folders[1:]:
        with suppress(OSError):
            folder.rmdir()


def take_place(work: Path, path: Path) -> None:
    """Give `work` the name `path`. An older bundle stays there until the new one is there, and is removed only after another
    look at what it holds; where that fails, it comes back."""
    if not os.path.lexists(path):
        work.rename(path)
        return
    with temporary(path, OLD) as aside:
        old = work if exchange(work, path) else _step_aside(path, aside, work)
        try:
            _refuse_as(path, old)
        except BaseException:
            if old is aside:
                _step_aside(path, work, aside)
            else:
                exchange(work, path)
            raise
        remove(old)


def _step_aside(path: Path, aside: Path, new: Path) -> Path:
    """Without exchange: `path` to `aside`, then `new` to `path`; the first is taken back if the second fails."""
    path.rename(aside)
    try:
        new.rename(path)
    except BaseException:
        aside.rename(path)
        raise
    return aside


def _refuse_as(path: Path, folder: Path) -> None:
    """`refuse_others` of a folder that has another name for the moment."""
    try:
        refuse_others(folder)
    except BundleError as error:
        raise BundleError(error.code, path, error.problem, error.fix) from None
