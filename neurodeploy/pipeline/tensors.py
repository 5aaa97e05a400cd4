"""`convert` of any module or ONNX file: a network of tensors becomes a bundle of graded populations, and is compared
with itself."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.bundle.folders import refuse_others
from neurodeploy.bundle.writer import write_bundle
from neurodeploy.conversion.overlay import Overlay, held
from neurodeploy.conversion.presets import ON_CHIP
from neurodeploy.conversion.tensors.coding import Coding, no_code
from neurodeploy.errors import DoesNotFit, ModelError, UserError
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.pipeline.counts import size_of
from neurodeploy.pipeline.session import Progress
from neurodeploy.pipeline.tensor_check import Told, compare, compared, ran_on_samples
from neurodeploy.pipeline.tensor_codes import LOSS, AskedCode, Made, Trials, asked_for, joules

if TYPE_CHECKING:
    from neurodeploy.ir.tensors import TensorGraph

#: Options of such a network.
OPTIONS = ("calibration", "payload_bits", "weight_bits", "on_chip", "state", "code", "loss")


def is_module(model: object) -> bool:
    """Whether it is a `torch.nn.Module`; torch is not loaded for the question."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)


def is_onnx(model: object) -> bool:
    """By its name."""
    return isinstance(model, str | Path) and Path(model).suffix.lower() == ".onnx"


def convert_tensors(model: Any, out: Path, options: Mapping[str, Any], progress: Progress | None) -> dict[str, Any]:
    """See `convert`; `options` are some of `OPTIONS`."""
    from neurodeploy.conversion.tensors.build import build
    from neurodeploy.conversion.tensors.builder import DEFAULT_PART
    from neurodeploy.conversion.tensors.calibrate import calibrate
    from neurodeploy.conversion.tensors.passes import simplified
    from neurodeploy.conversion.tensors.units import Bits
    from simulators.reference import ReferenceRunner

    began = time.perf_counter()
    refuse_others(out)
    bits = Bits(_width(options, "payload_bits", 16, 4, 16), _width(options, "weight_bits", 8, 2, 16))
    tolerance = options.get("tolerance")
    if tolerance is not None and not float(tolerance) > 0:
        raise UserError("ND1313", "--tolerance", f"is {tolerance}", "give an error above 0, relative to the output")
    part = options.get("on_chip", DEFAULT_PART)
    if part not in ON_CHIP:
        raise UserError("ND1313", "--on-chip", f"is {part}", f"choose one of {', '.join(ON_CHIP)}")
    asked, loss = asked_for(options.get("code")), options.get("loss")
    if loss is not None and not 0 < float(loss) < 1:
        raise no_code("--loss", f"is {loss}", "give an error between 0 and 1, relative to the outputs")
    told = (_of_onnx if is_onnx(model) else _of_module)(model, options)
    graph = simplified(told.graph)
    states = {name: graph.outputs[told.graph.outputs.index(made)] for name, made in told.states.items()}
    seen = calibrate(graph, told.samples, progress, bits=bits.payload, some=asked.coding != Coding())
    info = ModelInfo(graph.name, "tensors", 0, 0, len(graph.nodes), 0, graph.source)

    def made(coding: Coding) -> Made:
        return build(graph, seen, bits, info, {"warnings": list(graph.notes)}, coding, part, states)

    (program, arrays), codes = _coded(graph, told, made, asked, float(loss or LOSS))
    weights = Overlay(_NoStore(), {name: held(array) for name, array in arrays.items()})
    check = compare(program, weights, graph, told, progress)
    if tolerance is not None and check["largest_relative"] > float(tolerance):
        problem = f"is {check['largest_relative']:.3g} off its original, more than {float(tolerance):.3g}"
        worst = "".join(f"; the worst operation is {row['path']}" for row in check["worst"][:1])
        raise DoesNotFit("ND1312", graph.name, problem, f"give more samples or payload_bits=16{worst}")
    conversion = {**program.conversion, "check": check, "codes": codes}
    program = replace(program, conversion=conversion)
    file = told.file
    files = [] if file is None else [{"name": file.name, "size": file.stat().st_size, "sha256": told.digest}]
    origin = {"model": graph.name, "path": "", "files": files, "sha256": told.digest}
    write_bundle(out, program, origin, ReferenceRunner().run, weights=weights if program.host else None)
    return {
        "open_questions": [],
        "bundle": str(out),
        "model": graph.name,
        "family": "tensors",
        **size_of(program.network),
        "inputs": {name: list(shape) for name, shape in graph.inputs.items() if name not in states},
        "states": states,
        "outputs": {name: row["shape"] for name, row in program.conversion["outputs"].items()},  # type: ignore[attr-defined]
        "multiply_adds": conversion["multiply_adds"],
        "payloads": conversion["payloads"],
        "on_host": [row for row in conversion["operations"] if row["device"] == "host"],  # type: ignore[attr-defined]
        "codes": codes,
        "check": check,
        "warnings": list(graph.notes),
        "seconds": time.perf_counter() - began,
    }


def _coded(
    graph: TensorGraph, told: Told, made: Callable[[Coding], Made], asked: AskedCode, loss: float
) -> tuple[Made, dict[str, Any] | None]:
    """The conversion in the code that was asked for, and what was tried for it; nothing is where values are sent as they
    are."""
    if asked.coding == Coding():
        return made(asked.coding), None
    sites = {*graph.inputs, *(node.name for node in graph.nodes)}
    for site in asked.coding.sites:
        if site not in sites:
            fix = f"sites are inputs and operations: {', '.join(sorted(sites))}"
            raise no_code(site, "is no site of this network", fix)

    def run(one: Made) -> tuple[Any, Any]:
        weights = Overlay(_NoStore(), {name: held(array) for name, array in one[1].items()})
        outputs, result = ran_on_samples(one[0], weights, told)
        return [outputs[name] for name in graph.outputs], result.activity

    trials = Trials(made, run, told.wanted, loss)
    chosen, tried = trials.chosen(asked, joules)
    rows = [trial.row() for trial in tried]
    return chosen.made, {"bound": loss, "chosen": chosen.row(), "tried": rows}


