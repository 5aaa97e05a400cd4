"""Messages of a step in which every neuron sends one, and the summary."""

from __future__ import annotations

import json

from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.mapping import Mapping
from neurodeploy.ir.program import Program
from partitioner.network_mapper import map_network
from partitioner.network_summary import summary
from partitioner.network_traffic import network_traffic
from partitioner.options import Options
from partitioner.summary import summary as program_summary
from targets.systems import get_system
from tests.partitioner_network.helpers import conv, dense, join, lif, network, source, tiny

NET = network(
    [source("i", 10), lif("p", 8), lif("q", 6)],
    join("a", "i", "p", dense(8, 10)),
    join("b", "p", "q", dense(6, 8)),
    join("r", "q", "q", dense(6, 6)),
)


def test_on_one_core_everything_is_delivered_once() -> None:
    system = tiny()
    traffic = network_traffic(map_network(NET, system), NET, system)
    assert (traffic.host_in, traffic.host_out, traffic.events_to_cores) == (10, 6, 10 + 8 + 6)
    assert traffic.events_between_chips == traffic.partials_between_cores == traffic.partials_between_chips == 0


def test_each_destination_gets_its_own_message_and_chips_pass_inputs_on() -> None:
    """p on chips 0 and 1, q on chips 2 and 3: one core a chip."""
    system = tiny(neurons=4, cores=1)
    mapping = map_network(NET, system, Options(place=False))
    assert [(s.island, s.rows, s.chip) for s in mapping.shards] == [
        ("p", (0, 4), 0), ("p", (4, 8), 1), ("q", (0, 3), 2), ("q", (3, 6), 3)
    ]  # fmt: skip
    traffic = network_traffic(mapping, NET, system)
    assert traffic.host_in == 10
    assert traffic.events_to_cores == 2 * (10 + 8 + 6)
    assert traffic.events_between_chips == 10 + 2 * 8 + 6  # of q's own spikes half stay on their chip


def test_partial_sums() -> None:
    net = network([source("i", 40), lif("p", 3)], join("w", "i", "p", dense(3, 40)))
    system = tiny(in_axons=20)
    traffic = network_traffic(map_network(net, system), net, system)
    assert traffic.partials_between_cores == 6
    assert traffic.to_json()["partials_between_cores"] == {"messages": 6.0, "bytes": 24.0}


def test_pixels_that_reach_nothing_send_nothing() -> None:
    net = network([source("i", 5, 5, 2), lif("p", 2, 2, 1)], join("w", "i", "p", conv((5, 5, 2), 1, 2, stride=(3, 3))))
    system = tiny()
    assert network_traffic(map_network(net, system), net, system).events_to_cores == 4 * 4 * 2


def test_the_summary_has_the_keys_of_a_program() -> None:
    system = get_system("oheo-gulch")
    found = summary(map_network(NET, system), NET, system)
    json.dumps(found)
    nothing = Mapping(system.name, system.chips, system.chip.cores, (), (), 0, "none", ())
    keys = program_summary(nothing, Program(ModelInfo("none", "", 0, 0, 0, 0, ""), (), {}, {}), system)
    assert set(keys) <= set(found)
    assert set(found) - set(keys) == {"unit", "populations"}
    assert found["fits"] and found["violations"] == [] and found["border_bytes_per_token"] == 4 * (10 + 6)
    assert found["host_ops"] == [
        {
            "path": "populations.i",
            "op": "input",
            "rule": "outside",
            "bytes_per_token": 40,
            "reason": found["host_ops"][0]["reason"],
        }
    ]
    assert [(p["name"], p["cores"], p["synapses"]) for p in found["populations"]] == [
        ("i", 0, 0),
        ("p", 1, 80),
        ("q", 1, 84),
    ]
    assert found["utilisation"]["neurons"] == {"mean": 14 / 8192, "max": 14 / 8192, "max_used": 14, "limit": 8192}
