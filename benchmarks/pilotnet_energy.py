"""PilotNet as our mapper and energy account see it, beside what was measured on Loihi 2.

    python benchmarks/pilotnet_energy.py

The networks are part of lava-dl's tests; `scripts/fetch_lava_ground_truth.py` writes them into the cache folder.
Published figures: lava-dl `tutorials/lava/lib/dl/netx/pilotnet_snn/benchmark.ipynb` and
`pilotnet_sdnn/benchmark.ipynb` (Oheo Gulch, one chip): the table of cores, power, steps a second; the counts were
read off its plots. Its counters of neuron updates ran twice over the number of steps, and the first table divides all
counts by that.

The notebook writes its image to `net.in_layer.neuron.bias`, an attribute that Lava's LIF process does not have: its
variable is `bias_mant` (lava-nc 0.10; lava-dl's own tests set `bias_mant.init`; the version of 2023 was not checked). By
that reading no image reached the network, and its first layer was silent. The second table counts that, beside a run with
the image of lava-dl's recordings.

Nothing here was fitted to these rows beyond the chip's table of coefficients, of which `synop_conv_j` and
`t_synop_conv_s` come from the same run: energy and time are no validation, cores and counts are.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from neurodeploy.accounting.account import account  # noqa: E402
from neurodeploy.accounting.band import Band, exactly  # noqa: E402
from neurodeploy.accounting.ledger import EnergyLedger  # noqa: E402
from neurodeploy.accounting.loads import RunLoads  # noqa: E402
from neurodeploy.accounting.program import loads  # noqa: E402
from neurodeploy.flow.loads import CONV_SYNOPS, FIXED_UPDATES, SENT, SPIKES, SYNOPS, UPDATES  # noqa: E402
from neurodeploy.frontends.lavadl import read_net  # noqa: E402
from neurodeploy.ir.mapping import Mapping, Shard  # noqa: E402
from neurodeploy.ir.network import Network  # noqa: E402
from neurodeploy.ir.population import INPUT  # noqa: E402
from neurodeploy.ir.program import Program  # noqa: E402
from neurodeploy.ir.run import RunActivity  # noqa: E402
from neurodeploy.storage.cache import cache_folder  # noqa: E402
from partitioner.judge.summary import populations  # noqa: E402
from partitioner.mapper import map_model  # noqa: E402
from partitioner.verify.violations import verify  # noqa: E402
from simulators.fast.runner import FastRunner  # noqa: E402
from targets.hosts import get_host  # noqa: E402
from targets.systems import get_system  # noqa: E402

NETS = cache_folder() / "lava-dl" / "netx" / "gts"
STEPS, RESET, WARM = 16, 16, 16
#: Cores of a layer, and x columns of a core (rows of a dense layer), as Intel's compiler cut the net.
PUBLISHED = {
    "layer0": (13, 16), "layer1": (25, 4), "layer2": (13, 4), "layer3": (3, 8), "layer4": (3, 8), "layer5": (2, 16),
    "layer7": (12, 9), "layer8": (1, 50), "layer9": (1, 10), "layer10": (1, 1),
}  # fmt: skip
MEASURED = {
    "synops a step": 1.14e6, "synops without layer1": 1.14e6, "neuron updates a step": 164.5e3, "spikes a step": 22e3,
    "synops of the busiest core": 75.4e3, "step, us": 152.85, "dynamic energy a step, uJ": 68.3,
    "total energy a step, uJ": 103.8, "dynamic power, W": 0.4472, "total power, W": 0.6792,
}  # fmt: skip
#: What the plots say where counters of synaptic operations and spikes ran once over the steps, not twice.
ONCE = {"synops": 2.28e6, "synops of the busiest core": 150.8e3, "spikes or messages": 44e3}
DYNAMIC_UJ, STEP_US = MEASURED["dynamic energy a step, uJ"], MEASURED["step, us"]


def on_chip(network: Network, image: np.ndarray[tuple[int, ...], np.dtype[np.int32]]) -> Network:
    """The network as it was measured: the image is the bias of its first layer, and no input arrives."""
    first = network.populations["layer0"]
    fixed = replace(first, params={**first.params, "bias_mant": image.astype(np.int64).reshape(-1)})
    kept = {name: p for name, p in network.populations.items() if p.model != INPUT} | {"layer0": fixed}
    return replace(network, populations=kept, projections=tuple(p for p in network.projections if p.source in kept))


def published_mapping(network: Network, ours: Mapping) -> Mapping:
    """The same network cut as Intel's compiler did."""
    shards = []
    for name, (_, width) in PUBLISHED.items():
        shape = network.populations[name].shape
        columns = max(1, sum(p.synapse.columns for p in network.into(name)))
        rows = width * int(np.prod(shape[1:])) if len(shape) == 3 else width
        for start in range(0, network.populations[name].size, rows):
            stop = min(start + rows, network.populations[name].size)
            shards.append(Shard(name, "synapses", (start, stop), (0, columns), 0, len(shards), name))
    return replace(ours, shards=tuple(shards))


