"""Models that do not fit their chips: what goes to the host, and a token beside all resident and beside streaming.

    python benchmarks/offload_cases.py [--models gpt2 ...] [--host cpu-generic] [--objective cores]

Shapes of published models without weights (`mapper_models`) and a mixture of experts made up for this table; one thread.
Energies and times are the estimates of `partitioner.offload.price`, for islands and border of a generated token. Prints
the table of docs/mapping.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.mapper_models import program_of, shape
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.program import Program
from neurodeploy.synapses.linear import program_of_layers
from partitioner.offload.mapping import map_offloaded
from partitioner.options import OBJECTIVES, Options
from targets.hosts import get_host
from targets.systems import get_system

LAYERS, EXPERTS = 8, 16
#: Name in the table, chips, whether cores are placed (which changes no figure here, and takes long on many chips).
CASES = {
    "gpt2": ("GPT-2 small", 2, True),
    "gemma3-1b": ("Gemma 3 1B body", 20, True),
    "mixture": (f"mixture, {LAYERS} layers x {EXPERTS} experts, 2048 -> 4096", 100, False),
    "spikingbrain-7b": ("SpikingBrain-7B body", 100, False),
}


def mixture() -> Program:
    """One of 16 experts a token, each 2048 -> 4096 with a gate, beside attention."""
    islands, host = [], []
    for n in range(LAYERS):
        islands += [shape(f"layers.{n}.qkv", 6144, 2048, layer=n)]
        islands += [shape(f"layers.{n}.o", 2048, 2048, layer=n)]
        for e in range(EXPERTS):
            islands += [shape(f"layers.{n}.experts.{e}.gate_up", 8192, 2048, layer=n, expert=e)]
            islands += [shape(f"layers.{n}.experts.{e}.down", 2048, 4096, layer=n, expert=e)]
        names = tuple(f"layers.{n}.experts.{e}" for e in range(EXPERTS))
        routing = f"layers.{n}.routing"
        host.append(HostOp(f"layers.{n}.route", "moe_route", ("x",), (routing,), {"top_k": 1}, layer=n))
        host.append(HostOp(f"layers.{n}.dispatch", "moe_dispatch", ("x", routing), names, layer=n))
    info = ModelInfo("mixture", "shapes", 1, 1, LAYERS, 1, "made up")
    return program_of_layers(info, [*host, *islands], {}, output="")


def row(name: str, host: str, objective: str) -> str:
    title, chips, place = CASES[name]
    program = mixture() if name == "mixture" else program_of(name)
    begin = time.process_time()
    options = Options(chips=chips, place=place, objective=objective)
    _, found = map_offloaded(program, get_system("hala-point"), options, get_host(host), automatic=True)
    spent = time.process_time() - begin
    if found is None:
        return f"| {title} | fits {chips} chips | | | | {spent:.1f} |"
    ways = ("resident", "plan", "streaming")
    joules, seconds = (
        " / ".join(f"{found[key][way]:.3g}" for way in ways) for key in ("joules_per_token", "seconds_per_token")
    )
    crossings = found["crossings_per_token"]
    return (
        f"| {title}, {chips} of {found['chips_resident']} | {len(found['on_host'])} of {found['islands']} islands "
        f"| {crossings['resident']:g} -> {crossings['plan']:g} | {joules} | {seconds} "
        f"| {spent:.1f}{'' if place else ' (without placing)'} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--host", default="cpu-generic")
    parser.add_argument("--objective", choices=OBJECTIVES, default="cores")
    chosen = parser.parse_args()
    print(
        "| model, chips | on the host | crossings, all resident -> plan | J resident / plan / streamed "
        "| s resident / plan / streamed | mapper, CPU s |\n|---|---|---|---|---|---|"
    )
    for name in chosen.models:
        print(row(name, chosen.host, chosen.objective), flush=True)


if __name__ == "__main__":
    main()
