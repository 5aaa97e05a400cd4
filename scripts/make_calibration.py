"""Write neurodeploy/conversion/calibration.txt: the default calibration text, pieces of several kinds in turn.

    python scripts/make_calibration.py        needs the texts that scripts/fetch_texts.py writes

One kind of text sets ranges and second moments that suit only it: compensated rounding calibrated on prose of 1911 alone
lost more on modern technical text (docs/conversion.md). So prose, verse, technical documents and code alternate. The prose
is the END of the Britannica article and the verse the END of the plays, so that their beginnings stay unseen for
evaluation. Britannica (1911) and the plays are in the public domain; the rest is this project's own.
"""

from __future__ import annotations

from pathlib import Path

from neurodeploy.storage.cache import cache_folder

ROOT = Path(__file__).resolve().parents[1]
PIECE = 1400
ROUNDS = 6


def tail(text: str, size: int) -> str:
    return text[-size:]


def pieces(text: str) -> list[str]:
    """The first `ROUNDS` pieces of a text, cut at line ends."""
    found, rest = [], text
    while rest and len(found) < ROUNDS:
        cut = rest.find("\n", PIECE)
        cut = len(rest) if cut < 0 else cut + 1
        found.append(rest[:cut])
        rest = rest[cut:]
    return found


def main() -> None:
    texts = cache_folder() / "texts"
    known = {name: (texts / f"{name}.txt").read_text(encoding="utf-8") for name in ("britannica", "shakespeare")}
    technical = (ROOT / "docs/energy.md").read_text() + (ROOT / "docs/architecture.md").read_text()
    code = "".join((ROOT / name).read_text() for name in ("neurodeploy/generation.py", "partitioner/place/system.py"))
    size = (PIECE + 2000) * ROUNDS
    kinds = [tail(known["britannica"], size), technical, tail(known["shakespeare"], size), code]
    turns = zip(*(pieces(kind) for kind in kinds), strict=True)
    text = "\n".join(piece for turn in turns for piece in turn)
    text = "".join(c for c in text if c == "\n" or 32 <= ord(c) < 127)  # byte-level models read ASCII
    (ROOT / "neurodeploy/conversion/calibration.txt").write_text(text)
    print(f"{len(text)} characters")


if __name__ == "__main__":
    main()
