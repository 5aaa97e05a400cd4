"""`demo`: the whole chain on the embedded mixture-of-experts model, in a minute or two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.bundle import open_bundle
from neurodeploy.conversion.presets import ON_CHIP
from neurodeploy.pipeline.checking import verify
from neurodeploy.pipeline.converting import convert
from neurodeploy.pipeline.evaluating import eval
from neurodeploy.pipeline.generating import generate
from neurodeploy.pipeline.mapping import explain, map
from neurodeploy.pipeline.pricing import energy
from neurodeploy.pipeline.reporting import report
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.verbs import verb

PROMPT = "ROMEO. "


@verb
def demo(
    out: str | Path = "out", *, system: str = "oheo-gulch", seed: int = 0, progress: Progress | None = None
) -> dict[str, Any]:
    """Convert, map, verify, evaluate, generate, price and report the embedded model, its projections on the chip; and all
    but the report once more with its blocks there ("block") and with everything there ("all"). "compared" sets the three
    beside the host alone, "same_text" says of the others whether they continue the prompt as the first does. Files go to
    `out`.
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
            "eval": eval(bundle, heldout, max_tokens=8192, keep=True, progress=progress),
            "generate": generate(bundle, PROMPT, 200, temperature=0.7, seed=seed),
            "energy": energy(bundle, text=heldout),
        }

    bundles = {name: folder / f"demo{'' if name == ON_CHIP[0] else f'-{name}'}.nd" for name in ON_CHIP}
    parts = {name: chain(bundles[name], on_chip=name) for name in ON_CHIP}
    first, *others = ON_CHIP
    made = report(
        bundles[first], folder / "demo.html", text=heldout, accuracy=parts[first]["eval"],
        beside=[bundles[name] for name in others], progress=progress,
    )  # fmt: skip
    said = parts[first]["generate"]["tokens"]
    return {
        **parts[first],
        **{name: parts[name] for name in others},
        "report": made["paths"],
        "compared": made["data"]["variants"],
        "same_text": {name: parts[name]["generate"]["tokens"] == said for name in others},
        "host": {name: sorted({op.op for op in open_bundle(bundles[name]).program.operations}) for name in ON_CHIP},
    }
