"""`demo`: the whole chain on the embedded mixture-of-experts model, in a minute or two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.pipeline.checking import verify
from neurodeploy.pipeline.converting import convert
from neurodeploy.pipeline.evaluating import eval
from neurodeploy.pipeline.generating import generate
from neurodeploy.pipeline.mapping import explain, map
from neurodeploy.pipeline.pricing import energy
from neurodeploy.pipeline.reporting import report
from neurodeploy.pipeline.session import Progress

PROMPT = "ROMEO. "


def demo(
    out: str | Path = "out", *, system: str = "oheo-gulch", seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Convert, map, verify, evaluate, generate, price and report the embedded model; files go to the folder `out`."""
    from neurodeploy import embedded
    from neurodeploy.frontends.packaged import DEMO
    from targets.systems import get_system

    get_system(system)  # a wrong name is told before the minutes of work
    folder, heldout = Path(out), embedded.TEXT
    bundle = folder / "demo.nd"
    converted = convert(DEMO, bundle, progress=progress)
    mapped = map(bundle, system, progress=progress)
    checked = verify(bundle, progress=progress)
    accuracy = eval(bundle, heldout, max_tokens=8192, progress=progress)
    sample = generate(bundle, PROMPT, 200, temperature=0.7, seed=seed)
    priced = energy(bundle, text=heldout)
    written = report(bundle, folder / "demo.html", text=heldout, accuracy=accuracy, progress=progress)
    return {
        "convert": converted,
        "map": mapped,
        "explain": explain(bundle),
        "verify": checked,
        "eval": accuracy,
        "generate": sample,
        "energy": priced,
        "report": written["paths"],
    }
