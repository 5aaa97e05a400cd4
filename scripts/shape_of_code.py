"""What `make lint` asks of the shape of the code: files are short, a class name means one thing in the whole house.

What still breaks a rule is named below. A name that no longer breaks it must go from there, so the lists can only shrink.

    python scripts/shape_of_code.py
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("neurodeploy", "partitioner", "simulators", "targets")
MOST_LINES = 300
#: Longer files, with the reason.
LONG: dict[str, str] = {}
#: Public classes that share their name with another, still.
NAMES = """
Band Bundle Call Column Fields Kind Layer Limit Link Matrix
Options Part Piece Places Plan Population Port Prices Program Projection Rule Scene Segment
Settings State Stream Task Traffic Unit
"""
SHARED = set(NAMES.split())


def main() -> int:
    """Print what breaks a rule, and what is excused without need; 1 where there is any."""
    long: dict[str, int] = {}
    classes: dict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
            if text.count("\n") > MOST_LINES:
                long[name] = text.count("\n")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    classes[node.name].append(name)
    shared = {name: places for name, places in classes.items() if len(places) > 1}
    problems = [
        f"{name} has {lines} lines, {MOST_LINES} are the most" for name, lines in long.items() if name not in LONG
    ]
    problems += [f"class {name} stands in {', '.join(where)}" for name, where in shared.items() if name not in SHARED]
    problems += [f"LONG excuses {name} without need" for name in LONG.keys() - long.keys()]
    problems += [f"SHARED excuses {name} without need" for name in SHARED - shared.keys()]
    print(
        "\n".join(sorted(problems))
        or f"{len(classes)} class names, {len(shared)} of them shared; {len(long)} long files"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
