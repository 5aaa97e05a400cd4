"""What is written for SANA-FE, read back: every neuron once, on the core where the mapping has it."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.mapping import Mapping, Shard
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Conv, Dense, Direct
from partitioner.files.sanafe import TILE, export, group_names, tile_of
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from targets.systems import get_system

from .test_judge import dense, lif, some_network
from .test_link_loads import small

#: Columns of no population are cut.
WHOLE = Options(pins={name: Pin(blocks=1) for name in ("a", "b")})


def runs(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def placed(text: str) -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    for name, span, core in re.findall(r"^  - (\w+)\.([\d.]+): \[core: ([\d.]+),", text, re.MULTILINE):
        for neuron in runs(span):
            assert (name, neuron) not in found
            found[name, neuron] = core
    return found


@pytest.mark.parametrize("kind", ["conv", "dense"])
def test_every_neuron_is_where_the_mapping_has_it(kind: str) -> None:
    network, system = some_network(kind), get_system("loihi1-nahuku")
    mapping = map_model(Program.of(network), system, WHOLE)
    spikes = {"in": (np.arange(3 * network.populations["in"].size) % 3 == 0).reshape(3, -1).astype(np.int64)}
    files = export(mapping, network, system, spikes)
    found = placed(files["network.yaml"])
    assert len(found) == sum(p.size for p in network.populations.values())
    for shard in mapping.shards:
        order = mapping.orders.get(shard.island, np.arange(network.populations[shard.island].size))
        tile, core = tile_of(shard.chip, shard.core, system)
        for neuron in order[slice(*shard.rows)].tolist():
            assert found[shard.island, neuron] == f"{tile}.{core}"
    trains = re.findall(r"^        - (\d+): \[soma: \{spikes: \[([01, ]+)\]\}\]", files["network.yaml"], re.MULTILINE)
    assert [[int(bit) for bit in train.split(", ")] for _, train in trains] == spikes["in"].T.tolist()
    arch = files["arch.yaml"]
    assert "width: 64\n    height: 16" in arch and arch.count("Davies") == 2 * len(TILE)
    inputs = network.populations["in"].size
    assert f"inputs[0..{inputs - 1}]" in arch and files["network.yaml"].count("core: 0.4") == inputs


def test_weights_and_neurons_read_back() -> None:
    rng = np.random.default_rng(0)
    conv = Conv(rng.integers(-9, 9, (2, 2, 2, 1)).astype(np.int8), (3, 3, 1))
    first = dense(rng, 9, 4)
    population = Population("b", (2, 2, 2), "lif_subtract", {"du": 95, "dv": 96, "vth": 7, "bias_mant": 64 * 3})
    network = Network(
        "n",
        {"in": Population("in", (4,), INPUT), "a": lif("a", 3, 3, 1), "b": population},
        (Projection("p", "in", "a", first, weight_exp=2), Projection("q", "a", "b", conv)),
        ("b",),
    )
    system = get_system("loihi1-nahuku")
    text = export(map_model(Program.of(network), system), network, system, {})["network.yaml"]
    weights = re.search(r"- in -> a: \[type: dense, weight: \[([^\]]+)\]\]", text)
    assert weights and [float(w) for w in weights[1].split(", ")] == (4 * first.weight.T.astype(int)).ravel().tolist()
    edges = re.search(r"- a -> b: \[type: sparse, source_target_pairs: \[(.+)\], weight: \[([^\]]+)\]\]", text)
    assert edges is not None
    pairs = re.findall(r"\[(\d+), (\d+)\]", edges[1])
    matrix = np.zeros((8, 9))
    for (source, target), weight in zip(pairs, edges[2].split(", "), strict=True):
        matrix[int(target), int(source)] += float(weight)
    payload = rng.integers(0, 2, (3, 3))
    expected = np.array(
        [
            [[(conv.weight[o, :, :, 0] * payload[x : x + 2, y : y + 2]).sum() for o in range(2)] for y in range(2)]
            for x in range(2)
        ]
    )
    assert (matrix @ payload.ravel()).tolist() == expected.ravel().tolist()
    assert "- 0..7: [soma: {threshold: 7.0, leak_decay: 0.9765625, input_decay: 0.9765625, bias: 3.0" in text
    assert "reset_mode: soft" in text and "reset_mode: hard" in text


def test_tiles_run_down_the_columns_of_the_flat_mesh() -> None:
    system = small(3, 2, 2, (2, 2))  # 6 x 4 tiles
    assert tile_of(0, 0, system) == (0, 0) and tile_of(0, 1, system) == (0, 1)
    assert tile_of(0, 2, system) == (4, 0)  # router (1, 0)
    assert tile_of(0, 6, system) == (1, 0)  # router (0, 1)
    assert tile_of(1, 0, system) == (12, 0)  # chip to the east: x = 3
    assert tile_of(2, 0, system) == (2, 0)  # chip to the south: y = 2
    assert len({tile_of(c, k, system) for c in range(4) for k in range(12)}) == 48


def test_names_are_made_plain_and_stay_apart() -> None:
    names = {"a.b": 1, "a_b": 1, "0": 1, "é": 1}
    network = Network("n", {n: lif(n, 1) for n in names}, (), ("0",))
    assert group_names(network) == {"a.b": "a_b", "a_b": "a_b_2", "0": "0", "é": "_"}


def test_what_sanafe_cannot_say_is_refused() -> None:
    system, base = get_system("loihi1-nahuku"), some_network("dense")
    mapping = map_model(Program.of(base), system, WHOLE)
    first, *rest = base.projections

    def refused(network: Network, code: str) -> str:
        with pytest.raises((UserError, DoesNotFit)) as caught:
            export(mapping, network, system, {})
        assert caught.value.code == code
        return str(caught.value)

    odd = {**base.populations, "a": Population("a", (900,), "sigma", {})}
    assert "'sigma'" in refused(replace(base, populations=odd), "ND2080")
    halved = replace(base, projections=(replace(first, weight_exp=-1), *rest))
    assert "weight: [" in export(mapping, halved, system, {})["network.yaml"]
    delay = np.ones(300, np.uint8)
    for change, word in (({"graded": True}, "graded"), ({"delay": delay}, "delays"), ({"instant": True}, "within")):
        assert word in refused(replace(base, projections=(replace(first, **change), *rest)), "ND2081")
    direct = Projection("d", "b", "b", Direct(700))
    assert "without a synapse" in refused(replace(base, projections=(*base.projections, direct)), "ND2081")
    cut = (*mapping.shards, Shard("a", "reducer", (0, 9), (0, 2), 0, 99))
    with pytest.raises(DoesNotFit, match="ND2083 a: its neurons receive partial sums"):
        export(replace(mapping, shards=cut), base, system, {})
    assert isinstance(mapping, Mapping) and isinstance(first.synapse, Dense)
