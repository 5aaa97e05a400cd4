"""Every operation that `torch.export` calls, in drawn shapes and settings: in float, and its program on every runner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from neurodeploy.conversion.overlay import Overlay, held
from neurodeploy.conversion.tensors.build import build
from neurodeploy.conversion.tensors.calibrate import calibrate, walk
from neurodeploy.conversion.tensors.passes import simplified, trimmed
from neurodeploy.conversion.tensors.units import Bits
from neurodeploy.errors import ModelError
from neurodeploy.frontends.tensors import aten, torch_module
from neurodeploy.frontends.tensors.making import NodeMaker, Ref
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import Runner, RunResult
from neurodeploy.ir.tensors import TensorGraph
from neurodeploy.pipeline.tensor_check import numbers, payloads
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.hybrid.random_programs import NoWeights
from tests.networks.cuts import random_mapping
from tests.networks.equality import same_result
from tests.tensors.bounds import Errors
from tests.tensors.cases import CASES, Draw, Drawn

SAMPLES, EXAMPLES = 3, 2
#: Rows that no export of ours leaves: arguments behind the value, and the shapes of the results.
RESOLVED = {
    "reshape": ([[1, 8]], [(1, 8)]), "chunk": ([3, 1], [(1, 2, 2), (1, 2, 2)]), "contiguous": ([], [(1, 4, 2)]),
    "dropout": ([0.5, False], [(1, 4, 2)]), "feature_dropout": ([0.5, False], [(1, 4, 2)]),
    "lift_fresh_copy": ([], [(1, 4, 2)]), "to": ([torch.float32], [(1, 4, 2)]),
}  # fmt: skip
#: Modules whose program also runs on a random mapping.
CUT = ("conv2d", "conv_norm_relu", "residual", "max_pool2d", "attention", "cat", "linear_of_a_map")


class Converted(NamedTuple):
    graph: TensorGraph
    program: Program
    weights: Overlay
    samples: dict[str, NDArray[Any]]


def samples_of(drawn: Drawn) -> list[torch.Tensor]:
    if drawn.ids:
        return [torch.randint(0, drawn.ids, (SAMPLES, *shape)) for shape in drawn.shapes]
    found = [torch.randn(SAMPLES, *shape) * drawn.scale for shape in drawn.shapes]
    return found if drawn.above is None else [x.abs() + drawn.above for x in found]


def converted(
    graph: TensorGraph, samples: list[NDArray[Any]], bits: Bits | None = None, part: str = "all"
) -> Converted:
    """On the samples themselves, laid on the grid of their units."""
    graph, bits = simplified(graph), bits or Bits()
    given = dict(zip(graph.inputs, samples, strict=True))
    seen = calibrate(graph, given, bits=bits.payload)
    info = ModelInfo(graph.name, "tensors", 0, 0, len(graph.nodes), 0, "test")
    program, arrays = build(graph, seen, bits, info, {}, part=part)
    units = {name: row["unit"] for name, row in program.conversion["inputs"].items()}  # type: ignore[index]
    laid = {name: np.rint(array / units[name]) * units[name] for name, array in given.items()}
    laid = {name: array.astype(given[name].dtype) for name, array in laid.items()}
    return Converted(trimmed(graph)[0], program, Overlay(NoWeights(), {k: held(v) for k, v in arrays.items()}), laid)


def run(made: Converted, runner: Runner, rows: slice = slice(None)) -> RunResult:
    whole = Hybrid(made.program, made.weights, runner) if made.program.host else runner
    given, clipped = payloads(made.program, {name: array[rows] for name, array in made.samples.items()})
    assert not clipped
    return whole.run(made.program.network, given, 1)


def outputs(made: Converted, result: RunResult) -> dict[str, NDArray[np.float64]]:
    rows: Any = made.program.conversion["outputs"]
    return {
        name: numbers(result.outputs[row["population"]], row["unit"], row["shape"], row["map"])
        for name, row in rows.items()
    }


def near(found: Any, wanted: Any, bound: Any = 0.0) -> None:
    found, wanted = (np.asarray(x, np.float64).reshape(SAMPLES, -1) for x in (found, wanted))
    float32 = 3e-6 * (1 + np.abs(wanted).max(initial=0.0))
    over = np.abs(found - wanted) - np.asarray(bound).reshape(np.shape(wanted) if np.ndim(bound) else ()) - float32
    assert over.max(initial=-1.0) <= 0, (
        f"{over.max()} beyond the bound; {found.reshape(-1)[:4]} {wanted.reshape(-1)[:4]}"
    )


def original(module: torch.nn.Module, samples: list[torch.Tensor]) -> list[NDArray[Any]]:
    with torch.no_grad():
        rows = [module.eval()(*(x[n : n + 1] for x in samples)) for n in range(SAMPLES)]
    rows = [list(row) if isinstance(row, tuple) else [row] for row in rows]
    return [np.concatenate([part.numpy().reshape(1, -1) for part in column]) for column in zip(*rows, strict=True)]


@contextmanager
def noted() -> Iterator[set[str]]:
    """The rows of the table that are read meanwhile."""
    found = set[str]()

    class Noting(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            found.add(key)
            return super().__getitem__(key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_module, "TABLE", Noting(aten.TABLE))
        yield found


def within_bounds(made: Converted, result: RunResult, bits: Bits | None = None) -> None:
    """Nothing is lost to saturation on what was calibrated, and each number is as near as its bound says."""
    inputs = {name: torch.as_tensor(array) for name, array in made.samples.items()}
    wanted = walk(made.graph, inputs)
    seen = calibrate(made.graph, made.samples)
    bounds = Errors(made.program, made.graph, seen, bits or Bits()).of(made.graph, inputs)
    for name, got in outputs(made, result).items():
        near(got, wanted[name], bounds[name].numpy())
    assert not any(result.activity.saturated.values())


def same_on_all(made: Converted, result: RunResult, cut: int | None = None) -> None:
    """Bits, counts and saturations of other runners; a sample does not depend on the others."""
    others: list[Runner] = [FastRunner()]
    if cut is not None:
        others.append(PartitionedRunner(random_mapping(made.program.network, cut), get_system("oheo-gulch").chip))
    for runner in others:
        found = run(made, runner)
        same_result(found.outputs, result.outputs)
        same_result(found.activity, result.activity)
    for n in range(SAMPLES):
        alone = run(made, FastRunner(), slice(n, n + 1))
        same_result(alone.outputs, {name: array[n : n + 1] for name, array in result.outputs.items()})


def check(name: str, data: st.DataObject) -> set[str]:
    drawn = CASES[name].make(Draw(data))
    samples = samples_of(drawn)
    with noted() as rows:
        graph = torch_module.read_module(drawn.module, samples)
    made = converted(graph, [x.numpy() for x in samples])
    wanted = original(drawn.module, samples)
    for each in (graph, simplified(graph)):
        found = walk(each, dict(zip(each.inputs, samples, strict=True)))
        for output, want in zip(each.outputs, wanted, strict=True):
            near(found[output], want)
    result = run(made, ReferenceRunner())
    within_bounds(made, result)
    same_on_all(made, result, 1 if name in CUT else None)
    return rows


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_as_torch(name: str) -> None:
    rows = set[str]()

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, phases=[Phase.generate])
    @given(st.data())
    def drawn(data: st.DataObject) -> None:
        rows.update(check(name, data))

    drawn()
    assert set(CASES[name].rows) <= rows


def test_every_row_has_a_case() -> None:
    """A row of the table without a case here is a row that nobody has tried."""
    assert {row for case in CASES.values() for row in case.rows} | set(RESOLVED) == set(aten.TABLE)


@pytest.mark.parametrize("row", RESOLVED)
def test_what_torch_resolves_itself(row: str) -> None:
    """Decompositions of today's torch leave none of these; each changes nothing here, or is `split`, `reshape`."""
    given, wanted = RESOLVED[row]
    making = NodeMaker()
    x = Ref("x", (1, 4, 2))
    made = aten.TABLE[row](making, "y", [x, *given])
    assert [part.full for part in (made if isinstance(made, list) else [made])] == wanted
    assert all(node.form == "take" for node in making.nodes)


def test_numbers_dropped_at_random_are_refused() -> None:
    with pytest.raises(ModelError, match=r"ND1310.*at random"):
        aten.TABLE["dropout"](NodeMaker(), "y", [Ref("x", (1, 4)), 0.5, True])
