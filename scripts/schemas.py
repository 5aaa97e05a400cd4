"""Write the JSON Schema of every verb's answer to docs/schemas, one file a verb.

python scripts/schemas.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from neurodeploy.reporting.schemas import MODELS, published  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "schemas")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        if old.stem not in MODELS:
            old.unlink()
    for verb in MODELS:
        text = json.dumps(published(verb), indent=1, ensure_ascii=False) + "\n"
        (folder / f"{verb}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
