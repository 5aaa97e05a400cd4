"""`eval`: the chip's program against the float model, on a text or spike by spike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import AnyPath, Bundle
from neurodeploy.errors import UserError
from neurodeploy.ir.run import RunResult
from neurodeploy.pipeline.comparing import compare, float_network, has_float, outputs_of, run_float
from neurodeploy.pipeline.following import Drift
from neurodeploy.pipeline.kept import interrupted, kept_folder
from neurodeploy.pipeline.labels import read_labels
from neurodeploy.pipeline.reference import against, misread, read_reference
from neurodeploy.pipeline.session import STREAM, TEXT, Progress, executed, kept_as, suited
from neurodeploy.pipeline.stepping import run_kept
from neurodeploy.pipeline.streams import fed, lengthened
from neurodeploy.pipeline.texts import after_prefix, encode_text, float_model, hybrid, tokenizer_of, window_of
from neurodeploy.pipeline.verbs import verb
from neurodeploy.storage.stage_files import StageFiles, digest
from neurodeploy.version import __version__

#: What of an evaluation a bundle keeps.
EVALUATION = (
    "text", "tokens", "bytes", "window", "float", "chip", "bits_per_byte_change", "kl_per_token", "top1_agreement",
    "saturations",
)  # fmt: skip
#: What both sides of a comparison without a reference have in common, for the first line of an answer.
SHARED = "the float network of the bundle: both sides share one reading of the file, --reference FILE checks that too"


@verb
def eval(
    bundle: AnyPath,
    text: str | Path | None = None,
    *,
    input: Any = None,
    max_tokens: int | None = None,
    source: str | Path | None = None,
    with_float: bool = True,
    steps: int | None = None,
    layout: str | None = None,
    labels: Any = None,
    reference: Any = None,
    keep: bool = False,
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The chip's program against the float model; the dictionary is what ``eval --json`` prints. `runner` is that of `run`.

    Of a language model: bits per byte, perplexity, divergence (`kl_per_token`, in nats) and agreement on `max_tokens`
    (default: 4096) of a `text`. `source` is the checkpoint, if it has moved since conversion; `with_float` False leaves the
    float model out (its fields are None). `keep` writes what was found into the bundle, where comparisons look for its loss.

    Of a spiking network: `input`, `steps` and `layout` of `run`, for all files (or arrays); each output is moved by its
    latency.
    `labels` (.npy, .csv or .txt, a whole number a sample): how many samples each side puts into the right class, that is
    the neuron of an output with the largest sum of payloads. `reference` (.npy, .npz: an array for each output): what the
    framework itself computed from this input. Without one both sides share one reading of the file, right or wrong;
    "against" says which of the two it is. ND3263 where the bundle holds no float network (a lava-dl .net has integers only)
    and no reference is given, ND3269 for labels and ND1273 for a reference that do not fit.

    Interrupted (ND3009), it keeps what was finished in the cache folder (`kept.kept_folder`). The same call goes on with
    that and finds the same, but for the tokens per second.
    """
    opened, data, own = suited(bundle, text, input, {
        TEXT: {"max_tokens": max_tokens, "source": source, "with_float": None if with_float else False,
               "keep": keep or None},
        STREAM: {"steps": steps, "layout": layout, "labels": labels, "reference": reference},
    })  # fmt: skip
    compared: Callable[..., dict[str, Any]] = _stream if opened.program.streamed else _text
    found = compared(opened, data, runner=runner, progress=progress, **own)
    return {**found, "model": opened.program.info.name, "runner": runner, **executed(opened, runner)}


