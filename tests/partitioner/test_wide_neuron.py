"""A neuron with more inputs than a core has in-axons: its columns are cut; where that is forbidden the error says why."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.synapses import Dense
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from partitioner.verify.violations import verify
from targets.systems import get_system

FAN_IN = 5_000


def network() -> Network:
    weight = np.asfortranarray(np.ones((1, FAN_IN), np.int8))
    return Network(
        "wide",
        {
            "in": Population("in", (FAN_IN,), "input"),
            "out": Population("out", (1,), "lif", {"du": 400, "dv": 400, "vth": 10}),
        },
        (Projection("all", "in", "out", Dense(weight)),),
        ("out",),
    )


def test_columns_are_cut() -> None:
    system = get_system("oheo-gulch")
    found = map_model(network(), system)
    blocks = [shard for shard in found.shards if shard.kind == "synapses"]
    assert len(blocks) == 2 and max(shard.cols[1] - shard.cols[0] for shard in blocks) <= 4096
    assert sum(shard.kind == "reducer" for shard in found.shards) == 1
    assert verify(found, network(), system) == []


def test_where_columns_may_not_be_cut() -> None:
    """Neuron, resource, need, limit and remedy."""
    with pytest.raises(DoesNotFit) as caught:
        map_model(network(), get_system("oheo-gulch"), Options(pins={"out": Pin(blocks=1)}))
    error = caught.value
    assert error.code == "ND2002" and error.subject == "out" and error.fix
    assert all(part in error.problem for part in ("a tile of 1 row and", f"{FAN_IN} in_axons", "4096", "pinned"))
