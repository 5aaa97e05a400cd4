"""`eval` of a spiking network: the float network of the bundle and its integers on the same input, spike by spike."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.network_writer import SOURCE_NIR
from neurodeploy.conversion.spiking.compare import compare_spikes
from neurodeploy.conversion.spiking.report import OutputReport, QuantizationReport
from neurodeploy.errors import BundleError, UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.frontends.streams.values import LAYOUTS
from neurodeploy.ir.float_network import FloatNetwork, FloatResult, chip_order
from neurodeploy.ir.network import INPUT
from neurodeploy.ir.network_run import NetworkResult
from neurodeploy.neurons.registry import get_model
from neurodeploy.pipeline.session import Progress, executed
from neurodeploy.pipeline.spiking.opening import lengthened, open_network, runner_for, stream_of
from neurodeploy.pipeline.spiking.reference import against, misread, read_reference
from neurodeploy.pipeline.spiking.running import run_kept
from neurodeploy.storage.numpy_files import header_of, mapped

#: What both sides of a comparison without a reference have in common, for the first line of an answer.
SHARED = "the float network of the bundle: both sides share one reading of the file, --reference FILE checks that too"


def eval_network(
    bundle: str | Path,
    input: str | Path,
    *,
    steps: int | None = None,
    layout: str | None = None,
    labels: str | Path | None = None,
    reference: str | Path | None = None,
    runner: str = "fast",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Float against integers on an input, each output moved by its latency; the dictionary is what ``eval --json`` prints.

    `layout` is that of `run_network`, for all files. `labels` (.npy, an integer a sample): how many samples each side puts
    into the right class, which is the neuron of an output with the largest sum of payloads. `reference` (.npy, .npz: an
    array for each output): what the framework itself computed from this input. Without one both sides share one reading
    of the file, right or wrong; "against" says which of the two it is.

    Raises ND3263 where the bundle holds no float network (a lava-dl .net has integers only) and no reference is given,
    ND3269 for labels and ND1273 for a reference that do not fit. Interrupted (ND3009), the same call goes on with what was
    finished.
    """
    opened, network = open_network(bundle)
    real = float_network(opened) if has_float(opened) or reference is None else None
    stream = stream_of(input, opened, network, steps, layout)
    engine = runner_for(runner, opened, network, stream.steps, stream.samples)
    classes = None if labels is None else read_labels(Path(labels), stream)
    outputs = outputs_of(opened, real)
    shapes = {name: network.populations[row.population].shape for name, row in outputs.items()}
    shapes |= {name: node.shape for name, node in real.nodes.items() if name in shapes} if real else {}
    theirs = None
    if reference is not None:
        theirs = read_reference(reference, outputs, shapes, stream, layout, cut=steps is not None)
    late = max((row.latency for row in outputs.values()), default=0)

    def judged(result: NetworkResult) -> dict[str, Any]:
        before = None if real is None else run_float(opened, real, stream)
        in_float = None if before is None else before.outputs
        return {
            "reference": None if theirs is None else against(theirs, outputs, result, in_float, classes),
            "comparison": [] if real is None or before is None else compare(opened, real, before, result, classes),
        }

    found = run_kept(opened, network, engine, lengthened(stream, late), runner, judged, progress)
    conversion: Any = opened.program.conversion
    return {
        "against": SHARED if reference is None else f"{Path(reference).name}: what the framework itself computed",
        "open_questions": [
            *misread(found["reference"] or []),
            *stream.questions,
            *conversion.get("open_questions", []),
        ],
        "losses": conversion.get("losses", []),
        "network": network.name,
        "steps": stream.steps,
        "samples": stream.samples,
        "runner": runner,
        **executed(opened, runner),
        "labels": None if labels is None else Path(labels).name,
        **found,
        "notes": stream.notes,
    }


def has_float(opened: Bundle) -> bool:
    return SOURCE_NIR in opened.manifest["members"] and opened.program.conversion["format"] == "NIR"


def longest_latency(opened: Bundle) -> int:
    outputs: Mapping[str, Any] = opened.program.conversion["outputs"]  # type: ignore[assignment]
    return max((int(row["latency"]) for row in outputs.values()), default=0)