def figures(run: RunLoads, sample: EnergyLedger) -> dict[str, Band]:
    """Low, nominal and high of each of `MEASURED`, at the boundary of the chip's supplies."""
    step, synops = sample.part("step", STEPS), run.whole.loads[:, [SYNOPS, CONV_SYNOPS]].sum(axis=1)
    loads = run.whole.loads.sum(axis=0)
    (first,) = [part.counts for part in run.parts if part.name == "layer1"]
    chip, static = step.joules("chip"), step.by_component()["static"]
    dynamic = Band(chip.values - static.values)
    return {
        "synops a step": exactly(float(synops.sum())),
        "synops without layer1": exactly(
            float(synops.sum()) - (first.synops + first.conv_synops) / (STEPS * run.units)
        ),
        "neuron updates a step": exactly(float(loads[FIXED_UPDATES] + loads[UPDATES])),
        "spikes a step": exactly(float(loads[SPIKES])),
        "synops of the busiest core": exactly(float(synops.max())),
        "step, us": step.seconds * 1e6,
        "dynamic energy a step, uJ": dynamic * 1e6,
        "total energy a step, uJ": chip * 1e6,
        "dynamic power, W": dynamic.over(step.seconds),
        "total power, W": chip.over(step.seconds),
    }


#: What is dynamic beside synapses.
OTHERS = ("neurons", "messages", "mesh hops", "core steps")


