"""What waits on the chip while a prompt is pipelined: by hand, and its bytes and those of tables on cores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neurodeploy.flow.waits import PASSAGE, waiting_bytes, waits
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode
from neurodeploy.neurons.graded_root import TABLE
from neurodeploy.neurons.registry import table_bytes
from neurodeploy.synapses import Direct
from partitioner.cost.usage import core_demands
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.lateness import lateness
from partitioner.verify.recount import recount
from partitioner.verify.violations import verify
from targets.systems import get_system

SIZE, ONE = 8, Dyadic(1, 0)
AFFINE: dict[str, Any] = {"multiplier": 1, "shift": 0, "acc_shift": 0}
CURVE: dict[str, Any] = {"multiplier": 1, "shift": 0, "width": 2, "table": np.arange(-2, 3)[None]}


def wire(source: str, target: str, port: str = "a") -> Projection:
    return Projection(f"{source}->{target}.{port}", source, target, Direct(SIZE), target_port=port, graded=True)


def program() -> Program:
    """x -> a -> b -> host -> c -> sum, with the stream x and a beside it: a is read by b at once, and by the sum."""
    models: list[tuple[str, str, dict[str, Any]]] = [
        ("x", INPUT, {"bits": 24}), ("a", "graded_affine", AFFINE), ("b", "graded_curve", CURVE),
        ("c.in", INPUT, {"bits": 16}), ("c", "graded_affine", AFFINE),
        ("sum", "graded_sum", {"out_bits": 20}), ("root", "graded_root", {}),
    ]  # fmt: skip
    populations = {name: Population(name, (SIZE,), model, params) for name, model, params in models}
    projections = (
        wire("x", "a"), wire("a", "b"), wire("c.in", "c"), wire("c", "sum"), wire("a", "sum", "b"), wire("sum", "root"),
    )  # fmt: skip
    op = HostOp("h", "add", ("vb", "vb"), ("vc",), {})
    host = (
        HostOp("e", "embedding", ("ids",), ("vx",), {"scale": 1.0}), Encode("vx", "x", ONE), Decode("b", ONE, ("vb",)), op,
        Encode("vc", "c.in", ONE), Decode("root", ONE, ("out",)),
    )  # fmt: skip
    info = ModelInfo("test", "test", 4, SIZE, 1, 8, "made by a test")
    network = Network("test", populations, projections, ("b", "root"))
    sizes = dict.fromkeys(("vx", "vb", "vc", "out"), SIZE) | {"ids": 1}
    return Program(info, network, host, sizes, "ids", "out")


def test_by_hand() -> None:
    """a in step 0, b in 1, c behind the host, the sum a step later: a's payload is there for it in all steps between."""
    of = program()
    of.check()
    b = 1
    total = b + PASSAGE + 1
    assert waits(of) == {"a": total - 1}
    assert waiting_bytes(of.network.populations["a"], waits(of)) == 3 * (total - 1)  # 24 bits
    assert waiting_bytes(of.network.populations["b"], waits(of)) == 0


def test_streams_wait_for_nothing() -> None:
    """What is fed by streams keeps no token back: it runs a step after the other."""
    network = replace(program().network, outputs=("b", "root"))
    assert waits(Program.of(network)) == {}
    assert not any(lateness(Program.of(network)).values())


def test_counted_twice() -> None:
    of = program()
    assert {name: steps for name, steps in lateness(of).items() if steps} == waits(of)


def test_tables() -> None:
    """Those of a population have 32 bits an entry; the one of a root as many as its largest entry."""
    populations = program().network.populations
    assert table_bytes(populations["b"]) == 5 * 4
    assert table_bytes(populations["root"]) == -(-192 * len(f"{max(TABLE.tolist()):b}") // 8)
    assert table_bytes(populations["a"]) == table_bytes(populations["x"]) == 0


@pytest.mark.parametrize("rows", [None, 3])
def test_what_cores_hold(rows: int | None) -> None:
    """Tables stand with every shard, waiting payloads with every neuron, in the mapper's sums and in the recount."""
    of, system = program(), get_system("oheo-gulch")
    mapping = map_model(of, system, Options(max_rows=rows))
    assert verify(mapping, of, system) == []
    assert core_demands(mapping, of, system) == recount(mapping, of, system)
    bare = replace(of, network=replace(of.network, populations={
        name: replace(p, params={**p.params, "table": np.arange(-1, 2)[None]}) if name == "b" else p
        for name, p in of.network.populations.items()
    }))  # fmt: skip
    shards = len(mapping.by_island()["b"])
    assert shards == (1 if rows is None else 3)
    less = sum(d[4] for d in core_demands(mapping, of, system).values())
    assert less - sum(d[4] for d in core_demands(mapping, bare, system).values()) == shards * 2 * 4
