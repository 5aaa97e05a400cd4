"""Rates of a run reach the choice of column blocks; `map --rates` counts that run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import RunActivity
from partitioner.job import job_of
from partitioner.judge.summary import summary
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.order.plan import deliveries
from partitioner.order.search import best_plan
from targets.systems import get_system
from tests.partitioner.make import dense, join, lif, network, source, tiny
from tests.pipeline.networks import SAMPLES
from tests.tiny import Cli

STEPS = 1000


def recurrent(inputs: int, hidden: int, outputs: int) -> Network:
    return network(
        [source("i", inputs), lif("h", hidden), lif("o", outputs)],
        join("in", "i", "h", dense(hidden, inputs)),
        join("again", "h", "h", dense(hidden, hidden)),
        join("out", "h", "o", dense(outputs, hidden)),
    )


def firing(net: Network, *parts: float) -> RunActivity:
    """Every neuron of each population in this part of the steps."""
    counts = zip(net.populations.items(), parts, strict=True)
    fired = {name: {"s": np.full(p.size, round(part * STEPS), np.int64)} for (name, p), part in counts}
    return RunActivity(STEPS, 1, fired, {}, {}, None)


@pytest.mark.parametrize("objective", ["cores", "traffic"])
def test_a_dense_recurrent_net_pays_no_partial_sums_where_a_tenth_fires(objective: str) -> None:
    net, system = network([lif("h", 1000)], join("again", "h", "h", dense(1000, 1000))), get_system("hala-point")
    options, few = Options(objective=objective), firing(net, 0.1)
    plain, spared = map_model(Program.of(net), system, options), map_model(Program.of(net), system, options, rates=few)
    assert sum(s.row_count for s in plain.shards if s.kind == "reducer") == 1000
    assert not any(s.kind == "reducer" for s in spared.shards) and spared.cores_used <= plain.cores_used
    before, after = (summary(m, Program.of(net), system, rates=few)["metrics"] for m in (plain, spared))
    assert after["rates"] == "as counted in a run" and after["km1"]["cores"] < before["km1"]["cores"] / 2


@pytest.mark.parametrize("objective", ["cores", "traffic", "latency", "energy"])
def test_rates_never_cost_messages_of_that_run(objective: str) -> None:
    rng, fewer, done, cut = np.random.default_rng(3), 0, 0, 0
    for _ in range(12):
        net = recurrent(*(int(size) for size in rng.integers(20, 400, 3)))
        system, options = tiny(None, int(rng.integers(2000, 20000))), Options(objective=objective)
        job = job_of(Program.of(net), system, options, firing(net, *rng.choice([0.0, 0.02, 0.3, 1.0], 3)))
        try:
            without = best_plan(job_of(Program.of(net), system, options))
        except DoesNotFit:
            continue
        plan, done = best_plan(job), done + 1
        assert deliveries(job, plan) <= deliveries(job, without)
        assert objective != "cores" or (plan.chips, plan.cores) <= (without.chips, without.cores)
        fewer += deliveries(job, plan) < deliveries(job, without)
        cut += any(tile.kind == "reducer" for tile in without.tiles)
    assert done >= 8 and (fewer or objective == "latency" or not cut)


def test_map_counts_a_run_first(files, llama_bundle: Path, tmp_path: Path, cli: Cli) -> None:  # type: ignore[no-untyped-def]
    bundle = tmp_path / "x.nd"
    shutil.copytree(files.plain_nd, bundle)
    said = cli("map", bundle, "--rates", files.spikes, "--steps", "7", "--json")
    found = json.loads(said.out)
    assert (found["rates"]["steps"], found["rates"]["samples"], said.status) == (7, SAMPLES, 0)
    assert found["open_questions"] == [] and found["metrics"]["rates"] == "as counted in a run"
    assert pipeline.map(bundle)["metrics"]["rates"] == "every neuron sends"
    for path, options, code in (
        (bundle, ["--steps", "7"], "ND2046"),
        (bundle, ["--layout", "time-first"], "ND2046"),
        (llama_bundle, ["--rates", str(files.spikes)], "ND2047"),
    ):
        said = cli("map", path, *options)
        assert said.status == 2 and code in said.err and options[0] in said.err
