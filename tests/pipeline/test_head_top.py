"""A bundle whose head chooses on the chip, in every verb: fewer bytes leave, the same text, all logits where asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import neurodeploy as nd
from neurodeploy.bundle import open_bundle
from neurodeploy.conversion.choosing import read_out
from neurodeploy.errors import UserError
from targets.loihi2 import LOIHI2
from tests import models

SMALL = {"prompt_tokens": 8, "tokens": 2}
PROMPT = "the quick brown"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("head")
    models.save("llama", folder / "model")
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog " * 4)
    for count in (0, 1, 3):
        options = {"head_top": count} if count else {}
        nd.convert(folder / "model", folder / f"{count}.nd", on_chip="block", preset="quick", **options)
        nd.map(folder / f"{count}.nd", "oheo-gulch")
    return folder


@pytest.mark.parametrize("count", [1, 3])
def test_verbs(folder: Path, count: int) -> None:
    whole, bundle = folder / "0.nd", folder / f"{count}.nd"
    assert nd.verify(bundle)["violations"] == []
    said = [nd.generate(each, PROMPT, 16) for each in (whole, bundle)]
    assert said[0]["tokens"] == said[1]["tokens"]
    assert (said[1]["margins"][0] is None) == (count == 1)
    scores = [nd.eval(each, folder / "text.txt") for each in (whole, bundle)]
    for key in ("bits_per_byte_change", "kl_per_token", "top1_agreement"):
        assert scores[0][key] == scores[1][key], "it is evaluated with all logits"
    partitioned = nd.eval(bundle, folder / "text.txt", runner="partitioned", max_tokens=12)
    assert partitioned["kl_per_token"] == nd.eval(bundle, folder / "text.txt", max_tokens=12)["kl_per_token"]


@pytest.mark.parametrize("count", [1, 3])
def test_fewer_bytes_leave(folder: Path, count: int) -> None:
    """256 logits a token, or `count` ids and as many logits, one id alone; a few of them are 0 and no message."""
    bits = [_bits(folder / f"{each}.nd") for each in (0, count)]
    message = 8 * LOIHI2.formats["message_bytes"]
    gone = 256 - (1 if count == 1 else 2 * count)
    assert bits[0] - bits[1] == pytest.approx(message * gone, abs=message * (count + 2))
    rules = [row["rule"] for row in nd.explain(folder / f"{count}.nd")]
    assert rules.count("chooses-tokens") == len(open_bundle(folder / f"{count}.nd").program.behind_head) > 3


def _bits(bundle: Path) -> float:
    """Over the host link for a generated token."""
    entries = nd.energy(bundle, **SMALL)["generate"]["entries"]
    return sum(float(entry["count"]) for entry in entries if entry["component"] == "host link")


def test_a_bundle_keeps_it(folder: Path, tmp_path: Path) -> None:
    program = open_bundle(folder / "3.nd").program
    assert program.ids == "logits.ids" and program.candidates == 3
    assert (
        read_out(program).network.populations.keys() == open_bundle(folder / "0.nd").program.network.populations.keys()
    )
    nd.export(folder / "1.nd", tmp_path / "m.parts")
    assert open_bundle(tmp_path / "m.parts").program.ids == "logits.ids"
    assert nd.generate(tmp_path / "m.parts", PROMPT, 8)["tokens"] == nd.generate(folder / "0.nd", PROMPT, 8)["tokens"]
    nd.report(folder / "1.nd", tmp_path / "page.html", beside=[folder / "0.nd"], **SMALL)


def test_no_token_is_drawn_from_what_does_not_leave(folder: Path) -> None:
    for bundle, options in (("1.nd", {"temperature": 0.5}), ("3.nd", {"temperature": 0.5, "top_k": 4})):
        with pytest.raises(UserError, match="ND3005"):
            nd.generate(folder / bundle, PROMPT, 4, **options)
    nd.generate(folder / "3.nd", PROMPT, 4, temperature=0.5, top_k=3)
