"""What says the version beside `neurodeploy.version` says the same, and the image has what the package needs."""

from __future__ import annotations

import re
from pathlib import Path

from neurodeploy.version import __version__

ROOT = Path(__file__).parents[2]


def test_the_citation_has_the_version_and_the_licence() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", text, re.MULTILINE) == [__version__]
    assert re.findall(r'^version = "(\S+)"$', project, re.MULTILINE) == [__version__]
    assert re.findall(r"^license: (\S+)$", text, re.MULTILINE) == re.findall(
        r'^license = "(\S+)"$', project, re.MULTILINE
    )
    assert re.findall(r"name: (.+)$", text, re.MULTILINE) == re.findall(r'authors = \[\{ name = "(.+)" \}\]', project)


def test_the_image_has_what_is_installed() -> None:
    """Each file and package that the Dockerfile copies is there, and none is kept from it."""
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    packages = re.findall(
        r"^packages = (\[.+\])$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )[0]
    assert names == kept and all((ROOT / name).exists() for name in names)
    assert set(re.findall(r'"(\w+)"', packages)) <= names