def operations(
    network: Network, mapping: Mapping, activity: RunActivity
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(steps, shards): synaptic operations whose weight is not zero, of one sample."""
    found = np.zeros((activity.steps, len(mapping.shards)))
    for p in network.projections:
        assert activity.raster is not None
        bits = np.unpackbits(activity.raster.bits(p.source, p.source_port)[0], axis=1, count=p.synapse.columns)
        coo = p.synapse.coo()
        kept = coo.weight != 0
        place, shape = (coo.column[kept], coo.row[kept]), (p.synapse.columns, p.synapse.rows)
        rows = (csr_array(bits.astype(np.float64)) @ csr_array((np.ones(len(place[0])), place), shape=shape)).toarray()
        for number, shard in enumerate(mapping.shards):
            if shard.island == p.target:
                found[:, number] += rows[:, slice(*shard.rows)].sum(axis=1)
    return found


def readings(network: Network, mapping: Mapping, label: str) -> None:
    """Counts of a step with and without weights of zero, and what an operation costs by the published energy and time."""
    system, host = get_system("oheo-gulch"), get_host("cpu-generic")
    runner = FastRunner()
    state = runner.run(network, {}, WARM).state
    activity = runner.run(network, {}, STEPS, state=state).activity
    run = loads(Program.of(network), activity, mapping, system, "none")
    step = account(run, system, host, "sample").part("step", STEPS)
    table, busy = run.whole.loads, run.whole.spread.busiest[:, 0].sum(axis=0)  # at nominal prices
    stored, kept = table[:, [SYNOPS, CONV_SYNOPS]].sum(), operations(network, mapping, activity)
    parts = step.by_component()
    others = [
        sum(getattr(parts[name], end) for name in OTHERS if name in parts) * 1e6 for end in ("low", "nominal", "high")
    ]
    first = next(part.counts for part in run.parts if part.name == "layer1")
    print(f"\n{label}: {table[:, SPIKES].sum():,.0f} spikes, {table[:, SENT].sum():,.0f} messages to cores a step")
    print(f"  synops: {stored:,.0f} stored, {kept.sum(axis=1).mean():,.0f} not zero; "
          f"into layer1 {(first.synops + first.conv_synops) / STEPS:,.0f}")  # fmt: skip
    print(f"  busiest core of the mean step: {table[:, [SYNOPS, CONV_SYNOPS]].sum(axis=1).max():,.0f} stored, "
          f"{kept.mean(axis=0).max():,.0f} not zero; of each step {kept.max(axis=1).mean():,.0f} not zero "
          f"({kept.max(axis=1).min():,.0f} to {kept.max(axis=1).max():,.0f})")  # fmt: skip
    for what, count in (("stored", stored), ("not zero", kept.sum(axis=1).mean())):
        low, nominal, high = (max(0.0, DYNAMIC_UJ - other) * 1e6 / count for other in reversed(others))
        print(f"  energy of a synop {what}: {nominal:.1f} pJ ({low:.1f} to {high:.1f})")
    chip, neurons = system.chip, busy[[FIXED_UPDATES, UPDATES]].sum()
    for what, count in (("stored", busy[[SYNOPS, CONV_SYNOPS]].sum()), ("not zero", kept.max(axis=1).mean())):
        times = [
            (STEP_US * 1e-6 - getattr(chip.costs["t_step_floor_s"], end) - neurons * getattr(chip.costs["t_neuron_s"], end))
            / count * 1e9 for end in ("high", "nominal", "low")
        ]  # fmt: skip
        print(f"  time of a synop {what}: {times[1]:.2f} ns ({times[0]:.2f} to {times[2]:.2f})")


def _cell(band: Band, published: float) -> str:
    width = "" if band.low == band.high else f" ({band.low:,.4g} to {band.high:,.4g})"
    return f"{band.nominal:,.4g}{width} {band.nominal / published - 1:+.0%}"


def lif(folder: Path) -> Network:
    system, host = get_system("oheo-gulch"), get_host("cpu-generic")
    image = np.load(folder / "pilotnet_lif" / "image.npy")
    path = folder / "pilotnet_lif" / "network.net"
    network = on_chip(read_net(path, reset_interval=RESET, reset_offset=3), image)
    program, begin = Program.of(network), time.perf_counter()
    ours = map_model(program, system)
    spent = time.perf_counter() - begin
    print(f"PilotNet LIF: mapped in {spent:.2f} s, violations {verify(ours, program, system)}")
    theirs = published_mapping(network, ours)
    print(f"{'':10}{'shape':>14}{'published cores':>17}{'x neurons':>11}{'our cores':>11}{'x neurons':>11}")
    for entry in populations(ours, network):
        cores, width = PUBLISHED[entry["name"]]
        rows = width * int(np.prod(entry["shape"][1:])) if len(entry["shape"]) == 3 else width
        shape = "x".join(str(side) for side in entry["shape"])
        print(
            f"{entry['name']:10}{shape:>14}{cores:17}{rows:11}{entry['cores']:11}{entry['neurons_on_fullest_core']:11}"
        )
    print(f"{'all':10}{'':14}{len(theirs.shards):17}{'':11}{ours.cores_used:11}", end="")
    print(f"   {ours.binding_resource} binds, lower bound {ours.lower_bound}")
    runner = FastRunner()
    state = runner.run(network, {}, WARM).state
    activity = runner.run(network, {}, STEPS, state=state).activity
    runs = [loads(program, activity, m, system, "none") for m in (theirs, ours)]
    priced = [account(run, system, host, "sample") for run in runs]
    print(f"\n{'':27}{'published':>10}{'published cut (low to high)':>44}{'our cut (low to high)':>44}")
    found = [figures(run, ledger) for run, ledger in zip(runs, priced, strict=True)]
    for name, value in MEASURED.items():
        print(f"{name:27}{value:10,.4g}{''.join(f'{_cell(f[name], value):>44}' for f in found)}")
    print("\npublished, synops and spikes counted once a step: " + ", ".join(f"{k} {v:,.0f}" for k, v in ONCE.items()))
    silent = on_chip(read_net(path, reset_interval=RESET, reset_offset=3), np.zeros_like(image))
    readings(network, theirs, "image of lava-dl's recordings")
    readings(silent, theirs, "no image, as the notebook ran")
    return network


def sdnn(lif_network: Network) -> None:
    """Only shapes: the network file in lava-dl's tests is another one than the measured one, and its frames are not
    public. The measured one has the layers of the LIF net without the first, with sigma-delta neurons."""
    system = get_system("oheo-gulch")
    first = replace(lif_network.populations["layer0"], model=INPUT, params={})
    delta = {
        name: replace(p, model="sigma_delta", params={"vth": 1, "bias": np.arange(p.size) % 2})
        for name, p in lif_network.populations.items()
    }
    network = replace(lif_network, name="pilotnet_sdnn, shapes", populations=delta | {"layer0": first})
    ours = map_model(Program.of(network), system)
    rows = " ".join(f"{entry['name']} {entry['cores']}" for entry in populations(ours, network) if entry["cores"])
    print(
        f"\nPilotNet SDNN: published 61 cores, ours {ours.cores_used} ({rows}); {ours.binding_resource} binds,", end=" "
    )
    print(f"violations {verify(ours, Program.of(network), system)}")
    print(
        "Its energy: 0.276 W total and 0.282 W static were measured, so that its dynamic part is below what was resolved."
    )


def main() -> None:
    if not NETS.is_dir():
        raise SystemExit(f"{NETS} is no folder: run scripts/fetch_lava_ground_truth.py")
    sdnn(lif(NETS))


if __name__ == "__main__":
    main()
