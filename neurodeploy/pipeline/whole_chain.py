"""`demo`: the whole chain on the embedded mixture-of-experts model, in a minute or two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.bundle import open_bundle
from neurodeploy.pipeline.checking import verify
from neurodeploy.pipeline.converting import convert
from neurodeploy.pipeline.evaluating import eval
from neurodeploy.pipeline.generating import generate
from neurodeploy.pipeline.mapping import explain, map
from neurodeploy.pipeline.pricing import energy
from neurodeploy.pipeline.reporting import report
from neurodeploy.pipeline.session import Progress, load_mapping

PROMPT = "ROMEO. "


def demo(
    out: str | Path = "out", *, system: str = "oheo-gulch", seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Convert, map, verify, evaluate, generate, price and report the embedded model, its projections on the chip; and all
    but the report once more with its blocks there ("block"). "compared" sets the two side by side. Files go to `out`.
    """
    from neurodeploy import embedded
    from neurodeploy.frontends.packaged import DEMO
    from targets.systems import get_system

    get_system(system)  # a wrong name is told before the minutes of work
    folder, heldout = Path(out), embedded.TEXT

    def chain(bundle: Path, **options: Any) -> dict[str, Any]:
        return {
            "convert": convert(DEMO, bundle, progress=progress, **options),
            "map": map(bundle, system, progress=progress),
            "explain": explain(bundle),
            "verify": verify(bundle, progress=progress),
            "eval": eval(bundle, heldout, max_tokens=8192, progress=progress),
            "generate": generate(bundle, PROMPT, 200, temperature=0.7, seed=seed),
            "energy": energy(bundle, text=heldout),
        }

    bundle, block = folder / "demo.nd", folder / "demo-block.nd"
    found = chain(bundle)
    found["report"] = report(bundle, folder / "demo.html", text=heldout, accuracy=found["eval"], progress=progress)[
        "paths"
    ]
    found["block"] = chain(block, on_chip="block")
    found["compared"] = {
        "projections": _row(bundle, found), "block": _row(block, found["block"])
    }  # fmt: skip
    return found


def _row(bundle: Path, found: dict[str, Any]) -> dict[str, Any]:
    """What a choice of what is on the chip costs a token that is generated, and what it does to the model."""
    from partitioner.classify import crossings

    opened = open_bundle(bundle)
    phase, accuracy = found["energy"]["generate"], found["eval"]
    return {
        "host": sorted({op.op for op in opened.program.operations}),
        "crossings": crossings(opened.program, load_mapping(opened)[0].assignments),
        "cores": found["map"]["cores_used"],
        "joules_chip": phase["joules_per_token"]["chip"]["nominal"],
        "joules_wall": phase["joules_per_token"]["wall"]["nominal"],
        "seconds": phase["seconds_per_token"]["nominal"],
        "bits_per_byte_change": accuracy["bits_per_byte_change"],
        "top1_agreement": accuracy["top1_agreement"],
    }
