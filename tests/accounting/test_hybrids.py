"""Programs with host operations between populations in time, some of them computed by the host."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from neurodeploy.accounting.program import loads
from neurodeploy.hybrid import Hybrid
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from targets.hosts import get_host
from targets.systems import get_system
from tests.hybrid.random_programs import NoWeights, cut_of, left_to_host, random_program
from tests.prices import ledger_of, shard_counts, works


@pytest.mark.parametrize("seed", range(16))
def test_counts_equal_those_of_the_partitioned_runner_and_the_border_is_metered(seed: int) -> None:
    case, system = random_program(seed), get_system("oheo-gulch")
    program, on_host = case.program, left_to_host(case.program, seed)
    mapping = replace(cut_of(program, on_host, seed), system=system.name)
    cores = PartitionedRunner(mapping, system.chip)
    hybrid = Hybrid(program, NoWeights(), cores, on_host=on_host, host_runner=FastRunner())
    activity = hybrid.run(program.network, case.inputs, case.steps).activity
    every = works(program, activity, mapping, system)
    for work in every:
        counted = shard_counts(work.table, [mapping.shards[i] for i in work.shards])
        assert {shard: counted[shard] for shard in counted} == {shard: cores.shard_counts[shard] for shard in counted}
    assert sum(len(work.shards) for work in every) == len(mapping.shards)
    found = loads(program, activity, mapping, system)
    alone = not program.operations and not on_host
    assert found.exchanges == (1 if alone else len(every) * case.steps)
    assert len(found.host) == (0 if alone else 1 + len(on_host))
    ledger = ledger_of(program, activity, mapping, system, get_host("cpu-generic"), "sample")
    nested = [ledger.joules(name).nominal for name in ("rails", "chip", "board", "wall")]
    assert all(inner <= outer for inner, outer in pairwise(nested))
    assert (ledger.time_split.get("host compute", 0) > 0) == bool(program.operations)
