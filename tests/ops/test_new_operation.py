"""A newcomer's operation is one file: `added/scale_shift.py`, put beside the others, is run, costed, checked, explained, and
on the chip where its input is there."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy import ops
from neurodeploy.bundle.program_check import check_program
from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.errors import InternalError
from neurodeploy.frontends.families.decoder import Built
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.graph import Graph, ModelInfo, Population
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ops.host.executor import Executor
from neurodeploy.ops.host.linear import projection_work
from neurodeploy.ops.host.operation import Work
from partitioner.judge.summary import explain
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.violations import verify
from simulators import get_runner
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import get_system
from tests.networks.equality import same_result
from tests.ops.test_executor import random_store
from tests.partitioner.make import tiny
from tests.refusals import refused

VOCABULARY, WIDTH = 11, 16
IDS = np.arange(3, 25) % VOCABULARY
ATTRS = {"scale": 2.5, "shift": -0.5}


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the new file added to those of the package."""
    monkeypatch.setattr(ops, "__path__", [*ops.__path__, str(Path(__file__).parent / "added")])
    monkeypatch.setitem(ops.OPERATIONS, "scale_shift", ops.read_table()["scale_shift"])
    monkeypatch.delitem(sys.modules, "neurodeploy.ops.scale_shift")


def made(middle: tuple[str, ...] = ()) -> Graph:
    """tokens -> embedding -> projections -> scale_shift -> logits."""
    g = Built()
    g.populations["tokens"] = Population("tokens", 1)
    g.tensors["table"] = (VOCABULARY, WIDTH)
    x = g.host("embed", "embedding", ("tokens",), WIDTH, {"scale": 1.0}, {"weight": "table"})
    given = [g.projection(name, x, WIDTH, name) for name in middle] or [x]
    for number, x in enumerate(given):
        x = g.host(f"toy{number or ''}", "scale_shift", (x,), WIDTH, ATTRS)
    g.projection("lm_head", x, VOCABULARY, "lm_head", output="logits")
    info = ModelInfo("toy", "test", VOCABULARY, WIDTH, 0, 64, "made by a test")
    return Graph(info, g.populations, tuple(g.ops), random_store(g.tensors))


def test_one_file_is_enough() -> None:
    graph = made()
    graph.check()
    ops.check_operations(graph.ops)
    sizes = {name: population.size for name, population in graph.populations.items()}
    executor = Executor(graph.ops, graph.weights, sizes)
    table, head = (torch.from_numpy(graph.weights.get(name)) for name in ("table", "lm_head.weight"))
    expected = (table[IDS] * 2.5 - 0.5) @ head.T
    torch.testing.assert_close(executor.forward(IDS), expected, rtol=1e-6, atol=1e-6)
    values = len(IDS) * WIDTH
    others = projection_work(graph.projections()[0], len(IDS)) + Work(0, 8 * values)  # the head and the embedding
    assert executor.work == others + Work(2 * values, 8 * values)

    program = quantize(graph, IDS, get_preset("default"))
    check_program(program, graph.weights)
    hybrid = Hybrid(program, graph.weights, get_runner("fast"))
    torch.testing.assert_close(hybrid.forward(IDS), expected, rtol=1e-2, atol=1e-2)
    rows = {row["path"]: row for row in explain(map_model(program, get_system("loihi2")))}
    assert (rows["toy"]["device"], rows["toy"]["rule"]) == ("host", "input-on-host")
    assert rows["toy"]["reason"] == "a product with 2.5 and a sum with -0.5"


@pytest.mark.parametrize(
    ("attrs", "says"),
    [({"scale": 1.0}, r"lacks \['shift'\]"), ({"scale": "1", "shift": 0}, "scale = '1' is not possible")],
)
def test_its_attributes_are_checked(attrs: dict[str, object], says: str) -> None:
    refused(InternalError, f"ND9001.*{says}", ops.check_operations, [replace(made().ops[1], attrs=attrs)])


def partitioned(network: Network) -> PartitionedRunner:
    """On cores of five neurons."""
    system = tiny(neurons=5)
    mapping = map_model(Program.of(network), system, Options(place=False))
    assert len({shard.core for shard in mapping.shards}) > 6 and not verify(mapping, Program.of(network), system)
    return PartitionedRunner(mapping, system.chip)


@pytest.mark.parametrize("middle", [("first",), ("q", "k")])
def test_where_its_input_is_on_the_chip_so_is_it(middle: tuple[str, ...]) -> None:
    """One value goes in and the logits come out: linear layers and what is between them are on the chip, the head a segment
    that reads what stays there. Of "q" and "k", one layer, the operation reads the second half."""
    graph = made(middle)
    program = quantize(graph, IDS, get_preset("default", on_chip="block"))
    assert [op.path for op in program.operations] == ["embed"]
    segment, head = program.segments
    assert (segment.inputs, segment.outputs, head.inputs, head.outputs) == (("embed",), (), (), ("logits",))
    assert head.reads == ("lm_head.input",)
    sizes = {name: population.size for name, population in graph.populations.items()}
    expected = Executor(graph.ops, graph.weights, sizes).forward(IDS)
    (encode,) = segment.encodes
    embedded = graph.weights.get("table")[IDS] / encode.scale.value
    payloads = {encode.population: np.rint(embedded).astype(np.int64)[:, None]}
    results = [
        runner.run(program.network, payloads, 1)
        for runner in (ReferenceRunner(), FastRunner(), partitioned(program.network))
    ]
    for result in results[1:]:
        same_result(result, results[0])
    decode = head.decodes[-1]
    logits = results[0].outputs[decode.population][:, 0] * decode.scale.value
    torch.testing.assert_close(torch.from_numpy(logits).float(), expected, rtol=1e-2, atol=1e-2)


def test_what_has_no_integers_stays_on_the_host() -> None:
    graph = made(("first",))
    odd = tuple(replace(op, attrs={"scale": 0.0, "shift": 1.0}) if op.path == "toy" else op for op in graph.ops)
    program = quantize(replace(graph, ops=odd), IDS, get_preset("default", on_chip="block"))
    assert [op.path for op in program.operations] == ["embed", "toy"] and len(program.segments) == 2
