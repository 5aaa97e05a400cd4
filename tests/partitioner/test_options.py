"""What the user may ask of the mapper for networks: caps, pins, spreading, objectives; and columns cut for the senders."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from partitioner.cost.usage import core_demands
from partitioner.judge.summary import delay_bytes
from partitioner.mapper import map_model
from partitioner.nets.traffic import traffic
from partitioner.options import OBJECTIVES, Options, Pin
from partitioner.verify.violations import verify
from targets.systems import get_system
from tests import effort
from tests.partitioner.make import conv, dense, join, lif, network, source, tiny
from tests.refusals import refused


def layers(*widths: int) -> Network:
    """All-to-all, from an input."""
    names = ["i", *(f"p{k}" for k in range(len(widths) - 1))]
    joins = [join(f"w{k}", names[k], names[k + 1], dense(widths[k + 1], widths[k])) for k in range(len(widths) - 1)]
    return network([source("i", widths[0]), *(lif(n, w) for n, w in zip(names[1:], widths[1:], strict=True))], *joins)


def cnn() -> Network:
    return network(
        [source("i", 34, 34, 2), lif("a", 32, 32, 8), lif("b", 14, 14, 16), lif("c", 10)],
        join("w1", "i", "a", conv((34, 34, 2), 8)),
        join("w2", "a", "b", conv((32, 32, 8), 16, 5, stride=(2, 2))),
        join("w3", "b", "c", dense(10, 3136)),
    )


def rows_of(mapping, name: str) -> list[tuple[int, int]]:
    return sorted(shard.rows for shard in mapping.by_island()[name] if shard.kind == "synapses")


def test_caps_keep_part_of_every_core_free() -> None:
    net, system = Program.of(layers(50, 100, 10)), tiny(synapse_bytes=4000, cores=8)
    mapping = map_model(net, system, Options(caps={"synapse_bytes": 50}))
    demands = core_demands(mapping, net, system).values()
    assert max(d[1] for d in demands) <= 2000 and not verify(mapping, net, system)
    assert mapping.cores_used > map_model(net, system).cores_used
    with pytest.raises(DoesNotFit, match="lift the cap on synapse_bytes"):
        map_model(net, system, Options(chips=1, caps={"synapse_bytes": 5}))
    with pytest.raises(UserError, match="ND2003"):
        map_model(net, system, Options(caps={"weights": 50}))


def test_pinned_rows_blocks_and_chips() -> None:
    net, system = Program.of(layers(60, 40, 30)), get_system("kapoho-point")
    pins = {"p0": Pin(rows=16, chip=2), "p1": Pin(blocks=3)}
    mapping = map_model(net, system, Options(pins=pins))
    assert max(stop - start for start, stop in rows_of(mapping, "p0")) == 14  # three tiles of equal length
    assert {shard.chip for shard in mapping.by_island()["p0"]} == {2}
    assert sorted({s.cols for s in mapping.by_island()["p1"] if s.kind == "synapses"}) == [(0, 14), (14, 28), (28, 40)]
    assert not verify(mapping, net, system)


def test_a_pin_that_forbids_cutting_columns() -> None:
    net = Program.of(layers(100, 6))
    says = r"ND2002 p0: a tile of 1 row and 100 columns, as pinned, needs 100 in_axons \(a core has 30\)"
    refused(DoesNotFit, says, map_model, net, tiny(in_axons=30), Options(pins={"p0": Pin(blocks=1)}))


@pytest.mark.parametrize(
    ("pins", "words"),
    [
        ({"q": Pin(rows=3)}, r"ND2063 q: is no operation of this model"),
        ({"i": Pin(rows=3)}, "come from outside"),
        ({"p0": Pin(rows=0)}, "has rows 0, the least is 1"),
        ({"p0": Pin(blocks=11)}, "has blocks 11, the most is 10"),
        ({"p0": Pin(chip=8)}, "is pinned to chip 8, chips 0 to 7 may be used"),
    ],
)
def test_pins_that_make_no_sense(pins: dict[str, Pin], words: str) -> None:
    with pytest.raises(UserError, match=words):
        map_model(Program.of(layers(10, 4)), get_system("kapoho-point"), Options(pins=pins))


def test_spread_uses_the_cores_of_the_chips_that_are_needed() -> None:
    net, system = Program.of(layers(100, 1000, 500)), get_system("oheo-gulch")
    dense_, wide = map_model(net, system), map_model(net, system, Options(spread=True))
    assert dense_.cores_used < 10 and wide.cores_used > 100 and wide.chips_used == 1
    assert not verify(wide, net, system)
    assert any(note.startswith("spread: ") for note in wide.notes)
    work = Counter({s.island: max(stop - start for start, stop in rows_of(wide, s.island)) for s in wide.shards})
    assert work["p1"] < work["p0"]  # ten times the fan-in, so fewer neurons a core
    assert 100 < map_model(net, system, Options(objective="latency")).cores_used <= wide.cores_used


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives(objective: str) -> None:
    net, system = Program.of(layers(300, 300, 200, 10)), tiny(synapse_bytes=9000, in_axons=400)
    mapping = map_model(net, system, Options(objective=objective))
    assert mapping.objective == objective and not verify(mapping, net, system)


def test_traffic_is_not_given_for_cores() -> None:
    net, system = Program.of(layers(300, 300, 200, 10)), tiny(synapse_bytes=6000, in_axons=400)
    cores, sparing = (map_model(net, system, Options(objective=o)) for o in ("cores", "traffic"))
    sums = [traffic(m, net, system) for m in (cores, sparing)]
    spent = [t.events_to_cores + t.partials_between_cores for t in sums]
    assert cores.cores_used <= sparing.cores_used and spent[1] <= spent[0]


def test_columns_are_cut_where_senders_reach_too_many_tiles() -> None:
    """Rows alone: 31 rows a tile, 132 tiles that every sender has an entry for."""
    net, system = Program.of(layers(1024, 2048, 2048)), get_system("loihi1-nahuku")
    mapping = map_model(net, system)
    pinned = map_model(net, system, Options(pins={n: Pin(blocks=1) for n in ("p0", "p1")}))
    assert any(shard.kind == "reducer" for shard in mapping.shards)
    assert mapping.cores_used < pinned.cores_used and not verify(mapping, net, system)


def test_many_populations_share_a_core() -> None:
    """nengo-loihi issue 1: a population a core wastes cores."""
    parts = [lif(f"p{k}", 20) for k in range(40)]
    net = Program.of(
        network([source("i", 10), *parts], *(join(f"w{k}", "i", f"p{k}", dense(20, 10)) for k in range(40)))
    )
    mapping = map_model(net, get_system("loihi1-nahuku"))
    assert mapping.cores_used == mapping.lower_bound == 1 and not verify(mapping, net, get_system("loihi1-nahuku"))


def test_a_time_limit_ends_the_search_with_a_note() -> None:
    net, system = Program.of(layers(300, 300, 200, 10)), tiny(synapse_bytes=6000, in_axons=400)
    mapping = map_model(net, system, Options(time_limit=1e-6))
    assert not verify(mapping, net, system)
    assert any("cut short" in note for note in mapping.notes)


def test_delay_buffers_are_told_apart() -> None:
    delay = np.array([0, 3, 5], np.uint8)
    net = network([source("i", 3), lif("p", 4)], join("w", "i", "p", dense(4, 3), delay=delay))
    assert delay_bytes(net, "p") == 4 * 5


def test_a_small_cnn_is_mapped_at_once() -> None:
    net, system = Program.of(cnn()), get_system("oheo-gulch")
    map_model(net, system)
    with effort.at_most(60):
        map_model(net, system)
