"""A converted network of tensors beside its original: errors of outputs and of every operation, on the samples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.ir.program import Program
from neurodeploy.ir.tensors import TensorGraph
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.tensor_runs import Arrays, by_sample, coding_of, payloads, ran

if TYPE_CHECKING:
    from neurodeploy.conversion.overlay import Overlay

#: Samples on which every operation is compared, and on which outputs are.
LOOKED, COMPARED = 2, 256


class Told(NamedTuple):
    """What was read: the graph, the samples by input, the outputs (samples, numbers) of the original on them, a digest
    of its weights, who computed the original, the file, where it is one, and the output that each state comes from."""

    graph: TensorGraph
    samples: Arrays
    wanted: list[NDArray[Any]]
    digest: str
    rival: str
    file: Path | None = None
    states: Mapping[str, str] = MappingProxyType({})


def compared(given: Sequence[NDArray[Any]]) -> int:
    """How many samples are."""
    return min(len(given[0]), COMPARED)


def numbers(sent: NDArray[Any], unit: float, shape: Sequence[int], maps: bool) -> NDArray[np.float64]:
    """Payloads (n, 1, size) of a population as numbers (n, size) in the order of the source; `maps`: as they lie on the
    chip."""
    from neurodeploy.ops.tensors.asking import spatial

    rows = sent[:, 0, spatial(tuple(shape))] if maps else sent[:, 0]
    return np.asarray(rows * unit, np.float64)


def finished(conversion: Mapping[str, Any], sent: Mapping[str, NDArray[Any]]) -> Arrays:
    """Outputs (n, numbers) of the network by name, in the order of the source, from what its populations have sent: with the
    operations of the host that come last (`conversion.tensors.passes.trimmed`)."""
    import torch

    from neurodeploy.ir.tensors import Node
    from neurodeploy.ops.tensors import FORMS

    found: Arrays = {}
    shapes = {}
    for name, row in conversion["outputs"].items():
        found[name] = numbers(sent[row["population"]], row["unit"], row["shape"], row["map"])
        shapes[name] = tuple(row["shape"])
    for row in conversion["tail"]:
        given = found[row["output"]].reshape(-1, *shapes[row["output"]])
        node = Node(row["makes"], row["form"], (row["output"],), tuple(row["shape"]), row["settings"])
        made = FORMS[node.form].run(node, [torch.from_numpy(given)])
        shapes[node.name] = node.shape
        found[node.name] = made.reshape(len(given), -1).numpy()
    return {name: found[name] for name in conversion["results"]}


def compare(
    program: Program, weights: Overlay, graph: TensorGraph, told: Told, progress: Progress | None
) -> dict[str, Any]:
    """The chip on the samples beside the original: by output the largest error, relative to the largest output, the share of
    power that is error (dB), cosine, and decisions; the operations that lose most, each against float on the same
    samples."""
    count = compared(list(told.samples.values()))
    if progress:
        progress("compare", 0, count)
    found, result = ran_on_samples(program, weights, told)
    clipped = payloads(program, {name: array[:COMPARED] for name, array in told.samples.items()})[1]
    runner = _runner(program, weights)
    rows = {
        name: _error(found[name], want.reshape(len(want), -1).astype(np.float64))
        for name, want in zip(graph.outputs, told.wanted, strict=True)
    }
    worst = sorted(_operations(program, graph, told, runner), key=lambda row: row["sqnr_db"])
    if progress:
        progress("compare", count, count)
    losses = {name: count for name, count in result.activity.saturated.items() if count}
    return {
        "against": told.rival,
        "samples": count,
        "outputs": rows,
        "largest_relative": max(row["largest_relative"] for row in rows.values()),
        "worst": worst[:5],
        "saturated": losses,
        "wrapped": dict(result.activity.wrapped),
        "clipped_inputs": clipped,
    }


def ran_on_samples(program: Program, weights: Overlay, told: Told) -> tuple[Arrays, Any]:
    """Outputs (n, numbers) by name on the samples that are compared, and the run."""
    given = payloads(program, {name: array[:COMPARED] for name, array in told.samples.items()})[0]
    result = ran(program, _runner(program, weights), given)
    return finished(program.conversion, result.outputs), result


def _runner(program: Program, weights: Overlay) -> Any:
    from neurodeploy.hybrid import Hybrid
    from simulators import get_runner

    fast = get_runner("fast")
    return Hybrid(program, weights, fast) if program.host else fast


def _error(got: NDArray[np.float64], want: NDArray[np.float64]) -> dict[str, Any]:
    from neurodeploy.conversion.layers import sqnr_db

    off = got - want
    largest = float(np.abs(want).max(initial=0.0))
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(want, axis=1)
    cosine = (got * want).sum(axis=1)[norms > 0] / norms[norms > 0]
    found = {
        "largest_error": float(np.abs(off).max(initial=0.0)),
        "largest_relative": float(np.abs(off).max(initial=0.0)) / largest if largest else 0.0,
        "sqnr_db": sqnr_db(float(np.square(want).sum()), float(np.square(off).sum())),
        "least_cosine": float(cosine.min()) if cosine.size else None,
    }
    if want.shape[1] > 1:
        found["same_largest"] = float((got.argmax(axis=1) == want.argmax(axis=1)).mean())
    return found


def _units(row: Mapping[str, Any], size: int) -> NDArray[np.float64]:
    """The unit of each number of a value, in the order of the source (`conversion.tensors.sites.Written`)."""
    exponents = np.array(row.get("exponents", [0]))
    by = np.repeat if row.get("by") == "conv" else np.tile
    return np.asarray(np.ldexp(float(row["unit"]), by(exponents, size // len(exponents))), np.float64)


def _operations(program: Program, graph: TensorGraph, told: Told, runner: Any) -> list[dict[str, Any]]:
    """Every operation whose value has a population, on a few samples: how far it is from float."""
    import torch

    from neurodeploy.conversion.layers import sqnr_db
    from neurodeploy.conversion.tensors.calibrate import walk
    from neurodeploy.ir.run import Probe

    conversion: Mapping[str, Any] = program.conversion
    rows = [row for row in conversion["operations"] if row.get("population")]
    some = {name: array[:LOOKED] for name, array in told.samples.items()}
    values: Arrays = {}
    wanted = {row["value"] for row in rows}

    def see(name: str, value: Any) -> None:
        if name in wanted:
            values[name] = value.numpy()

    walk(graph, {name: torch.as_tensor(array) for name, array in some.items()}, see)
    probes = {row["population"]: Probe(row["population"], "s") for row in rows}
    result = ran(program, runner, payloads(program, some)[0], tuple(probes.values()))
    coding = coding_of(conversion)
    found = []
    for row in rows:
        sent = by_sample(coding, result.probes[probes[row["population"]].name], row.get("code", ""))
        shape = graph.shapes()[row["value"]]
        got = numbers(sent, 1.0, shape, row["map"]) * _units(row, math.prod(shape))
        want = values[row["value"]].reshape(len(got), -1).astype(np.float64)
        loss = sqnr_db(float(np.square(want).sum()), float(np.square(got - want).sum()))
        if loss is not None:
            found.append({"path": row["path"], "form": row["form"], "where": row["where"], "sqnr_db": loss})
    return found
