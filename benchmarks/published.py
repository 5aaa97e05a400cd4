"""Published measurements as runs of ours: what ran, as loads; what was measured of it; and whether the fit knows it.

A row is a `Measurement` (`neurodeploy.accounting.calibration`) with the figure that was published. Counts that are not
public are left out,
    and the row says so. Of rows that are linked (an energy and the power and time that it is the product of) two at
most are given. `FIT` rows set coefficients (`benchmarks/validation.py`),
    `UNSEEN` rows do not: which is which was chosen by what
sets what, one row for each coefficient that no other sets, and not by how well a row comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from benchmarks.matmul_free import matmul_free
from benchmarks.ttfs_mnist import FIXED_S, PUBLISHED, ttfs_mnist
from neurodeploy.accounting.costs import with_values
from neurodeploy.accounting.loads import SILENT, EventCounts, MeanStep, PartCounts, RunLoads
from neurodeploy.accounting.measurement import Measurement
from neurodeploy.accounting.spread import ALIKE
from neurodeploy.flow.loads import COLUMNS, CONV_SYNOPS, FIXED_UPDATES, SENT, SPIKES, SYNOPS, UPDATES, WRITES
from neurodeploy.ir.chip import SystemSpec
from targets.hosts import HOSTS

FIT, UNSEEN = "fit", "unseen"
#: Relative standard deviation of a row: what the model cannot say about a run, not what the instrument could not.
ERROR = 0.15
#: Of a row whose boundary, or whose counts, are not stated.
VAGUE = 0.5


@dataclass(frozen=True, slots=True)
class Published:
    """key : of the run. note : what the row leaves out, or why it misses."""

    key: str
    measured: Measurement
    sample: str
    source: str
    note: str = ""


def hand(
    cores: Mapping[int, Mapping[int, float]],
    *,
    name: str = "step",
    chips: int = 1,
    tick: float = 1.0,
    each: float = 1.0,
) -> RunLoads:
    """A step of kinds of cores, each with so many of them and what one does by column of a table of loads; of `each`, so
    many that are alike."""
    number = sum(cores)
    table = np.zeros((number, COLUMNS))
    for at, (count, work) in zip(np.cumsum([0, *cores]).tolist(), cores.items(), strict=False):
        table[at : at + count, list(work)] = list(work.values())
    places = np.stack([np.arange(number) * chips // number, np.arange(number)], axis=1)
    step = MeanStep(name, places, table, SILENT, tick, ALIKE)
    neurons = float(table[:, FIXED_UPDATES].sum() + table[:, UPDATES].sum())
    done = EventCounts.of(
        synops=table[:, SYNOPS].sum() * tick, conv_synops=table[:, CONV_SYNOPS].sum() * tick,
        fixed_updates=table[:, FIXED_UPDATES].sum() * tick, updates=table[:, UPDATES].sum() * tick,
        writes=table[:, WRITES].sum() * tick, spikes=table[:, SPIKES].sum() * tick, messages=table[:, SENT].sum() * tick,
        core_steps=number * tick,
    )  # fmt: skip
    return RunLoads(
        units=1, tick=tick, counting="assumed", parts=(PartCounts(name, None, done.times(each)),), steps=(step,), whole=step,
            neurons=neurons * each,
        fullest=int(table[:, (FIXED_UPDATES, UPDATES)].sum(axis=1).max()), exchanges=0.0, opened=0.0, host=(),
            host_of_prompt=(),
        chips_used=chips, cores_used=round(number * each), phases=("sample", "prefill"), facts={}, assumed=True, layers=(),
    )  # fmt: skip


def rows(systems: Mapping[str, SystemSpec]) -> list[Published]:
    """All that can be computed."""
    return [
        *pilotnet(systems["oheo-gulch"]), *two_neurons(systems["oheo-gulch"]), *winner_take_all(systems["oheo-gulch"]),
        *cartpole(systems["oheo-gulch"]), *fires_once(systems["loihi1-nahuku"]), *matmul_free_lm(systems["alia-point"]),
            *hala_point_mlp(systems["hala-point"]),
    ]  # fmt: skip


def _row(
    key: str, name: str, run: RunLoads, system: SystemSpec, value: float, quantity: str, boundary: str, sample: str,
    source: str, note: str = "", *, part: str = "", phase: str = "sample", error: float = ERROR,
) -> Published:  # fmt: skip
    host = HOSTS["cpu-generic"]
    made = Measurement(name, run, system, host, phase, quantity, boundary, value, error, part=part)
    return Published(key, made, sample, source, note)


def pilotnet(board: SystemSpec) -> list[Published]:
    """PilotNet of LIF neurons on the 74 cores of Intel's cut; counts a step of `benchmarks/pilotnet_energy.py`,
    simulated without an image, as two counters of the notebook agree with (docs/energy.md); synops with stored zeros, as
    we count them."""
    source = "lava-dl notebook pilotnet_snn/benchmark.ipynb, Oheo Gulch"
    cores, synops, updates, spikes, messages = 74, 2.972e6, 158.5e3, 34.6e3, 39.0e3
    # of each step's busiest core: 169 872 not zero in the mean, of which 205 632 / 150 710 are stored
    most, neurons = 169_872 * 205_632 / 150_710, 3.2e3
    sent = {SENT: messages / cores, SPIKES: spikes / cores}
    busiest = {CONV_SYNOPS: most, FIXED_UPDATES: neurons, **sent}
    others = {CONV_SYNOPS: (synops - most) / (cores - 1), FIXED_UPDATES: (updates - neurons) / (cores - 1), **sent}
    run = hand({1: busiest, cores - 1: others})
    told, quiet = "sets the price of a convolution's synop", hand({61: {FIXED_UPDATES: 0.0}})
    sdnn = "lava-dl notebook pilotnet_sdnn/benchmark.ipynb, Oheo Gulch"
    return [
        _row("R1", "PilotNet LIF, time of a step", run, board, 152.85e-6, "seconds", "", FIT, source, told),
        _row("R1", "PilotNet LIF, dynamic energy a step", run, board, 68.3e-6, "joules", "rails", FIT, source, told,
            part="dynamic"),
        _row("R1", "PilotNet LIF, static power", run, board, 0.2321, "watts", "rails", FIT, source, part="static"),
        _row("R1", "PilotNet LIF, total power", run, board, 0.6792, "watts", "rails", UNSEEN, source,
            "energy, time and static power of it are fitted"),
        _row("R2", "PilotNet SDNN, power while it waits for frames", quiet, board, 0.2757, "watts", "rails", UNSEEN, sdnn,
            "59 ms a frame of input; its dynamic power is below the noise", part="static"),
        _row("R2", "PilotNet SDNN, static power", quiet, board, 0.2818, "watts", "rails", UNSEEN, sdnn, part="static"),
    ]  # fmt: skip


def two_neurons(board: SystemSpec) -> list[Published]:
    """LIF, synapse with a delay, LIF, on two cores: 1e7 steps, means of 100 runs and six delays."""
    source = "Balafrej et al. 2025, doi 10.1088/2634-4386/add293, res.json of NECOTIS/TemporalLearningInRSNNs"
    found = []
    for rate, joules in ((25, 31.6e-9), (50, 31.8e-9), (100, 39.4e-9)):
        spikes = rate * 1e-3  # a step stands for a millisecond
        run = hand({2: {FIXED_UPDATES: 1, SYNOPS: spikes / 2, SENT: spikes, SPIKES: spikes}})
        sample = UNSEEN if rate == 100 else FIT
        found.append(
            _row(
                "N1",
                f"two neurons at {rate} Hz, dynamic energy a step",
                run,
                board,
                joules,
                "joules",
                "rails",
                sample,
                source,
                part="dynamic",
            )
        )
    return [
        _row("N1", "two neurons, time of a step", run, board, 1.164e-6, "seconds", "", FIT, source,
            "the step floor; other boards took 1.77 us"),
        _row("N1", "two neurons, static power", run, board, 0.2135, "watts", "rails", FIT, source, part="static"),
        _row("N1", "two neurons at 100 Hz, total power", run, board, 0.2135 + 39.4e-9 / 1.164e-6, "watts", "rails",
            UNSEEN, source),
        *found,
    ]  # fmt: skip


def winner_take_all(board: SystemSpec) -> list[Published]:
    """Winner-take-all nets of LIF neurons, middle of the published ranges; synapses and spikes are not public, none
    counted."""
    source = "OzU-CAST/LoihiScalingEfficiency, Oheo Gulch, read from its plots"
    note = "boundary not stated, rails assumed; no synops or messages counted"
    found = []
    for neurons, cores, watts, seconds in (
        (200, 6, 0.48, 1.77e-6),
        (600, 18, 0.535, 1.77e-6),
        (1200, 63, 0.60, 1.78e-6),
    ):
        run, sample = hand({cores: {FIXED_UPDATES: neurons / cores}}), FIT if neurons == 600 else UNSEEN
        found += [
            _row(
                "R9",
                f"winner-take-all, {neurons} neurons, time of a step",
                run,
                board,
                seconds,
                "seconds",
                "",
                sample,
                source,
            ),
            _row(
                "R9",
                f"winner-take-all, {neurons} neurons, power",
                run,
                board,
                watts,
                "watts",
                "rails",
                sample,
                source,
                note,
                error=VAGUE,
            ),
        ]
    return found  # fmt: skip


def cartpole(board: SystemSpec) -> list[Published]:
    """Q-learning of CartPole with the learning engine; counts of neurons and synapses are not public, cores and steps
    only."""
    source = "Nesbit et al. 2026, arXiv 2609.32317, Oheo Gulch"
    note = "counts not public: cores and steps alone"
    training = hand({34: {FIXED_UPDATES: 1, WRITES: 1}}, tick=9.0)
    acting = hand({12: {FIXED_UPDATES: 1}})
    return [
        _row("R5", "CartPole training, time of an update", training, board, 58.42e-6, "seconds", "", FIT, source,
            "sets the learning phase of a step"),
        _row("R5", "CartPole training, dynamic energy", training, board, 1.32e-6, "joules", "rails", FIT, source, note,
            part="dynamic"),
        _row("R5", "CartPole training, board power", training, board, 1.80, "watts", "board", FIT, source),
        _row("R5", "CartPole training, energy of the cores", training, board, 14.25e-6, "joules", "rails", UNSEEN, source,
            note),
        _row("R5", "CartPole training, energy of the board", training, board, 104.75e-6, "joules", "board", UNSEEN,
            source, "power and time of it are fitted"),
        _row("R5", "CartPole acting, board power", acting, board, 1.81, "watts", "board", UNSEEN, source,
            "steps of an action are not public"),
    ]  # fmt: skip


def fires_once(board: SystemSpec) -> list[Published]:
    """MNIST by times of first spikes on 11 cores of Loihi 1 (`benchmarks/ttfs_mnist.py`); an exchange takes the 4 ms
    that were read from the same two times, so that of the two one is seen."""
    source = "arXiv 2309.16795, biphasic/Quartz-on-Loihi, Nahuku"
    board = replace(board, chip=with_values(board.chip, {"t_host_link_s": FIXED_S}))
    found = []
    for run in PUBLISHED:
        loads, name = ttfs_mnist(board, run.t_max), f"MNIST that fires once, {run.steps} steps"
        sample, note = (
            (FIT, "4 ms a picture are read from it") if run.steps == 91 else (UNSEEN, "layout of cores is ours")
        )
        found += [
            _row(
                "L1a",
                f"{name}, time of a picture",
                loads,
                board,
                run.step_s * run.steps,
                "seconds",
                "",
                sample,
                source,
                note,
            ),
            _row(
                "L1a",
                f"{name}, dynamic energy",
                loads,
                board,
                run.dynamic_j,
                "joules",
                "rails",
                UNSEEN,
                source,
                part="dynamic",
            ),
        ]
    return found


@lru_cache(maxsize=4)
def _language_model(name: str) -> RunLoads:
    from targets.systems import SYSTEMS

    return matmul_free(SYSTEMS[name])


def matmul_free_lm(system: SystemSpec) -> list[Published]:
    """MatMul-free LM 370M on 24 chips, built from its equations, lowered and mapped (`benchmarks/matmul_free.py`)."""
    source, run = "Abreu et al. 2025, arXiv 2503.18002, Alia Point", _language_model(system.name)
    note = "every activation taken as non-zero; sparsity not published"
    prompt = replace(run, units=500, parts=tuple(replace(part, counts=part.counts.times(500)) for part in run.parts))
    return [
        _row("R3", "MatMul-free LM, time of a prompt token", run, system, 1 / 6632, "seconds", "", UNSEEN, source, note,
            phase="prefill"),
        _row("R3", "MatMul-free LM, time of a generated token", run, system, 1 / 41.5, "seconds", "", UNSEEN, source,
            note, phase="generate"),
        _row("R3", "MatMul-free LM, first token after 500", prompt, system, 99e-3, "first_token_seconds", "", UNSEEN,
            source, note, phase="prefill"),
        _row("R3", "MatMul-free LM, energy of a prompt token", run, system, 3.7e-3, "joules", "board", UNSEEN, source,
            note, phase="prefill"),
        _row("R3", "MatMul-free LM, power while it generates", run, system, 41.5 * 0.405, "watts", "board", FIT, source,
            "sets Alia Point's share of a board", phase="generate"),
        _row("R3", "MatMul-free LM, energy of a generated token", run, system, 0.405, "joules", "board", UNSEEN, source,
            note, phase="generate"),
    ]  # fmt: skip


def hala_point_mlp(system: SystemSpec) -> list[Published]:
    """Hala Point's MLP: 14 784 layers of 2048, pruned 10:1, a tenth of sigma-delta neurons active; joules of a pipelined
    step from 15 dense-equivalent Top/J."""
    layers, width, kept, active, cores = 14784, 2048, 0.1, 0.1, 140544
    share = cores / layers
    work = {
        SYNOPS: width * width * kept * active / share, UPDATES: width / share, SENT: width * active,
            SPIKES: width * active / share
    }  # fmt: skip
    run = hand({system.chips: work}, chips=system.chips, each=cores / system.chips)
    joules = 2 * width * width * layers / 15e12
    note = "vendor's footnote; definition of an operation and operating point are not stated"
    return [
        _row("A8", "Hala Point MLP, energy of a step", run, system, joules, "joules", "board", FIT, "Intel newsroom 2024",
            note, error=VAGUE)
    ]  # fmt: skip
