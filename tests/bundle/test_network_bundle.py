"""Bundles of spiking networks: written, read, damaged; states written and resumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodeploy.bundle import open_bundle
from neurodeploy.bundle.golden import golden_steps
from neurodeploy.bundle.state_files import read_kept, write_state
from neurodeploy.bundle.writer import write_bundle
from neurodeploy.errors import BundleError, UserError
from neurodeploy.ir.graph import ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.packed import PackedTargets
from neurodeploy.ir.population import Population
from neurodeploy.ir.program import Program
from neurodeploy.synapses import Dense, Sparse
from simulators.reference import ReferenceRunner
from tests import refusals
from tests.bundle.changes import refused
from tests.networks.equality import joined, same_result
from tests.networks.random_networks import random_network
from tests.tiny import snapshot

RUNNER = ReferenceRunner()


def is_packed(p: Projection) -> bool:
    return isinstance(p.synapse, Sparse) and isinstance(p.synapse.target, PackedTargets)


def write(path: Path, network: Network) -> None:
    info = ModelInfo(network.name, "test", 0, 0, len(network.populations), 0, "here")
    program = Program(info, network, conversion={"warnings": []})
    write_bundle(path, program, {"model": "test", "path": "", "files": []}, RUNNER.run)


@pytest.mark.parametrize("seed", range(40))
def test_round_trip_gives_the_same_bits(tmp_path: Path, seed: int) -> None:
    network, inputs, steps = random_network(seed, instant=seed % 2 == 1)
    write(tmp_path / "n.nd", network)
    read = open_bundle(tmp_path / "n.nd").program.network
    assert (read.name, read.outputs, read.dt) == (network.name, network.outputs, network.dt)
    same_result(RUNNER.run(read, inputs, steps), RUNNER.run(network, inputs, steps))
    for p, q in zip(network.projections, read.projections, strict=True):
        for name in ("name", "weight_bits", "sign_mode", "depth", "instant"):
            assert getattr(p, name) == getattr(q, name), name
        assert (p.axon_exp is None) == (q.axon_exp is None) and is_packed(p) == is_packed(q)


def test_same_network_same_bytes(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        write(tmp_path / name / "n.nd", random_network(3)[0])
        folder = tmp_path / name
        found.append({path.removeprefix(str(folder)): content for path, content in snapshot(folder).items()})
    assert found[0] == found[1]


def test_damage_is_found(tmp_path: Path) -> None:
    write(tmp_path / "n.nd", random_network(5)[0])
    for member in ("network.h5", "program.json", "vectors/golden.h5"):
        file = tmp_path / "n.nd" / member
        good = file.read_bytes()
        for content, code in ((good[:-1] + bytes([good[-1] ^ 1]), "ND5002"), (good[:-1], "ND5007")):
            file.write_bytes(content)
            refused(tmp_path / "n.nd", code)
        file.write_bytes(good)
    open_bundle(tmp_path / "n.nd")


def test_large_networks_have_fewer_golden_steps() -> None:
    def dense(side: int) -> Network:
        populations = {
            "i": Population("i", (side,), "input"), "o": Population("o", (side,), "lif", {"du": 0, "dv": 0, "vth": 1})
        }  # fmt: skip
        weight = np.broadcast_to(np.zeros(1, np.int8), (side, side))
        return Network("n", populations, (Projection("p", "i", "o", Dense(weight)),), ("o",))

    assert [golden_steps(dense(side)) for side in (10, 5000, 20000)] == [16, 4, 0]


@pytest.mark.parametrize("seed", range(10))
def test_states_resume_with_the_same_bits(tmp_path: Path, seed: int) -> None:
    network, inputs, steps = random_network(seed)
    half = max(1, steps // 2)
    first, rest = (
        {name: array[:, part] for name, array in inputs.items()} for part in (slice(half), slice(half, None))
    )
    begun = RUNNER.run(network, first, half)
    write_state(tmp_path / "s.npz", begun.state, "abc")
    state, *_ = read_kept(tmp_path / "s.npz", network, "abc")
    assert state.step == half
    ended = RUNNER.run(network, rest, steps - half, state=state)
    same_result(joined(begun, ended), RUNNER.run(network, inputs, steps))


def test_states_that_are_none(tmp_path: Path) -> None:
    network, inputs, steps = random_network(1)
    path = tmp_path / "s.npz"
    refusals.refused(UserError, "ND3256", read_kept, path, network, "abc")
    write_state(path, RUNNER.run(network, inputs, steps).state, "abc")
    good = path.read_bytes()
    for content in (b"", b"junk", good[:-40], good[: len(good) // 2]):
        path.write_bytes(content)
        refusals.refused(BundleError, "ND5011", read_kept, path, network, "abc")
    path.write_bytes(good)
    refusals.refused(BundleError, "ND5011", read_kept, path, network, "abd")
    refusals.refused(BundleError, "ND5011", read_kept, path, random_network(2)[0], "abc")
