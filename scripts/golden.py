"""Record the golden bits, mappings and ledgers of `tests/golden`, or show what would change.

    python scripts/golden.py [bits mappings ledgers] [--only PREFIX] [--real] [--write]

Without ``--write`` it only prints the cases that differ from what is recorded. Bits and ledgers never change without a
reason that is written down; a mapping is recorded again where it became smaller, a larger one only if `mappings.TRADED` says
why. ``--real`` takes the cases too that need minutes, or SmolLM2-135M and its texts (`scripts/fetch_texts.py`); cases that
were not computed keep what was recorded.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from neurodeploy.machine.arithmetic import arithmetic
from tests.golden import bits, ledgers, mappings, store

CASES = {"bits": bits.CASES, "mappings": mappings.CASES, "ledgers": ledgers.CASES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*store.KINDS, []])
    parser.add_argument("--only", default="", help="cases whose names begin so")
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(1)  # as in the tests
    for kind in asked.kinds or store.KINDS:
        older = store.load(kind) if (store.FOLDER / f"{kind}.json").exists() else {}
        newer = {name: older[name] for name in CASES[kind] if name in older}
        newer["arithmetic"] = dict(older.get("arithmetic", {}))
        for name, case in CASES[kind].items():
            if name.startswith(asked.only) and (asked.real or not case.real):
                newer[name] = case.make(case.variants[0])
                if case.float:
                    newer["arithmetic"][name] = arithmetic()
                if newer[name] != older.get(name):
                    print(f"{kind}: {name}\n  was {older.get(name)}\n  is  {newer[name]}")
                    if kind == "mappings" and name in older and name not in mappings.TRADED:
                        worse = mappings.grown(older[name], newer[name])
                        assert not worse, f"{name} became worse: {worse}"
        if asked.write:
            store.save(kind, newer)


if __name__ == "__main__":
    main()
