"""Cores of language models beside their bounds: the shapes of published models, no weights.

    python benchmarks/mapper_models.py [--models gpt2 ...] [--bits 8 4 2] [--system hala-point] [--objective cores]
        [--in-axons N] [--no-place] [--json FILE]

Each case runs in a process of its own with one thread. Columns: islands' weights, shards, cores, the lower bound that
holds for any mapper with the same formats (`partitioner.bound.cores`) and what asks for it, the ratio, the naive bound
(weights over memory), chips, violations that the recount finds, wall and processor seconds of `map_model`, peak memory
in MiB.

"body": all linear layers but the vocabulary projection. Shapes: GPT-2 small, Gemma 3 270M, 1B and 4B (text), MatMul-free LM
370M, SmolLM2-135M, SpikingBrain-7B from their published configurations. `cores100k` is the body of SpikingBrain-7B with
55 layers instead of 28: about 100 000 cores.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from neurodeploy.ir.chip import Basis, Limit, SystemSpec
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.population import Section
from neurodeploy.ir.program import Program
from neurodeploy.synapses.hollow import hollow_layer
from neurodeploy.synapses.linear import LinearLayer, program_of_layers
from partitioner.mapper import map_model
from partitioner.options import OBJECTIVES, Options
from partitioner.verify.violations import verify
from targets.systems import get_system

#: Layers and (island, rows, columns) of each.
SPIKING = (("qkv", 4608, 3584), ("o", 3584, 3584), ("gate_up", 37888, 3584), ("down", 3584, 18944))
MODELS: dict[str, tuple[int, tuple[tuple[str, int, int], ...], tuple[tuple[str, int, int], ...]]] = {
    "gpt2": (12, (("qkv", 2304, 768), ("o", 768, 768), ("up", 3072, 768), ("down", 768, 3072)), ()),
    "gemma3-270m": (18, (("qkv", 1536, 640), ("o", 640, 1024), ("gate_up", 4096, 640), ("down", 640, 2048)), ()),
    "smollm2-135m": (
        30,
        (("qkv", 960, 576), ("o", 576, 576), ("gate_up", 3072, 576), ("down", 576, 1536)),
        (("lm_head", 49152, 576),),
    ),
    "matmulfree-370m": (24, (("ifg", 4096, 1024), ("gate_up", 5632, 1024), ("down", 1024, 2816)), ()),
    "gemma3-1b": (26, (("qkv", 1536, 1152), ("o", 1152, 1024), ("gate_up", 13824, 1152), ("down", 1152, 6912)), ()),
    "gemma3-4b": (34, (("qkv", 4096, 2560), ("o", 2560, 2048), ("gate_up", 20480, 2560), ("down", 2560, 10240)), ()),
    "spikingbrain-7b": (28, SPIKING, ()),
    "cores100k": (55, SPIKING, ()),
}


def program_of(name: str, most: int | None = None) -> Program:
    """Hollow; at most so many layers."""
    layers, inner, outer = MODELS[name]
    layers = layers if most is None else min(most, layers)
    made = [shape(f"layers.{n}.{what}", rows, columns, layer=n) for n in range(layers) for what, rows, columns in inner]
    made += [shape(what, rows, columns) for what, rows, columns in outer]
    return program_of_layers(ModelInfo(name, "shapes", 1, 1, layers, 1, "published shapes"), made, {}, output="")


def shape(name: str, rows: int, columns: int, **place: int) -> LinearLayer:
    """A layer without weights."""
    return hollow_layer(name, rows, f"{name}.in", columns, (Section(name, 0, rows),), values=(name,), **place)


def system_of(name: str, in_axons: int | None) -> SystemSpec:
    system = get_system(name)
    if in_axons is None:
        return system
    budget = replace(system.chip.budget, in_axons=Limit(in_axons, Basis.GUESSED, "asked for"))
    return replace(system, chip=replace(system.chip, budget=budget))


def naive_bound(program: Program, system: SystemSpec, bits: int) -> int:
    """Weights over memory: ``ceil(sum of rows * columns * bits / 8 / synapse_bytes)``, 0 where the limit is unknown."""
    limit = system.chip.budget.synapse_bytes.value
    weights = sum(p.synapse.count() for p in program.network.projections)
    return -(-weights * bits // (8 * limit)) if limit else 0


def measure(name: str, bits: int, system: SystemSpec, options: Options) -> dict[str, Any]:
    program = program_of(name)
    wall, cpu = time.perf_counter(), time.process_time()
    mapping = map_model(program, system, replace(options, weight_bits=bits))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "model": name,
        "bits": bits,
        "weights": sum(p.synapse.count() for p in program.network.projections),
        "shards": len(mapping.shards),
        "cores": mapping.cores_used,
        "bound": mapping.lower_bound,
        "binds": mapping.binding_resource,
        "ratio": round(mapping.cores_used / mapping.lower_bound, 4),
        "naive": naive_bound(program, system, bits),
        "chips": mapping.chips_used,
        "violations": len(verify(mapping, program, system, weight_bits=bits)),
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "notes": list(mapping.notes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--bits", nargs="+", type=int, default=[8, 4, 2])
    parser.add_argument("--system", default="hala-point")
    parser.add_argument("--objective", choices=OBJECTIVES, default="cores")
    parser.add_argument("--in-axons", type=int)
    parser.add_argument("--no-place", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        options = Options(objective=chosen.objective, place=not chosen.no_place)
        name, bits = chosen.one
        print(json.dumps(measure(name, int(bits), system_of(chosen.system, chosen.in_axons), options)))
        return
    single = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    passed = ["--system", chosen.system, "--objective", chosen.objective]
    passed += ["--in-axons", str(chosen.in_axons)] if chosen.in_axons is not None else []
    passed += ["--no-place"] if chosen.no_place else []
    keys = (
        "weights",
        "shards",
        "cores",
        "bound",
        "ratio",
        "naive",
        "chips",
        "violations",
        "wall_s",
        "cpu_s",
        "peak_mib",
    )
    print(f"{'model':16}{'bits':>5}" + "".join(f"{key:>13}" for key in keys) + "  binds")
    rows = []
    for name in chosen.models:
        for bits in chosen.bits:
            command = [sys.executable, __file__, "--one", name, str(bits), *passed]
            done = subprocess.run(command, env={**os.environ, **single}, capture_output=True, text=True)
            if done.returncode:
                print(f"{name:16}{bits:5}  {done.stderr.strip().splitlines()[-1]}", flush=True)
                continue
            row = json.loads(done.stdout.splitlines()[-1])
            rows.append(row)
            print(
                f"{name:16}{bits:5}" + "".join(f"{row[key]:>13}" for key in keys),
                "",
                row["binds"],
                *row["notes"],
                flush=True,
            )
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
