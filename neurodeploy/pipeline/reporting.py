"""`report`: everything that is known of a bundle on one page, with its numbers as CSV and JSON beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from neurodeploy.bundle.files import check_place
from neurodeploy.pipeline.pricing import host_profile
from neurodeploy.pipeline.report_stream import of_stream
from neurodeploy.pipeline.report_text import of_text
from neurodeploy.pipeline.session import MODEL, NETWORK, Progress, suited


def report(
    bundle: str | Path,
    out: str | Path,
    *,
    text: str | Path | None = None,
    input: str | Path | None = None,
    max_tokens: int | None = None,
    prompt_tokens: int | None = None,
    tokens: int | None = None,
    accuracy: dict[str, Any] | None = None,
    steps: int | None = None,
    layout: str | None = None,
    probes: Sequence[str] = (),
    host: str = "cpu-generic",
    measure_host: bool = False,
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write ``out`` (HTML, self-contained) and its JSON and CSV files beside it; returns their paths and the data.

    Of a language model: with `text` the accuracy on `max_tokens` of it (default: 2048) is measured too, or taken from
    `accuracy`, what `eval` returned before; `prompt_tokens` and `tokens` (default: 32) are those of `energy`.

    Of a spiking network: a run of `input`, with `steps` and `layout` of `run`. `probes` are the states to draw
    ("POPULATION.VARIABLE"), three neurons each; by default those of the last populations. Rasters and states show the
    first sample, all else is of all samples.
    """
    from neurodeploy.reporting.render import render

    out = Path(out)
    opened, data, own = suited(bundle, text, input, {
        MODEL: {"max_tokens": max_tokens, "prompt_tokens": prompt_tokens, "tokens": tokens, "accuracy": accuracy},
        NETWORK: {"steps": steps, "layout": layout, "probes": tuple(probes) or None},
    }, optional=True)  # fmt: skip
    check_place(out, "report.html", parents=True)
    profile = host_profile(host, measure_host)
    shown: Callable[..., dict[str, Any]] = of_stream if opened.program.streamed else of_text
    found = shown(opened, data, profile, runner=runner, progress=progress, **own)
    return {"paths": [str(path) for path in render(found, out, opened.kind)], "data": found}
