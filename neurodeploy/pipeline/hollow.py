"""Models without weights: a bundle of shapes, and counts as if it had run."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.bundle import Bundle
from neurodeploy.bundle.files import digest
from neurodeploy.bundle.writer import write_hollow
from neurodeploy.conversion.hollow import lower_hollow, lowered_operations
from neurodeploy.conversion.presets import get_preset
from neurodeploy.errors import UserError
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.frontends.outlines.draw import EXPERTS
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, PopulationWork, RunActivity
from neurodeploy.ops import experts_of, lookup
from neurodeploy.ops.host.linear import island_work
from neurodeploy.ops.host.lowering import Remembered
from neurodeploy.ops.host.operation import Load
from neurodeploy.pipeline.counts import size_of
from neurodeploy.synapses.hollow import at_width, columns_of, facts_of, feeds, layers_of
from neurodeploy.synapses.written_out import written_out


def is_hollow(model: str | Path) -> bool:
    """Whether it is a configuration alone, a .json file. A folder whose weights are missing is an error, no wish."""
    path = Path(model)
    return path.is_file() and path.suffix.lower() == ".json"


def convert_hollow(
    model: str | Path, out: Path, weight_bits: int = 8, on_chip: str | None = None, context: int | None = None,
    kv_bits: int | None = None, **unused: Any,
) -> dict[str, Any]:  # fmt: skip
    """Write the bundle of a configuration: every layer in its place, no weight. `unused`: options without effect."""
    path, began = Path(model), time.perf_counter()
    asked = get_preset("default", weight_bits=weight_bits, on_chip=on_chip, context=context, kv_bits=kv_bits)
    program = at_width(written_out(read_hollow(model)), weight_bits)
    if asked.on_chip != "projections":
        program = lower_hollow(
            program, Remembered(asked.context, asked.kv_bits) if asked.lowers(attends=True) else None
        )
    fields = {name: getattr(asked, name) for name in ("weight_bits", "payload_bits", "on_chip", "context", "kv_bits")}
    preset = {"name": "none: it has no weights", **fields}
    calibration = {"text": "none", "tokens": 0}
    account = {"preset": preset, "calibration": calibration, "sites": list[Any]()}
    program = replace(program, conversion={**program.conversion, **account})
    read = [{"name": path.name, "size": path.stat().st_size, "sha256": digest(path)}]
    write_hollow(out, program, {"model": str(model), "path": str(path.resolve()), "files": read})
    return {
        "bundle": str(out),
        "model": program.info.name,
        "family": program.info.family,
        "preset": preset,
        "calibration": calibration,
        **size_of(program.network),
        "sites": 0,
        "wide_axons": 0,
        "worst_sites": [],
        "resumed": 0,
        "warnings": [
            "it has no weights: it is mapped, priced and reported, and cannot run",
            *(f"--{name.replace('_', '-')} has no effect without weights" for name in unused),
            *facts_of(program).notes,
        ],
        "seconds": time.perf_counter() - began,
    }


def refuse_hollow(bundle: Bundle, verb: str) -> None:
    """ND2111 where there are no weights to run."""
    if bundle.hollow:
        source = bundle.manifest["source"]["model"]
        fix = f"put the weights beside {source} and convert it again; map, energy and explain work without"
        raise UserError(
            "ND2111", bundle.path, f"has no weights, which {verb} needs: it was made of a configuration", fix
        )


def told(program: Program) -> str:
    """What stands for a text."""
    facts = facts_of(program)
    return f"none: an activity of {facts.activity:g} is assumed ({facts.activity_source})"


def assumed_counts(
    program: Program, on_host: Collection[str], prompt: int, tokens: int
) -> tuple[ActivityCounts, ActivityCounts]:
    """Counts of a prompt, and of the tokens behind it, at the activity that was told of the model; every row sends, and
    experts are chosen equally often."""
    return _counts(program, on_host, prompt, [(prompt, 0)]), _counts(
        program, on_host, tokens, [(1, prompt + n) for n in range(tokens)]
    )


def _counts(program: Program, on_host: Collection[str], tokens: int, calls: list[tuple[int, int]]) -> ActivityCounts:
    """`calls`: tokens of each, and those before it."""
    experts, chosen = experts_of((*program.operations, *lowered_operations(program)))
    activity, found = facts_of(program).activity, ActivityCounts.zero()
    linear = {p.name for p in layers_of(program)}

    def met(population: Population) -> int:
        """Tokens that it sees; an expert on the chip is asked for all, and gets nothing for the others."""
        layer, share = population.layer, 1.0
        if population.expert is not None:
            share = chosen.get(layer, 1) / experts.get(layer, 1)
        return max(1, round(tokens * share))

    def messages(network: Network, population: Population) -> Ints:
        """Of each neuron: the inputs of linear layers are events at this activity, all others send; what is fed from outside
        as often as its readers work."""
        readers = [network.populations[p.target] for p in network.out_of(population.name)]
        seen = max(map(met, readers)) if population.model == INPUT and readers else met(population)
        return np.full(population.size, round(activity * seen) if feeds(network, population.name, linear) else seen)

    for segment in program.segments:
        own = segment.network.populations
        alive = [p for name, p in own.items() if p.model != INPUT and name not in on_host]
        fired = {name: {"s": messages(segment.network, p)} for name, p in own.items()}
        if alive:
            found.segments[segment.name] = RunActivity(max(map(met, alive)), 1, fired, {}, {}, None)
        for population in (p for name, p in own.items() if name in on_host and p.model != INPUT):
            rows, columns, seen = population.size, columns_of(program, population), met(population)
            done = RunActivity(seen, 1, {population.name: fired[population.name]}, {}, {}, None)
            times, work = min(seen, len(calls)), island_work(rows, columns, seen)
            again = (times - 1) * (2 * island_work(rows, columns, 1).bytes - island_work(rows, columns, 2).bytes)
            found.host[population.name] = PopulationWork(done, seen, times, work.flops, work.bytes + again)
    for op in program.operations:
        layer = op.layer
        share = chosen.get(layer, 1) / experts.get(layer, 1) if EXPERTS in op.path else 1.0
        for count, before in calls:
            work = lookup(op).work(Load(op, program.sizes, count, before, count * chosen.get(layer, 1)))
            found.host_flops += round(share * work.flops)
            found.host_bytes += round(share * work.bytes)
    found.tokens = tokens
    return found
