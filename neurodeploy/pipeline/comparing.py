"""The float network of a bundle and its integers on the same input, spike by spike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.populations import SOURCE_NIR
from neurodeploy.conversion.spiking.compare import compare_spikes
from neurodeploy.conversion.spiking.report import OutputReport
from neurodeploy.errors import BundleError, UserError
from neurodeploy.frontends.streams import Stream
from neurodeploy.ir.float_network import FloatNetwork, chip_order
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.run import RunResult
from neurodeploy.neurons.registry import get_model


def has_float(opened: Bundle) -> bool:
    return SOURCE_NIR in opened.manifest["members"] and opened.program.conversion.get("format") == "NIR"


def float_network(opened: Bundle) -> FloatNetwork:
    """The network before it was quantised, from the NIR file in the bundle.

    ND3263 where there is none, ND5006 where it is not the network that the integers were made of.
    """
    from neurodeploy.frontends.nir.reader import read

    conversion: Mapping[str, Any] = opened.program.conversion
    network = opened.program.network
    if not has_float(opened):
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


def run_float(opened: Bundle, real: FloatNetwork, stream: Stream) -> Mapping[str, NDArray[Any]]:
    """Outputs of the float network on the input of the chip."""
    from simulators import float_network

    conversion: Mapping[str, Any] = opened.program.conversion
    values = {
        name: in_source_order(stream.inputs[name], real.nodes[name].shape) * float(conversion["inputs"][name]["unit"])
        for name in real.inputs
    }
    return float_network.run(real, values, scheme=str(conversion["options"]["scheme"])).outputs


def compare(
    outputs: Mapping[str, OutputReport],
    wanted: Mapping[str, NDArray[Any]],
    result: RunResult,
    side: str,
    classes: NDArray[np.int64] | None = None,
) -> list[dict[str, Any]]:
    """One row an output: the chip against `wanted`, what `side` ("float", "reference") computed, in the order of the source;
    `result` should have run as many steps longer as its latency.

    "same_decision": samples in which both have the same neuron with the largest sum; with labels those that are right.
    """
    rows = []
    for row in compare_spikes(wanted, result, outputs):
        output, theirs = outputs[row.output], wanted[row.output]
        decided = {side: theirs.sum(axis=1).argmax(axis=1), "chip": decisions(output, result, theirs.shape[1])}
        found = {**row.to_json(side), "early": row.early}
        found["same_decision"] = int(np.count_nonzero(decided[side] == decided["chip"]))
        for name, choices in decided.items():
            found[f"{name}_correct"] = None if classes is None else int(np.count_nonzero(choices == classes))
        rows.append(found)
    return rows


def decisions(output: OutputReport, result: RunResult, steps: int) -> NDArray[np.int64]:
    """(samples,) the neuron with the largest sum of payloads (the first of equal ones), in the order of the source, in the
    steps that answer those of the input."""
    late = result.outputs[output.population][:, output.latency : output.latency + steps]
    sums = late.sum(axis=1, dtype=np.int64)[..., np.argsort(output.order)]
    return np.asarray(sums.argmax(axis=1), np.int64)


def outputs_of(opened: Bundle, real: FloatNetwork | None) -> dict[str, OutputReport]:
    """What a comparison needs of the conversion's report, from the bundle. A .net has the order and steps of the chip."""
    network = opened.program.network
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
