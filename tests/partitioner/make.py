"""Small chips and small networks; programs in the shape of language models, whose weights raise on any use: a mapper reads
sizes only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neurodeploy.ir.chip import Basis, ChipSpec, CoreBudget, Limit, SystemSpec
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import BLOCK, Network, Projection
from neurodeploy.ir.population import INPUT, Population, Section
from neurodeploy.ir.program import Program
from neurodeploy.ir.synapse import Synapse
from neurodeploy.ops import OPERATIONS
from neurodeploy.synapses import Conv, Dense
from neurodeploy.synapses.linear import LinearLayer, linear_layer, program_of_layers
from partitioner.cost.budget import RESOURCES
from partitioner.cost.population import View, views_of
from targets.loihi2 import LOIHI2
from targets.systems import get_system
from tests.islands import reading

ONE = Dyadic(1, 0)


class Untouchable:
    """Stands for a weight array of a shape; whoever looks at more of it fails the test."""

    def __init__(self, rows: int, columns: int) -> None:
        self.shape = rows, columns

    def __getattribute__(self, name: str) -> Any:
        if name in ("shape", "__class__"):
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
) -> LinearLayer:
    """`parts` are (role, rows, heads); every block of columns has the largest sum `abs_sum`."""
    sections, start = [], 0
    for role, rows, heads in parts:
        sections.append(Section(f"{name}.{role}", start, start + rows, role, heads))
        start += rows
    sums = np.broadcast_to(np.int64(abs_sum), (-(-columns // BLOCK),))
    one, zero = np.broadcast_to(np.int16(1), (start,)), np.broadcast_to(np.uint8(0), (start,))
    return linear_layer(
        name, Untouchable(start, columns), {"multiplier": one, "shift": zero, "acc_shift": 0}, scales=(ONE, ONE),  # type: ignore[arg-type]
        values=("x", tuple(section.path for section in sections)), payload_bits=payload_bits, weight_bits=bits,
        block_sums=sums, sections=sections, layer=layer, expert=expert,
    )  # fmt: skip


def host(op: str, inputs: tuple[str, ...], outputs: tuple[str, ...], layer: int | None = None, **attrs: Any) -> HostOp:
    filled = {key: attrs.get(key, 1) for key in OPERATIONS[op].attrs}
    return HostOp(outputs[0], op, inputs, outputs, filled, layer=layer)


def program(steps: list[HostOp | LinearLayer], output: str, name: str = "test") -> Program:
    return program_of_layers(ModelInfo(name, "test", 10, 10, 1, 10, "made by a test"), steps, {}, output=output)


def of_islands(items: list[LinearLayer]) -> Program:
    """Every island reads the embedding; the last slice of the last island is the output."""
    return program([host("embedding", ("tokens",), ("x",)), *items], items[-1].decode.values[-1])


def view(item: LinearLayer, spec: ChipSpec, weight_bits: int | None = None) -> View:
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
    steps: list[HostOp | LinearLayer] = [host("embedding", ("tokens",), ("x0",))]

    def run(item: LinearLayer, value: str) -> tuple[str, ...]:
        steps.append(reading(item, value))
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


def budget(
    neurons: int | None = 8192,
    synapse_bytes: int | None = 131072,
    in_axons: int | None = 4096,
    out_axons: int | None = None,
    state_bytes: int | None = 65536,
) -> CoreBudget:
    values = (neurons, synapse_bytes, in_axons, out_axons, state_bytes)
    return CoreBudget(*(Limit(value, Basis.GUESSED, "made by a test") for value in values))


def chip(*, cores: int = 120, **sizes: int | None) -> ChipSpec:
    """Without costs. sizes : of the budget, or formats."""
    limits = {name: sizes.pop(name) for name in RESOURCES if name in sizes}
    formats = {**LOIHI2.formats, "payload_bits": 24, "state_bits": 24, **sizes}
    return replace(LOIHI2, name="testchip", cores=cores, budget=budget(**limits), formats=formats, costs={})  # type: ignore[arg-type]


def system(spec: ChipSpec, chips: int, name: str = "testboard") -> SystemSpec:
    return SystemSpec(name, spec, chips, (chips, 1), "made by a test")


def tiny(*limits: int | None, cores: int = 120, system: str = "hala-point", **named: int | None) -> SystemSpec:
    """A system whose cores hold only so much."""
    base = get_system(system)
    return replace(base, chip=replace(base.chip, budget=budget(*limits, **named), cores=cores))


def shrunken(seed: int) -> SystemSpec:
    """Random budgets small enough that small networks are cut, in rows and in columns, or do not fit."""
    rng = np.random.default_rng(seed)
    return tiny(
        int(rng.integers(1, 30)),
        int(rng.integers(10, 2000)),
        int(rng.integers(1, 60)),
        int(rng.integers(2, 200)) if rng.random() < 0.5 else None,
        int(rng.integers(30, 3000)),
        cores=int(rng.integers(2, 40)),
    )


def lif(name: str, *shape: int, **params: Any) -> Population:
    return Population(name, shape, "lif", {"du": 0, "dv": 0, "vth": 10, **params})


def source(name: str, *shape: int) -> Population:
    return Population(name, shape, INPUT)


def network(populations: list[Population], *projections: Projection, outputs: tuple[str, ...] = ()) -> Network:
    found = Network("net", {p.name: p for p in populations}, projections, outputs or (populations[-1].name,))
    found.check()
    return found


def dense(rows: int, columns: int) -> Dense:
    weight = np.random.default_rng(rows * 1000 + columns).integers(-9, 10, (rows, columns), np.int8)
    return Dense(np.asfortranarray(weight))


def join(name: str, origin: str, target: str, synapse: Synapse, **options: Any) -> Projection:
    return Projection(name, origin, target, synapse, **options)


def conv(shape: tuple[int, int, int], out: int, kernel: int = 3, **options: Any) -> Conv:
    groups = options.get("groups", 1)
    return Conv(np.ones((out, kernel, kernel, shape[2] // groups), np.int8), shape, **options)


#: An input, two populations, and the second to itself.
CHAIN = Program.of(
    network(
        [source("i", 10), lif("p", 8), lif("q", 6)],
        join("a", "i", "p", dense(8, 10)),
        join("b", "p", "q", dense(6, 8)),
        join("r", "q", "q", dense(6, 6)),
    )
)