def float_network(opened: Bundle) -> FloatNetwork:
    """The network before it was quantised, from the NIR file in the bundle.

    ND3263 where there is none, ND5006 where it is not the network that the integers were made of.
    """
    from neurodeploy.frontends.nir.reader import read

    conversion: Mapping[str, Any] = opened.program.conversion
    network = opened.program.network
    if not has_float(opened) or network is None:
        problem = "holds no float network to compare with: its source has integers only"
        raise UserError("ND3263", opened.path, problem, "use run, energy and report, which need none")
    path = opened.path / SOURCE_NIR
    real = read(path, float(conversion["options"]["dt"]))
    ends = [(name, network.populations[name].size) for name in network.inputs]
    ends += [(name, network.populations[row["population"]].size) for name, row in conversion["outputs"].items()]
    if ends != [(name, real.nodes[name].size) for name, _ in ends if name in real.nodes]:
        raise BundleError("ND5006", path, "is not the network that the integers were made of", "convert it again")
    if {*real.inputs, *real.outputs} != {name for name, _ in ends}:
        raise BundleError("ND5006", path, "has other inputs or outputs than the integers", "convert it again")
    return real


def read_labels(path: Path, stream: Stream) -> NDArray[np.int64]:
    """(samples,) classes. ND3269 for anything else."""
    samples, fix = stream.samples, "give an .npy with one whole number for each sample"
    try:
        header = header_of(path)
        if header.dtype.kind not in "iu" or header.shape != (samples,):
            problem = f"has shape {header.shape} and type {header.dtype} for {samples} samples"
            if header.shape == (stream.steps,):
                problem += f" of {stream.steps} steps"
                fix = f"if the first axis of the input is time, add --layout {LAYOUTS[1]}"
            raise UserError("ND3269", path, problem, fix)
        return mapped(path, header).astype(np.int64)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError("ND3269", path, f"cannot be read: {reason:.200}", fix) from None


def run_float(opened: Bundle, real: FloatNetwork, stream: Stream) -> FloatResult:
    """The float network on the input of the chip."""
    from simulators import network_float

    conversion: Mapping[str, Any] = opened.program.conversion
    values = {
        name: in_source_order(stream.inputs[name], real.nodes[name].shape) * float(conversion["inputs"][name]["unit"])
        for name in real.inputs
    }
    return network_float.run(real, values, scheme=str(conversion["options"]["scheme"]))


def compare(
    opened: Bundle,
    real: FloatNetwork,
    before: FloatResult,
    result: NetworkResult,
    classes: NDArray[np.int64] | None = None,
) -> list[dict[str, Any]]:
    """One row an output; `result` should have run as many steps longer as its latency."""
    report = QuantizationReport(real.name, {}, outputs_of(opened, real), (), ())
    return [
        {
            **row.to_json("float"),
            "early": row.early,
            **_decisions(opened, real, row.output, before, result, classes),
        }
        for row in compare_spikes(before, result, report)
    ]


def _decisions(
    opened: Bundle,
    real: FloatNetwork,
    name: str,
    before: FloatResult,
    result: NetworkResult,
    classes: NDArray[np.int64] | None,
) -> dict[str, Any]:
    """Samples in which both have the same neuron with the largest sum, and with labels those that are right."""
    conversion: Mapping[str, Any] = opened.program.conversion
    row = conversion["outputs"][name]
    wanted = before.outputs[name]
    late = int(row["latency"])
    payloads = result.outputs[row["population"]][:, late : late + wanted.shape[1]]
    sums = in_source_order(payloads.sum(axis=1, dtype=np.int64), real.nodes[name].shape)
    in_float, on_chip = wanted.sum(axis=1).argmax(axis=1), sums.argmax(axis=1)
    found: dict[str, Any] = {"same_decision": int(np.count_nonzero(in_float == on_chip))}
    for key, decided in (("float_correct", in_float), ("chip_correct", on_chip)):
        found[key] = None if classes is None else int(np.count_nonzero(decided == classes))
    return found


def outputs_of(opened: Bundle, real: FloatNetwork | None) -> dict[str, OutputReport]:
    """What a comparison needs of the conversion's report, from the bundle. A .net has the order and steps of the chip."""
    network = opened.program.network
    assert network is not None  # `open_network` has seen it
    if real is None:
        populations = [network.populations[name] for name in network.outputs]
        return {
            p.name: OutputReport(
                p.name, p.name, 0, np.arange(p.size), 1.0, p.model == INPUT or get_model(p.model).graded
            )
            for p in populations
        }
    rows: Mapping[str, Any] = opened.program.conversion["outputs"]  # type: ignore[assignment]
    return {
        name: OutputReport(
            name, row["population"], int(row["latency"]), chip_order(real.nodes[name].shape), float(row["unit"]),
            bool(row["graded"]),
        )
        for name, row in rows.items()
    }  # fmt: skip


def in_source_order(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """(.., size) in the order of the chip -> in that of the source."""
    return np.asarray(array)[..., np.argsort(chip_order(shape))]
