"""A network with packed targets is mapped and verified as the same network with an array of targets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neurodeploy.ir.network import Network
from neurodeploy.ir.packed import PackedTargets, pack
from partitioner.mapper import map_model
from partitioner.options import Options
from partitioner.verify.violations import verify
from tests.partitioner.make import join, lif, network, source, tiny
from tests.partitioner.test_network_mapper import random_sparse


def packed(net: Network) -> Network:
    made = []
    for p in net.projections:
        s = p.synapse
        made.append(replace(p, synapse=replace(s, target=pack(s.rows, s.indptr, s.targets()))))  # type: ignore[union-attr]
    return replace(net, projections=tuple(made))


@pytest.mark.parametrize(("neurons", "fan"), [(600, 20), (2000, 40)])
def test_the_same_mapping(neurons: int, fan: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("partitioner.cut.sweep", "partitioner.verify.recount", "neurodeploy.ir.synapse"):
        monkeypatch.setattr(f"{module}.PIECE", 700)  # many pieces
    plain = network(
        [source("i", neurons), lif("p", neurons)],
        join("w", "i", "p", random_sparse(neurons, fan)),
        join("r", "p", "p", random_sparse(neurons, fan, 1)),
    )
    other = packed(plain)
    assert all(isinstance(p.synapse.target, PackedTargets) for p in other.projections)  # type: ignore[union-attr]
    system = tiny(neurons=200, synapse_bytes=9000, in_axons=500)
    one, two = (map_model(net, system, Options(place=False)) for net in (plain, other))
    assert len(one.shards) > 10
    assert one.shards == two.shards
    assert verify(one, other, system) == verify(two, plain, system) == []
