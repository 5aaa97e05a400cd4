"""The table of `fit` in docs/mapping.md: cores and chips of known models, the vocabulary head included, and without it.

python scripts/fit_table.py
"""

from __future__ import annotations

from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.synapses.hollow import weights_of
from partitioner.fit.plan import plan
from targets.systems import get_system

MODELS = (
    "gpt2", "gemma3-270m", "qwen3-0.6b", "gemma3-1b", "llama3.2-1b", "gemma3-4b", "olmoe-1b-7b", "spikingbrain-7b",
    "llama3.1-8b", "deepseek-v2-lite", "gpt-oss-20b", "llama4-scout", "llama4-maverick", "matmulfree-370m",
)  # fmt: skip


def row(name: str) -> str:
    hollow = read_hollow(name)
    made = [
        plan(hollow, get_system("hala-point"), bits, memory)
        for bits, memory in ((8, None), (8, 96), (8, 64), (4, None), (2, None))
    ]
    own = made[0]
    over = f"{100 * (own.whole.cores / own.whole.bound - 1):.2f} %"
    cells = [
        hollow.info.name, f"{weights_of(hollow).total / 1e6:.1f}", own.whole.naive, own.whole.bound, own.whole.cores, over,
        *(each.whole.chips for each in made), own.whole.cores - own.body.cores, own.body.chips,
    ]  # fmt: skip
    return "| " + " | ".join(f"{cell}" for cell in cells) + " |"


def main() -> None:
    heads = (
        "model",
        "parameters, M",
        "naive",
        "least",
        "cores, 8 bits",
        "above",
        "chips",
        "96 KiB",
        "64 KiB",
        "4 bits",
    )
    heads = (*heads, "2 bits", "head cores", "chips without head")
    print("| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))
    for name in MODELS:
        print(row(name), flush=True)


if __name__ == "__main__":
    main()
