"""A newcomer's neuron is one file: `added/dead_zone.py`, put beside the others, is checked, run, mapped, priced and kept."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from neurodeploy import neurons
from neurodeploy.accounting.program import loads
from neurodeploy.bundle.populations import ARRAYS, Arrays, network_from_json, network_to_json, write_arrays
from neurodeploy.errors import DoesNotFit, UserError
from neurodeploy.ir.network import Network
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import Program
from neurodeploy.neurons import registry
from partitioner.judge.summary import explain, summary
from partitioner.mapper import map_model
from partitioner.options import Options
from simulators.fast.runner import FastRunner
from simulators.partitioned import PartitionedRunner
from simulators.reference import ReferenceRunner
from targets.systems import SYSTEMS, get_system
from tests.networks.equality import same_result
from tests.partitioner.make import dense, join, lif, network, source, tiny


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Network:
    """7 values -> 12 of the new neurons -> 5 LIF; the folder of the new file added to those of the package."""
    monkeypatch.setattr(neurons, "__path__", [*neurons.__path__, str(Path(__file__).parent / "added")])
    monkeypatch.setattr(registry, "MODELS", MappingProxyType(registry.read_models()))
    return network(
        [source("i", 7), Population("zone", (12,), "dead_zone", {"width": 9000}), lif("last", 5)],
        join("in", "i", "zone", dense(12, 7), graded=True),
        join("out", "zone", "last", dense(5, 12), graded=True),
        outputs=("zone", "last"),
    )


def test_one_file_is_enough(made: Network, tmp_path: Path) -> None:
    registry.check_network(made)
    inputs = {"i": np.random.default_rng(1).integers(-9000, 9000, (2, 9, 7))}
    result = ReferenceRunner().run(made, inputs, 9)
    assert 0 < result.activity.fired["zone"]["s"].sum() < 2 * 9 * 12 and result.activity.saturated["zone.s"] > 0
    same_result(FastRunner().run(made, inputs, 9), result)
    system = tiny(neurons=5)
    mapping = map_model(Program.of(made), system, Options(place=False))
    same_result(PartitionedRunner(mapping, system.chip).run(made, inputs, 9), result)
    assert summary(mapping, Program.of(made), system)["fits"] and explain(mapping)[1]["op"] == "dead_zone"
    assert loads(Program.of(made), result.activity, mapping, system).facts["microcoded"] == "dead_zone"
    structure, arrays = network_to_json(made)
    write_arrays(tmp_path / ARRAYS, arrays)
    same_result(ReferenceRunner().run(network_from_json(structure, Arrays(tmp_path, [ARRAYS])), inputs, 9), result)


def test_chips_and_users_hear_of_it(made: Network) -> None:
    with pytest.raises(DoesNotFit, match="ND2090 zone: needs the neuron model dead_zone, which loihi1") as caught:
        map_model(Program.of(made), get_system("loihi1-nahuku"), alternatives=tuple(SYSTEMS.values()))
    assert caught.value.fix.startswith("loihi2 has it (oheo-gulch")
    with pytest.raises(UserError, match="ND3242 population z: lacks the parameter width"):
        registry.check_population(Population("z", (3,), "dead_zone"))
