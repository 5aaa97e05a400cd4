"""Our mappings against nengo-loihi's splitter and allocators and against plain placements, on the same Loihi 1; and
whether SANA-FE, which knows nothing of our metrics, puts mappings in the same order of energy.

    python benchmarks/mapping_against_rivals.py [--only sanafe|nengo|placements] [--install] [--envs FOLDER] [--json FILE]

Networks and rates: `rivals/mapped.py`, a run of 20 steps each. Every mapping, theirs too, is judged by the same code
(`partitioner.judge.metrics`) on the system loihi1-nahuku with these rates. Our mapping for the objective "traffic" is judged
by *traffic*, messages x hops, where a chip-to-chip link counts as many hops as its energy is worth; that for "energy" by
*transport*, the energy of all hops and links of a step. The host's messages are included; *messages* go to other cores.
nengo-loihi names the chip of a block and the order of its cores, no place on the mesh: core k of its chip is taken to be
core k of ours (four to a router, row by row). Where its checks refuse its own split, the refused population is cut by
hand, finer until they do not (marked *).
SANA-FE and nengo-loihi run in environments of their own (see `spiking_against_rivals.py`).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent / "rivals"))
import mapped
import spiking_against_rivals as others

from neurodeploy.accounting.account import account
from neurodeploy.accounting.program import loads
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import INPUT
from neurodeploy.ir.program import Program
from partitioner.bound.traffic import HopCost
from partitioner.files import sanafe
from partitioner.judge import nulls
from partitioner.judge.figures import places_of
from partitioner.judge.metrics import metrics, traffic_of
from partitioner.mapper import map_model
from partitioner.options import OBJECTIVES, Options
from partitioner.place.curves import hilbert, strips
from partitioner.verify.violations import verify
from targets.hosts import get_host
from targets.systems import get_system

HERE = Path(__file__).resolve().parent
SYSTEM = get_system("loihi1-nahuku")
RIVALS = {
    "nengo": ("nengo-loihi==1.1.0", "nengo==3.2.0", "numpy<2", "scipy"),
    "sanafe": others.RIVALS["sanafe"][0],
}
LIMIT_S = 900
#: Objective -> the figure that it makes small.
JUDGED = {"traffic": "traffic", "energy": "transport_j"}
#: Hops whose energy one message over a chip-to-chip link is worth on this chip.
PRICES = HopCost.of(SYSTEM.chip) or HopCost(1, 1, 12)
LINK_HOPS = round(2 * PRICES.link / (PRICES.east_west + PRICES.north_south))
#: Neurons a core in the mappings that SANA-FE prices: enough cores for hops to matter.
ROWS = 24


def interpreter(name: str, envs: Path) -> str | None:
    """Named in NEURODEPLOY_RIVAL_<NAME>, or that of ``<envs>/env_<name>``."""
    named = os.environ.get(f"NEURODEPLOY_RIVAL_{name.upper()}")
    found = Path(named) if named else envs / f"env_{name}" / "bin" / "python"
    return str(found) if found.exists() else None


def install(names: list[str], envs: Path) -> None:
    for name in names:
        if interpreter(name, envs) is None:
            python = envs / f"env_{name}" / "bin" / "python"
            subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=False)
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *RIVALS[name]], check=False)


def ask(python: str, script: str, *arguments: str) -> dict[str, Any]:
    """The line of JSON that a script prints in its own environment; RuntimeError with what it said last."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | others.ONE_THREAD
    command = [python, "-W", "ignore", str(HERE / "rivals" / script), *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=environment,
        cwd=tempfile.gettempdir(),
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError((done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1][:200])
    return dict(json.loads(lines[-1]))


# --- judging ---------------------------------------------------------------------------------------------------------


def ours(case: mapped.Case, options: Options) -> Mapping:
    mapping = map_model(Program.of(case.network), SYSTEM, options, rates=case.activity)
    problems = verify(mapping, Program.of(case.network), SYSTEM)
    if problems:
        raise SystemExit(f"{case.network.name}: {problems[0]}")
    return mapping


def judge(case: mapped.Case, mapping: Mapping) -> dict[str, Any]:
    per = case.activity.steps * case.activity.samples
    return metrics(mapping, Program.of(case.network), SYSTEM, sent=case.activity.fired, per=per)


def row(found: dict[str, Any], mapping: Mapping) -> dict[str, Any]:
    hops = found["hops"]["unicast"]
    return {
        "cores": mapping.cores_used, "chips": mapping.chips_used, "messages": found["km1"]["cores"],
        "hops": hops["total"], "transport_j": hops["transport_energy_j"], "packets": found["interchip"]["packets"],
        "max_link": found["links"]["max"],
    }  # fmt: skip


def theirs(network: Network, blocks: list[list[Any]]) -> Mapping:
    """nengo-loihi's blocks as a mapping: rows of a population in the order of its blocks."""
    members: dict[str, list[tuple[Ints, int, int]]] = {}
    for name, runs, chip, core in blocks:
        neurons = np.concatenate([np.arange(first, stop) for first, stop in runs])
        members.setdefault(name, []).append((neurons, chip, core))
    shards, orders = [], {}
    for name, population in network.populations.items():
        if population.model == INPUT:
            continue
        width = sum(p.synapse.columns for p in network.into(name))
        found = sorted(members[name], key=lambda entry: int(entry[0][0]))
        order, start = np.concatenate([neurons for neurons, _, _ in found]), 0
        for neurons, chip, core in found:
            shards.append(Shard(name, "synapses", (start, start + len(neurons)), (0, width), chip, core, name))
            start += len(neurons)
        if len(order) != population.size or len(np.unique(order)) != population.size:
            raise SystemExit(f"{network.name}: nengo-loihi's blocks do not cover {name} once")
        if (order != np.arange(len(order))).any():
            orders[name] = order
    return Mapping(SYSTEM.name, SYSTEM.chips, SYSTEM.chip.cores, tuple(shards), (), 0, "none", (), orders=orders)


def mean(ratios: list[float]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def compare(cases: list[mapped.Case], nengo: str | None, placements: bool) -> dict[str, Any]:
    """objective -> network -> who -> row; ours first. Each objective is judged by what it makes small."""
    table: dict[str, Any] = {objective: {} for objective in JUDGED}
    for case in cases:
        plans = allocated(case, nengo) if nengo is not None else {}
        for objective in JUDGED:
            mapping = ours(case, Options(objective=objective))
            found = judge(case, mapping)
            rows = table[objective][case.network.name] = {"ours": row(found, mapping)}
            for model in found["nulls"]["models"] if placements else ():
                rows[model["name"]] = {
                    "cores": mapping.cores_used,
                    "messages": found["km1"]["cores"],
                    "hops": model["hops"],
                    "transport_j": model["transport"],
                    "packets": model["interchip_packets"],
                    "max_link": model["max_link_load"],
                }
            rows |= plans
        print(f"{case.network.name}: judged", file=sys.stderr, flush=True)
    return table


def allocated(case: mapped.Case, python: str) -> dict[str, Any]:
    """nengo-loihi's allocators -> row, or the reason why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        mapped.write(case, Path(folder) / "network.npz")
        try:
            said = ask(python, "rival_nengo.py", str(Path(folder) / "network.npz"))
        except subprocess.TimeoutExpired:
            return {"nengo-loihi": {"reason": f"took longer than {LIMIT_S} s"}}
        except RuntimeError as error:
            return {"nengo-loihi": {"reason": str(error)[:160]}}
    found: dict[str, Any] = {}
    for name, entry in said["allocators"].items():
        if "reason" in entry:
            found[f"nengo {name}"] = {"reason": entry["reason"]}
            continue
        plan = theirs(case.network, entry["blocks"])
        found[f"nengo {name}"] = {**row(judge(case, plan), plan), "by_hand": said["by_hand"]}
    return found


def show(table: dict[str, Any]) -> None:
    for objective, networks in table.items():
        show_objective(objective, networks, JUDGED[objective])


def show_objective(objective: str, networks: dict[str, Any], key: str) -> None:
    """Every row, then the ratios of `key` by rival."""
    for entry in (entry for rows in networks.values() for entry in rows.values() if "hops" in entry):
        entry["traffic"] = entry["hops"] + LINK_HOPS * entry["packets"]
    print(f"\nobjective {objective}, judged by {key}\n")
    print("| network | mapping | cores | messages | messages x hops | chip packets | transport, nJ | ours / it |")
    print("|---" * 8 + "|")
    ratios: dict[str, list[float]] = {}
    for network, rows in networks.items():
        for name, entry in rows.items():
            if "reason" in entry:
                print(f"| {network} | {name} | {entry['reason']} | | | | | |")
                continue
            ratio = rows["ours"][key] / entry[key]
            if name != "ours":
                ratios.setdefault(name, []).append(ratio)
            mark = " *" if entry.get("by_hand") else ""
            numbers = f"{entry['messages']:.0f} | {entry['hops']:.0f} | {entry['packets']:.0f}"
            print(
                f"| {network} | {name}{mark} | {entry['cores']} | {numbers} | {1e9 * entry['transport_j']:.2f} "
                f"| {ratio:.3f} |"
            )
    groups = {
        "best allocator of nengo-loihi": [name for name in ratios if name.startswith("nengo")],
        "best plain placement of our cores": [name for name in ratios if not name.startswith("nengo")],
    }
    every = [value for values in ratios.values() for value in values]
    for title, names in groups.items():
        best = [
            rows["ours"][key] / min(known)
            for rows in networks.values()
            if (known := [rows[name][key] for name in names if key in rows.get(name, {})])
        ]
        if best:
            ratios[title] = best
    if every:
        ratios["all of them"] = every
    print("\n| against | networks | geometric mean of ours / it | worst |\n|---|---|---|---|")
    for name, values in ratios.items():
        print(f"| {name} | {len(values)} | {mean(values):.3f} | {max(values):.3f} |")


# --- SANA-FE ---------------------------------------------------------------------------------------------------------


def replaced(mapping: Mapping, chip: Ints, core: Ints) -> Mapping:
    """The same shards at other places: `chip` and `core` of each logical core."""
    number = places_of(mapping).of_shard
    shards = [
        replace(shard, chip=int(chip[k]), core=int(core[k])) for shard, k in zip(mapping.shards, number, strict=True)
    ]
    return replace(mapping, shards=tuple(shards))


def variants(case: mapped.Case) -> dict[str, Mapping]:
    """Ours for every objective and three lengths of tiles, and the null models of the one for traffic."""
    found = {f"ours, {objective}": ours(case, Options(objective=objective, max_rows=ROWS)) for objective in OBJECTIVES}
    for rows in (ROWS // 2, 2 * ROWS):
        found[f"ours, {rows} rows at most"] = ours(case, Options(objective="traffic", max_rows=rows))
    base = found["ours, traffic"]
    per = case.activity.steps
    places, nets, _ = traffic_of(base, case.network, SYSTEM, case.activity.fired, per)
    cores = places.cores
    sites: dict[str, tuple[Ints, Ints] | None] = {
        f"random {seed}": nulls.random_sites(cores, SYSTEM, seed) for seed in range(3)
    }
    sites["sequential"] = nulls.curve_sites(cores, SYSTEM, None)
    sites["snake"] = nulls.curve_sites(cores, SYSTEM, lambda s: strips(s, 1, upright=False, zigzag=False))
    sites["hilbert"] = nulls.curve_sites(cores, SYSTEM, hilbert)
    sites["metis-rb"] = nulls.metis_sites(nets, cores, SYSTEM)
    found |= {name: replaced(base, *spots) for name, spots in sites.items() if spots is not None}
    return found


def spearman(a: list[float], b: list[float]) -> float:
    """Rank correlation; equal values share the mean of their ranks."""
    ranks = []
    for values in (a, b):
        array = np.array(values)
        ranks.append(((array[:, None] > array).sum(1) + (array[:, None] >= array).sum(1)) / 2)
    x, y = (r - r.mean() for r in ranks)
    return float((x @ y) / math.sqrt((x @ x) * (y @ y)))


def dynamic_joules(case: mapped.Case, mapping: Mapping) -> float:
    """Our account of the run: what synapses, neurons, messages and hops cost, without power that flows anyway."""
    host = get_host("cpu-generic")
    program = Program.of(case.network)
    energy = account(loads(program, case.activity, mapping, SYSTEM, "none"), SYSTEM, host, "sample")
    kinds = ("synapses", "neurons", "messages", "mesh hops")
    return sum(entry.joules.nominal for entry in energy.entries if entry.component in kinds)


def against_sanafe(cases: list[mapped.Case], python: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for case in cases:
        plans = variants(case)
        steps = case.activity.steps
        with tempfile.TemporaryDirectory() as folder:
            folders = []
            for number, plan in enumerate(plans.values()):
                place = Path(folder) / str(number)
                place.mkdir()
                for name, text in sanafe.export(plan, case.network, SYSTEM, case.spikes).items():
                    (place / name).write_text(text)
                folders.append(str(place))
            priced = ask(python, "rival_sanafe_price.py", str(steps), *folders)
        rows = {}
        for (name, plan), price in zip(plans.items(), priced["rows"], strict=True):
            hops = judge_hops(case, plan)
            rows[name] = {"sana_fe_j": price["total"], "ours_j": dynamic_joules(case, plan), "hops": hops, **price}
        columns = {key: [entry[key] for entry in rows.values()] for key in ("sana_fe_j", "ours_j")}
        cut = [entry for name, entry in rows.items() if name == "ours, traffic" or not name.startswith("ours")]
        same = {key: [entry[key] for entry in cut] for key in ("network", "hops")}
        spikes = sum(int(counts.sum()) for ports in case.activity.fired.values() for counts in ports.values())
        found[case.network.name] = {
            "rows": rows, "spikes": spikes, "same_spikes": all(r["fired"] == spikes for r in priced["rows"]),
            "rank_energy": spearman(columns["sana_fe_j"], columns["ours_j"]),
            "rank_hops": spearman(same["network"], same["hops"]),
        }  # fmt: skip
    return found


def judge_hops(case: mapped.Case, mapping: Mapping) -> float:
    found = metrics(
        mapping, Program.of(case.network), SYSTEM, sent=case.activity.fired, per=case.activity.steps, nulls=False
    )
    return float(found["hops"]["unicast"]["hop_energy_j"])


def show_sanafe(found: dict[str, Any]) -> None:
    print("\n| network | mapping | SANA-FE, uJ | of it network, uJ | our account, uJ | hop energy, nJ a step |")
    print("|---" * 6 + "|")
    for network, entry in found.items():
        for name, r in entry["rows"].items():
            print(
                f"| {network} | {name} | {1e6 * r['sana_fe_j']:.4f} | {1e6 * r['network']:.4f} | {1e6 * r['ours_j']:.4f} "
                f"| {1e9 * r['hops']:.3f} |"
            )
    print(
        "\n| network | mappings | same spikes | rank correlation of energy | of its network with our hops, same cores |"
    )
    print("|---" * 5 + "|")
    for network, entry in found.items():
        ranks = f"{entry['rank_energy']:.3f} | {entry['rank_hops']:.3f}"
        print(f"| {network} | {len(entry['rows'])} | {'yes' if entry['same_spikes'] else 'no'} | {ranks} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("sanafe", "nengo", "placements"))
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--envs", type=Path, default=HERE.parent / ".venv-rivals")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--show", type=Path, metavar="JSON", help="print the tables of an earlier run and stop")
    parser.add_argument("names", nargs="*", help="networks (default: all)")
    arguments = parser.parse_args()
    if arguments.show:
        earlier = json.loads(arguments.show.read_text(encoding="utf-8"))
        show(earlier.get("table", {}))
        show_sanafe(earlier.get("sanafe", {}))
        return
    if arguments.install:
        install([name for name in RIVALS if arguments.only in (None, name)], arguments.envs)
    names, result = set(arguments.names), dict[str, Any]()
    if arguments.only != "sanafe":
        cases = [case for case in mapped.cases() if not names or case.network.name in names]
        nengo = interpreter("nengo", arguments.envs) if arguments.only != "placements" else None
        if nengo is None and arguments.only != "placements":
            print("nengo-loihi is not installed: --install, or name its Python in NEURODEPLOY_RIVAL_NENGO")
        result["table"] = compare(cases, nengo, arguments.only != "nengo")
        show(result["table"])
    if arguments.only in (None, "sanafe"):
        python = interpreter("sanafe", arguments.envs)
        if python is None:
            print("SANA-FE is not installed: --install, or name its Python in NEURODEPLOY_RIVAL_SANAFE")
        else:
            small = [case for case in mapped.small_cases() if not names or case.network.name in names]
            result["sanafe"] = against_sanafe(small, python)
            show_sanafe(result["sanafe"])
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
