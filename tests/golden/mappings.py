"""Golden mappings: how many cores and chips a mapping takes, how much it sends, how far. Never more may be taken.

- The random networks of `networks.py` on their small cores, some of which they do not fit.
- ``models/NAME``: hollow programs in the shapes of `benchmarks/mapper_models.py` on Hala Point at 8 bits, at most two layers
  and the vocabulary of each; "whole": all layers.
- ``models/640 x 8192``: one matrix and its transpose, whose columns are cut; ``networks/640 x 8192``: the same as a network.
- ``block/demo``: the embedded model as in `bits.py`, its blocks on the chip.
- ``networks/NAME``: those of `benchmarks/network_mapping_cases.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from benchmarks.mapper_models import MODELS, program_of
from benchmarks.network_mapping_cases import CASES as NETWORKS
from benchmarks.network_mapping_cases import layers
from neurodeploy.ir.chip import SystemSpec
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from partitioner.mapper import map_model
from partitioner.nets.traffic import traffic
from partitioner.options import Options
from targets.systems import get_system
from tests.golden.bits import model
from tests.golden.networks import RANDOM, mapped, net
from tests.golden.store import Case, case
from tests.islands import hollow_island, hollow_program

#: Networks that take seconds.
QUICK = ("PilotNet convolutions", "MLP 2048-4096-4096-2048", "ring 4k x 60, hidden")
REFUSED = "does not fit"
#: Cases that gave something of one figure for another, and why. All others only ever became better.
TRADED = {
    "models/gemma3-1b, whole": "4.4 % fewer packets on links between chips, where nearly all transport energy goes, fewer "
    "messages, and 0.3 % more hops on meshes",
    **dict.fromkeys(
        ("random/6", "random/12"),
        "of the objective energy: shorter steps, whose power saves more joules at the board than "
        "more cores and messages cost",
    ),
}


def taken(mapping: Mapping, program: Program, system: SystemSpec) -> dict[str, float]:
    """messages: delivered to cores, and partial sums; hops: on the meshes; interchip: on links between chips."""
    sent = traffic(mapping, program, system)
    return {
        "cores": mapping.cores_used,
        "chips": mapping.chips_used,
        "messages": sent.deliveries,
        "hops": sent.spike_hops,
        "interchip": sent.interchip_hops,
        "border": sent.host_in + sent.host_out,
    }


def grown(older: dict[str, float] | str, newer: dict[str, float] | str) -> dict[str, tuple[float, float]]:
    """What a mapping takes or sends more than before: (before, now). Networks that did not fit took nothing."""
    if isinstance(older, str):
        return {}
    now = dict.fromkeys(older, inf) if isinstance(newer, str) else newer
    return {key: (value, now[key]) for key, value in older.items() if now[key] > value}


def of_program(program: Program, options: Options = Options()) -> dict[str, float]:  # noqa: B008 (frozen)
    system = get_system("hala-point")
    mapping = map_model(program, system, options)
    return taken(mapping, program, system)


def of_model(name: str, layers: int | None, options: Options = Options()) -> dict[str, float]:  # noqa: B008 (frozen)
    return of_program(program_of(name, layers), options)


def of_network(make: Callable[[], Network], system_name: str) -> dict[str, float]:
    program, system = Program.of(make()), get_system(system_name)
    return taken(map_model(program, system), program, system)


def of_random(name: str) -> dict[str, float] | str:
    found, mapping = net(name), mapped(name)
    assert not isinstance(found, str)
    return taken(mapping, Program.of(found.network), found.system) if mapping else REFUSED


def matrix_and_transpose() -> Program:
    info = ModelInfo("matrix", "shapes", 1, 1, 1, 1, "made up")
    return hollow_program(info, [hollow_island("down", 640, 8192), hollow_island("up", 8192, 640)])


def _cases() -> dict[str, Case]:
    made = {f"random/{seed}": case(of_random, f"random/{seed}") for seed in range(RANDOM)}
    for name in MODELS:
        made[f"models/{name}"] = case(of_model, name, 2)
        made[f"models/{name}, whole"] = case(of_model, name, None, real=True)
    made["block/demo"] = case(lambda: of_program(model("demo", "block")[0]), float=True)
    made["models/gpt2, traffic"] = case(of_model, "gpt2", 2, Options(objective="traffic"))
    made["models/640 x 8192"] = case(lambda: of_program(matrix_and_transpose()))
    made["networks/640 x 8192"] = case(of_network, lambda: layers(8192, 640, 8192), "hala-point")
    for name, (make, system) in NETWORKS.items():
        made[f"networks/{name}"] = case(of_network, make, system, real=name not in QUICK)
    return made


CASES = _cases()