def _text(
    opened: Bundle, text: str | Path, *, runner: str, progress: Progress | None, max_tokens: int = 4096,
    source: str | Path | None = None, with_float: bool = True, keep: bool = False,
) -> dict[str, Any]:  # fmt: skip
    from neurodeploy.evaluation import agreement, evaluate
    from neurodeploy.frontends.text import read_text
    from neurodeploy.machine.arithmetic import arithmetic

    if keep and not with_float:
        problem = "keeps what was found against the float model, which is left out"
        raise UserError("ND2046", "--keep", problem, "leave one of them out")
    tokenizer = tokenizer_of(opened)
    tokens = after_prefix(opened.program.info, encode_text(tokenizer, read_text(text), max_tokens))
    chip = hybrid(opened, runner, logits=True)
    drift = Drift(opened, chip)
    models: dict[str, Any] = {"float": float_model(opened, source)} if with_float else {}
    models["chip"] = chip
    window = window_of(opened)
    words = (
        f"{__version__} {opened.manifest['sha256']} {list(models)} {kept_as(opened, runner)} {window} {arithmetic()}"
    )
    key = digest(words, np.asarray(tokens, np.int64))
    with kept_folder(key) as folder:
        stages = StageFiles(folder, asked=False)
        try:
            scores = evaluate(
                models, tokens, lambda ids: max(1, len(tokenizer.decode(ids).encode("utf-8"))), window, progress,
                saturations={"chip": lambda: chip.take_counts().saturations}, stages=stages, key=key,
            )  # fmt: skip
        except KeyboardInterrupt:
            if not stages.kept or stages.folder is None:
                raise
            raise interrupted(f"{stages.kept * window} of {len(tokens)} tokens", stages.folder) from None
    baseline = scores.get("float")
    found = {
        "text": Path(text).name,
        "tokens": scores["chip"].tokens,
        "bytes": scores["chip"].bytes,
        "window": window,
        "float": baseline.to_json() if baseline else None,
        "chip": scores["chip"].to_json(),
        "bits_per_byte_change": scores["chip"].bits_per_byte / baseline.bits_per_byte - 1 if baseline else None,
        "kl_per_token": scores["chip"].kl_per_token if baseline else None,
        "top1_agreement": agreement(baseline, scores["chip"]) if baseline else None,
        "saturations": scores["chip"].saturations,
        "windows_resumed": stages.reused,
        "notes": stages.notes,
        **drift.found(stages.reused),
    }
    if keep:
        opened.write_evaluation({name: found[name] for name in EVALUATION})
    return found


def _stream(
    opened: Bundle, input: str | Path, *, runner: str, progress: Progress | None, steps: int | None = None,
    layout: str | None = None, labels: str | Path | None = None, reference: str | Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    network = opened.program.network
    real = float_network(opened) if has_float(opened) or reference is None else None
    stream, engine = fed(input, opened, runner, steps, layout)
    outputs = outputs_of(opened, real)
    largest = max(network.populations[row.population].size for row in outputs.values())
    classes = None if labels is None else read_labels(labels, stream, largest)
    shapes = {name: network.populations[row.population].shape for name, row in outputs.items()}
    shapes |= {name: node.shape for name, node in real.nodes.items() if name in shapes} if real else {}
    theirs = None
    if reference is not None:
        theirs = read_reference(reference, outputs, shapes, stream, layout, cut=steps is not None)
    late = max((row.latency for row in outputs.values()), default=0)

    def judged(result: RunResult) -> dict[str, Any]:
        ours = None if real is None else run_float(opened, real, stream)
        return {
            "reference": None if theirs is None else against(theirs, outputs, result, ours, classes),
            "comparison": [] if ours is None else compare(outputs, ours, result, "float", classes),
        }

    found = run_kept(opened, engine, lengthened(stream, late), runner, judged, progress)
    conversion: Any = opened.program.conversion
    return {
        "against": SHARED if reference is None else f"{Path(reference).name}: what the framework itself computed",
        "open_questions": [
            *misread(found["reference"] or []),
            *stream.questions,
            *conversion.get("open_questions", []),
        ],
        "losses": conversion.get("losses", []),
        "steps": stream.steps,
        "samples": stream.samples,
        "labels": None if labels is None else Path(labels).name,
        **found,
        "notes": stream.notes,
    }
