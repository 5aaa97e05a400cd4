"""Programs in the shape of language models. Their weights raise on any use: a mapper reads sizes only."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from neurodeploy.ir.chip import Basis, ChipSpec, CoreBudget, Limit, SystemSpec
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import BLOCK
from neurodeploy.ir.population import Section
from neurodeploy.ir.program import Program
from neurodeploy.ops import OPERATIONS
from neurodeploy.synapses.linear import program_of_layers
from partitioner.cost.population import View, views_of
from partitioner.mapper import map_model
from targets.loihi2 import SUPPORTS
from tests import islands
from tests.islands import Island

Step = HostOp | Island


class Untouchable:
    """Stands for a weight array of a shape; whoever looks at more of it fails the test."""

    def __init__(self, rows: int, columns: int) -> None:
        self.shape = rows, columns

    def __getattribute__(self, name: str) -> Any:
        if name == "shape":
            return object.__getattribute__(self, name)
        raise AssertionError(f"the mapper touched the weights ({name})")

    def __getitem__(self, key: object) -> Any:
        raise AssertionError("the mapper read a weight")

    def __array__(self, *_: object, **__: object) -> Any:
        raise AssertionError("the mapper converted the weights")


def island(
    name: str,
    parts: list[tuple[str, int, int]],
    columns: int,
    *,
    layer: int | None = None,
    expert: int | None = None,
    bits: int = 8,
    payload_bits: int = 16,
    abs_sum: int = 127 * BLOCK,
) -> Island:
    """`parts` are (role, rows, heads); every block of columns has the largest sum `abs_sum`."""
    sections, start = [], 0
    for role, rows, heads in parts:
        sections.append(Section(f"{name}.{role}", start, start + rows, role, heads))
        start += rows
    sums = np.broadcast_to(np.int64(abs_sum), (-(-columns // BLOCK),))
    params = {"multiplier": np.broadcast_to(np.int16(1), (start,)), "shift": np.broadcast_to(np.uint8(0), (start,))}
    return islands.island(
        name, Untouchable(start, columns), params, sections=sections, block_sums=sums, payload_bits=payload_bits,
        weight_bits=bits, layer=layer, expert=expert,
    )  # fmt: skip


def host(op: str, inputs: tuple[str, ...], outputs: tuple[str, ...], layer: int | None = None, **attrs: Any) -> HostOp:
    filled = {key: attrs.get(key, 1) for key in OPERATIONS[op].attrs}
    return HostOp(outputs[0], op, inputs, outputs, filled, layer=layer)


def program(steps: list[Step], output: str, name: str = "test") -> Program:
    return program_of_layers(ModelInfo(name, "test", 10, 10, 1, 10, "made by a test"), steps, {}, "tokens", output)


def of_islands(items: list[Island]) -> Program:
    """Every island reads the embedding; the last slice of the last island is the output."""
    steps: list[Step] = [host("embedding", ("tokens",), ("x",))]
    steps += [item.reading("x") for item in items]
    return program(steps, items[-1].decode.values[-1])


def view(item: Island, spec: ChipSpec, weight_bits: int | None = None) -> View:
    """How the mapper sees an island."""
    return views_of(of_islands([item]), spec, weight_bits)[item.name]


def llama(
    layers: int = 16,
    d: int = 2048,
    kv: int = 512,
    ffn: int = 8192,
    vocab: int = 128256,
    head_dim: int = 64,
    experts: int = 0,
    top_k: int = 1,
    bits: int = 8,
    head: bool = True,
) -> Program:
    """Dense decoder, or with `experts` a mixture of them beside one shared expert, as Llama 4 has it."""
    steps: list[Step] = [host("embedding", ("tokens",), ("x0",))]

    def run(item: Island, value: str) -> tuple[str, ...]:
        steps.append(item.reading(value))
        return item.decode.values

    def feed_forward(path: str, layer: int, value: str, expert: int | None = None) -> str:
        parts = [("gate", ffn, 0), ("up", ffn, 0)]
        gate, up = run(island(f"{path}.gate_up", parts, d, layer=layer, expert=expert, bits=bits), value)
        steps.append(host("glu", (gate, up), (f"{path}.glu",), layer))
        return run(island(f"{path}.down", [("down", d, 0)], ffn, layer=layer, expert=expert, bits=bits), f"{path}.glu")[
            0
        ]

    for n in range(layers):
        p = f"layers.{n}"
        steps.append(host("rmsnorm", (f"x{n}",), (f"{p}.norm1",), n))
        parts = [("q", d, d // head_dim), ("k", kv, kv // head_dim), ("v", kv, kv // head_dim)]
        q, k, v = run(island(f"{p}.qkv", parts, d, layer=n, bits=bits), f"{p}.norm1")
        steps.append(host("rope", (q,), (f"{p}.qr",), n))
        steps.append(host("rope", (k,), (f"{p}.kr",), n))
        steps.append(host("attention", (f"{p}.qr", f"{p}.kr", v), (f"{p}.context",), n))
        (o,) = run(island(f"{p}.o", [("o", d, 0)], d, layer=n, bits=bits), f"{p}.context")
        steps.append(host("add", (f"x{n}", o), (f"{p}.mid",), n))
        steps.append(host("rmsnorm", (f"{p}.mid",), (f"{p}.norm2",), n))
        if experts:
            (logits,) = run(island(f"{p}.router", [("router", experts, 0)], d, layer=n, bits=bits), f"{p}.norm2")
            steps.append(host("moe_route", (logits,), (f"{p}.routing",), n, top_k=top_k))
            given = tuple(f"{p}.x{e}" for e in range(experts))
            steps.append(host("moe_dispatch", (f"{p}.norm2", f"{p}.routing"), given, n))
            made = [feed_forward(f"{p}.experts.{e}", n, given[e], e) for e in range(experts)]
            steps.append(host("moe_combine", (f"{p}.routing", *made), (f"{p}.routed",), n))
            shared = feed_forward(f"{p}.shared", n, f"{p}.norm2")
            steps.append(host("add", (shared, f"{p}.routed"), (f"{p}.mlp",), n))
            steps.append(host("add", (f"{p}.mid", f"{p}.mlp"), (f"x{n + 1}",), n))
        else:
            steps.append(host("add", (f"{p}.mid", feed_forward(f"{p}.mlp", n, f"{p}.norm2")), (f"x{n + 1}",), n))
    steps.append(host("rmsnorm", (f"x{layers}",), ("final",)))
    if not head:
        return program(steps, "final", "llama body")
    run(island("lm_head", [("lm_head", vocab, 0)], d, bits=bits), "final")
    return program(steps, "lm_head.lm_head", "llama")


def chip(
    *,
    neurons: int | None = 8192,
    synapse_bytes: int | None = 131072,
    in_axons: int | None = 4096,
    out_axons: int | None = None,
    state_bytes: int | None = 65536,
    cores: int = 120,
    **formats: int,
) -> ChipSpec:
    def limit(value: int | None) -> Limit:
        return Limit(value, Basis.GUESSED, "made by a test")

    budget = CoreBudget(*(limit(value) for value in (neurons, synapse_bytes, in_axons, out_axons, state_bytes)))
    table = {
        "synapse_row_header_bytes": 4,
        "weight_bytes": 1,
        "weight_bits": 8,
        "payload_bits": 24,
        "state_bits": 24,
        "delay_steps": 62,
        "neuron_state_bytes": 16,
        "axon_entry_bytes": 8,
        "message_bytes": 4,
        **formats,
    }
    return ChipSpec("testchip", cores, (8, 4), 4, budget, table, {}, SUPPORTS, "made by a test")


def system(spec: ChipSpec, chips: int, name: str = "testboard") -> SystemSpec:
    return SystemSpec(name, spec, chips, (chips, 1), "made by a test")


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """The builders of this file."""
    return SimpleNamespace(
        island=island,
        host=host,
        program=program,
        of_islands=of_islands,
        view=view,
        llama=llama,
        chip=chip,
        system=system,
        mapped=map_model,
    )
