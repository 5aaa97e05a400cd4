"""Float networks for tests, built by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.spiking.compare import Comparison, compare_spikes
from neurodeploy.conversion.spiking.options import QuantizeOptions
from neurodeploy.conversion.spiking.quantize import quantize
from neurodeploy.conversion.spiking.report import QuantizationReport
from neurodeploy.ir.float_linear import output_shape
from neurodeploy.ir.float_network import FloatEdge, FloatNetwork, FloatNode, FloatResult, chip_order
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Probe, RunResult
from simulators.float_network import run
from simulators.reference import ReferenceRunner

DT = 1e-3
CUBA = {"tau_syn": 0.005, "tau_mem": 0.02, "r": 1.0, "v_leak": 0.0, "w_in": 1.0}


def neuron(
    name: str, kind: str, shape: Sequence[int] | int, reset: str = "value", gain: str = "physical", **params: Any
) -> FloatNode:
    """A node with one value a neuron; numbers are spread, and what is not given is plain."""
    whole = (shape,) if isinstance(shape, int) else tuple(shape)
    plain = {
        "if": {"r": 1 / DT, "v_threshold": 1.0, "v_reset": 0.0},
        "i": {"r": 1 / DT},
        "lif": {"tau": 0.02, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0},
        "li": {"tau": 0.02, "r": 1.0, "v_leak": 0.0},
        "cubalif": {**CUBA, "v_threshold": 1.0, "v_reset": 0.0},
        "cubali": CUBA,
        "threshold": {"threshold": 1.0}, "delay": {"delay": DT}, "scale": {"scale": 1.0}, "input": {}, "output": {},
    }[kind]  # fmt: skip
    values = {k: np.broadcast_to(np.asarray(v, np.float64), whole).copy() for k, v in {**plain, **params}.items()}
    return FloatNode(name, kind, whole, whole, values, {}, reset, gain)


def affine(name: str, weight: NDArray[Any], bias: Any = None) -> FloatNode:
    weight = np.asarray(weight, np.float64)
    params = {"weight": weight} if bias is None else {"weight": weight, "bias": np.zeros(weight.shape[0]) + bias}
    kind = "linear" if bias is None else "affine"
    return FloatNode(name, kind, (weight.shape[1],), (weight.shape[0],), params)


def window(
    name: str, kind: str, in_shape: tuple[int, ...], weight: Any = None, bias: Any = None, **options: Any
) -> FloatNode:
    """A convolution or a pool. Options as integers or pairs; padding too."""
    axes = 1 if kind == "conv1d" else 2
    params: dict[str, NDArray[Any]] = {}
    if weight is not None:
        params = {"weight": np.asarray(weight, np.float64)}
        params["bias"] = np.zeros(params["weight"].shape[0]) + (0.0 if bias is None else bias)
    wide: dict[str, Any] = {"stride": 1, "padding": 0, **({"dilation": 1} if weight is not None else {}), **options}
    wide = {k: (v,) * axes if isinstance(v, int) else tuple(v) for k, v in wide.items() if k != "groups"}
    wide["padding"] = tuple(p if isinstance(p, tuple) else (p, p) for p in wide["padding"])
    if weight is not None:
        wide["groups"] = options.get("groups", 1)
    return FloatNode(name, kind, in_shape, output_shape(kind, params, wide, in_shape), params, wide)


def flatten(name: str, in_shape: tuple[int, ...]) -> FloatNode:
    size = int(np.prod(in_shape))
    return FloatNode(name, "flatten", in_shape, (size,), {}, {"start_dim": 0, "end_dim": len(in_shape) - 1})


def between(nodes: Sequence[FloatNode], ways: str = "", dt: float = DT) -> FloatNetwork:
    """Nodes in a row, or by ways as "input a n output, n r ~n", where ~ is an edge back.

    "input" and "output" are added where a way names them, with the shapes of the first and of the last node.
    """
    ways = ways or " ".join(["input", *(node.name for node in nodes), "output"])
    ends = neuron("input", "input", nodes[0].in_shape), neuron("output", "output", nodes[-1].shape)
    named = {node.name: node for node in (ends[0], *nodes, ends[1]) if node.name in re.split("[ ,]+", ways)}
    steps = [pair for way in ways.split(",") for pair in pairwise(way.split())]
    edges = tuple(FloatEdge(a.strip("~"), b.strip("~"), b.startswith("~")) for a, b in steps)
    made = FloatNetwork("net", named, edges, dt)
    made.check()
    return made


def row(*nodes: FloatNode, dt: float = DT) -> FloatNetwork:
    """Input, the nodes, Output."""
    return between(nodes, dt=dt)


def layer(kind: str, weight: Any, bias: float | None = None, **params: Any) -> FloatNetwork:
    """Neurons "n" behind one matrix."""
    weight = np.asarray(weight, np.float64)
    return row(affine("w", weight, bias), neuron("n", kind, weight.shape[0], **params))


def spikes(
    network: FloatNetwork, samples: int = 2, steps: int = 60, rate: float = 0.3, seed: int = 0
) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    shapes = {name: (samples, steps, network.nodes[name].size) for name in network.inputs}
    return {name: (rng.random(shape) < rate).astype(np.int64) for name, shape in shapes.items()}


def fed(made: FloatNetwork, report: QuantizationReport, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Payloads of the chip for the inputs of a float network, and the steps of the latency behind them."""
    found = {}
    for name, x in inputs.items():
        payloads = np.rint(np.asarray(x)[..., chip_order(made.nodes[name].shape)] / report.units[name]).astype(np.int64)
        found[name] = np.pad(payloads, [(0, 0), (0, report.latency), (0, 0)])
    return found


def both(
    made: FloatNetwork,
    chip: Network,
    report: QuantizationReport,
    inputs: Mapping[str, NDArray[Any]],
    probes: Sequence[Probe] = (),
    record: Sequence[str] = (),
) -> tuple[FloatResult, RunResult]:
    """The float run and the integer run, which goes on for the latency of its outputs."""
    wanted = run(made, inputs, record=record)
    steps = wanted.steps + report.latency
    return wanted, ReferenceRunner().run(chip, fed(made, report, inputs), steps, probes=probes)


def scales_of(chip: Network) -> dict[str, float]:
    """Units of the chip in one of the float network, by population."""
    scales = chip.provenance["scales"]
    assert isinstance(scales, dict)
    return {name: float(mantissa) * 2.0**exponent for name, (mantissa, exponent) in scales.items()}


def scale_of(chip: Network, name: str = "n") -> float:
    return scales_of(chip)[name]


class Compared(NamedTuple):
    """Both runs of a converted network with one output, and the line that compares them."""

    line: Comparison
    chip: Network
    report: QuantizationReport
    wanted: FloatResult
    got: RunResult


def compared(
    made: FloatNetwork, options: QuantizeOptions | None = None, inputs: Mapping[str, NDArray[Any]] | None = None,
    **drawn: Any,
) -> Compared:  # fmt: skip
    """Convert and run; inputs that are not given are `spikes`."""
    chip, report = quantize(made, options)
    wanted, got = both(made, chip, report, spikes(made, **drawn) if inputs is None else inputs)
    (line,) = compare_spikes(wanted.outputs, got, report.outputs)
    return Compared(line, chip, report, wanted, got)
