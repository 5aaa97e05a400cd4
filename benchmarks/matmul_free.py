"""The MatMul-free LM 370M of 24 chips (R3; Abreu et al. 2025, arXiv 2503.18002), built block by block and never fitted.

Its block (ridgerchu/matmulfreellm, `hgrn_bit.py`, `modeling_hgrn_bit.py`, `bitnet.py`), d = 1024, FFN width 2816, 12.85 M
weights::

    a = norm(x)      i, f, g = W norm(a)         f = sigmoid(f)       h = f h_before + (1 - f) silu(i)
    o = norm(h) silu(g)                          x = x + W norm(o)
    m = norm(x)      u, v = W norm(m)            x = x + W norm(silu(u) v)

Ternary weights are stored in 8 bits, one block lies on a chip, embedding and head are elsewhere. The block is lowered and
mapped like any other: seven norms, each a sum of squares, its root and products; curves and gates a neuron a value. `silu`
stands for the sigmoids, whose table is as long, and the state that is kept for an input that is there. Every activation is
taken as non-zero.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from neurodeploy.accounting.loads import NOT_FED, Busiest, EventCounts, MeanStep, PartCounts, RunLoads
from neurodeploy.accounting.program import loads
from neurodeploy.accounting.spread import ALIKE
from neurodeploy.conversion.hollow import lower_hollow
from neurodeploy.frontends.outlines.draw import DENSE, Drawing
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.copies import Copies
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.hollow import assumed_counts
from neurodeploy.synapses.hollow import Facts, at_width
from neurodeploy.synapses.written_out import written_out
from partitioner.mapper import map_model

WIDTH, INNER, CHIPS = 1024, 2816, 24
SILU = {"act": "silu"}


def block() -> Program:
    """One block with all of it on the chip."""
    g = Drawing(WIDTH)
    x, before = (g.value(name, WIDTH) for name in ("hidden", "state"))
    g.enter(Copies("block", (0,)))

    def normed(name: str, value: str) -> str:
        return g.norm(f"{name}.norm", value)

    def gated(name: str, gate: str, value: str) -> str:
        return g.host(name, "glu", (gate, value), g.sizes[value], SILU)

    inputs = normed("inputs", normed("attention", x))
    i, f, gate = (g.linear(f"{name}_proj", inputs, WIDTH, name) for name in "ifg")
    kept, rest = gated("kept", f, before), g.host("rest", "activation", (f,), WIDTH, SILU)
    state = g.add("state", kept, gated("given", i, rest))
    out = normed("o", gated("gated", gate, normed("state", state)))
    x = g.add("middle", x, g.linear("o_proj", out, WIDTH, "o"))
    inputs = normed("gate_up", normed("mlp", x))
    u, v = (g.linear(f"{name}_proj", inputs, INNER, name) for name in ("gate", "up"))
    g.add("end", x, g.linear("down_proj", normed("down", gated("glu", u, v)), WIDTH, "down"))
    g.leave()
    outputs = tuple(name for name, population in g.populations.items() if population.model != INPUT)
    info = ModelInfo("MatMul-free LM", "shapes", 0, WIDTH, 1, 0, "R3")
    network = Network("block", g.populations, tuple(g.projections), outputs)
    hollow = {"hollow": Facts(0, 0, 0, *DENSE, (), ()).to_json()}
    program = Program(info, network, g.ordered(), g.sizes, "tokens", "", hollow, {})
    return lower_hollow(at_width(written_out(program), 8))


def _of_a_block(system: SystemSpec) -> RunLoads:
    program, alone = block(), replace(system, chips=1, grid=(1, 1))
    counts, _ = assumed_counts(program, (), 1, 1)
    return loads(program, counts, map_model(program, alone), alone, "none")


def matmul_free(system: SystemSpec, chips: int = CHIPS) -> RunLoads:
    """A token through blocks on so many chips, one after another; a chip sends the residual stream to the next."""
    one = _of_a_block(system)

    def at(step: MeanStep, chip: int, ways: Busiest) -> MeanStep:
        return replace(step, cores=step.cores + np.array([chip, 0]), ways=ways)

    hops = [Busiest(chip, WIDTH, (max(0, chip - 1), chip), WIDTH if chip else 0.0, NOT_FED) for chip in range(chips)]
    entered, *others = one.steps  # on every chip alike, but that nothing crosses to the first one
    steps = [
        at(entered, 0, hops[0]), *([replace(at(entered, 1, hops[1]), times=chips - 1.0)] if chips > 1 else []),
        *(replace(step, times=float(chips)) for step in others),
    ]  # fmt: skip
    whole = [at(one.whole, chip, hops[chip]) for chip in range(chips) if one.whole]
    sent = EventCounts.of(
        messages=WIDTH * (chips - 1), interchip=WIDTH * (chips - 1), interchip_least=WIDTH * (chips - 1)
    )
    parts = [replace(part, name=f"{chip}.{part.name}", layer=chip) for chip in range(chips) for part in one.parts]
    return replace(
        one,
        parts=(*parts, PartCounts("residual stream", None, sent)),
        steps=tuple(steps),
        whole=MeanStep(
            "pipeline", np.concatenate([w.cores for w in whole]), np.concatenate([w.loads for w in whole]), hops[-1], 1.0,
            ALIKE,
        ),
        neurons=one.neurons * chips, chips_used=chips, cores_used=one.cores_used * chips, assumed=True,
    )  # fmt: skip