class _NoStore:
    """No tensors of files."""

    def names(self) -> tuple[str, ...]:
        return ()

    def shape(self, name: str) -> tuple[int, ...]:
        raise KeyError(name)

    def get(self, name: str, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        raise KeyError(name)

    def release(self) -> None:
        return

    def files(self) -> tuple[str, ...]:
        return ()


def _width(options: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or not low <= value <= high:
        raise UserError("ND1313", f"--{name.replace('_', '-')}", f"is {value}", f"give {low} to {high}")
    return value


def _listed(given: Any) -> list[Any]:
    """One sample set an input: arrays, tensors, or a file of them."""
    if isinstance(given, str | Path):
        return _from_file(Path(given))
    return list(given) if isinstance(given, list | tuple) else [given]


def _from_file(path: Path) -> list[Any]:
    from neurodeploy.storage.numpy_files import header_of, mapped, open_archive

    if not path.is_file():
        raise UserError("ND1313", path, "does not exist or is no file", "give a .npy or .npz file of samples")
    try:
        if path.suffix.lower() == ".npz":
            with open_archive(path) as archive:
                return [archive.read(name) for name in archive.headers]
        return [mapped(path, header_of(path))]
    except (ValueError, OSError, EOFError) as error:
        raise UserError("ND1313", path, f"is no .npy or .npz of numbers: {error}", "write it with numpy") from None


def _array(value: Any) -> NDArray[Any]:
    """Of tensors, lists and arrays; float32, or integers."""
    array = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise UserError("ND1313", "example_inputs", f"has type {array.dtype}", "give numbers")
    return array.astype(np.float32) if array.dtype.kind in "f" else array.astype(np.int64)


def _given(options: Mapping[str, Any], fix: str) -> list[NDArray[Any]]:
    example, calibration = options.get("example_inputs"), options.get("calibration")
    if example is None and calibration is None:
        raise UserError("ND1313", "example_inputs", "are needed: ranges are measured on them", fix)
    sets = [[_array(x) for x in _listed(given)] for given in (example, calibration) if given is not None]
    if any(len(each) != len(sets[0]) for each in sets):
        raise UserError("ND1313", "calibration", f"has {len(sets[-1])} inputs, the example {len(sets[0])}", fix)
    if any(len({len(x) for x in each if x.ndim}) != 1 or not all(len(x) for x in each if x.ndim) for each in sets):
        raise UserError("ND1313", "example_inputs", "have different numbers of samples, or none", fix)
    try:
        return [np.concatenate(parts) if parts[0].ndim else parts[0] for parts in zip(*sets, strict=True)]
    except ValueError as error:
        raise UserError("ND1313", "calibration", f"does not go with the example: {error}", fix) from None


def _of_module(module: Any, options: Mapping[str, Any]) -> Told:
    import torch

    from neurodeploy.conversion.tensors.states import following, read_states
    from neurodeploy.frontends.tensors.torch_module import read_module

    given = _given(options, "give tensors (samples, ...) as example_inputs, one for each input of forward")
    graph = read_module(module, [torch.as_tensor(x) for x in given])
    states = read_states(options.get("state"), graph)
    given = list(following(graph, dict(zip(graph.inputs, given, strict=True)), states).values())
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            found = [_outputs(module(*(torch.as_tensor(x[n : n + 1]) for x in given))) for n in range(compared(given))]
    except Exception as error:  # whatever a stranger's code raises
        problem = f"cannot be run on the samples: {' '.join(str(error).split())[:200]}"
        raise ModelError("ND1311", graph.name, problem, "give samples that it takes") from error
    finally:
        for part, mode in modes:
            part.training = mode
    wanted = [np.concatenate([np.asarray(row[i]).reshape(1, -1) for row in found]) for i in range(len(found[0]))]
    state = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if hasattr(tensor, "detach"):
            state.update(name.encode() + np.ascontiguousarray(tensor.detach().cpu().float().numpy()).tobytes())
    return Told(
        graph,
        dict(zip(graph.inputs, given, strict=True)),
        wanted,
        state.hexdigest(),
        f"torch {torch.__version__}",
        states=states,
    )


def _outputs(found: Any) -> list[Any]:
    if isinstance(found, Mapping):
        found = list(found.values())
    if isinstance(found, list | tuple):
        return [leaf for part in found for leaf in _outputs(part)]
    return [] if found is None else [found.detach().cpu().numpy()]


def _of_onnx(path: Any, options: Mapping[str, Any]) -> Told:
    from neurodeploy.bundle.files import digest
    from neurodeploy.conversion.tensors.states import following, read_states
    from neurodeploy.frontends.tensors.onnx_file import read_onnx, run_onnx

    given = _given(options, "give --calibration FILE.npz, samples for each input of the file")
    graph = read_onnx(Path(path), given)
    states = read_states(options.get("state"), graph)
    samples = following(graph, dict(zip(graph.inputs, (x for x in given if x.ndim), strict=True)), states)
    rows, count = iter(samples.values()), compared(list(samples.values()))
    found, who = run_onnx(Path(path), [next(rows)[:count] if x.ndim else x for x in given])
    return Told(graph, samples, found, digest(Path(path)), who, Path(path), states)
