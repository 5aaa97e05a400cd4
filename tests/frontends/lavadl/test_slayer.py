"""What slayer's blocks exported and computed (`scripts/record_slayer_networks.py`), bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neurodeploy.frontends.lavadl import read_net
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Runner
from neurodeploy.synapses import Sparse
from simulators.fast.runner import FastRunner
from simulators.reference import ReferenceRunner
from tests.frontends.lavadl.files import played, rewritten

FIXTURES = Path(__file__).parent / "fixtures"
RUNNERS = (ReferenceRunner, FastRunner)
#: Options of `read_net` for each network. Before its input arrives a layer with a bias already runs here, as in netx: it
#: forgets when slayer starts.
OPTIONS: dict[str, dict[str, Any]] = {
    "convt": {"reset_interval": 1000, "reset_offset": 1},
    **{name: {} for name in ("pool", "delayed", "recurrent", "alif", "rf")},
    "sdnn": {"input_message_bits": 16},
}


def load(name: str, folder: Path, **options: Any) -> tuple[Network, dict[str, np.ndarray]]:
    stored = dict(np.load(FIXTURES / f"slayer_{name}.npz"))
    path = folder / f"{name}.net"
    path.write_bytes(stored["net"].tobytes())
    shape = stored["x"].shape[:-1][::-1]
    return read_net(path, input_shape=shape, **{**OPTIONS[name], **options}), stored


def turned(array: np.ndarray) -> np.ndarray:
    """Pixels (channel, y, x, ..) of slayer as (x, y, channel, ..) and back; vectors as they are."""
    return array.transpose(2, 1, 0, 3) if array.ndim == 4 else array


def run(network: Network, x: np.ndarray, runner: type[Runner]) -> dict[str, np.ndarray]:
    """Payloads of every population in slayer's order, (.., step)."""
    names = [name for name in network.populations if name != "input"]
    found = played(runner, network, turned(x).astype(np.int64), x.shape[-1], [f"{name}.s" for name in names])
    return {name: turned(found[f"{name}.s"]) for name in names}


def later(y: np.ndarray, delay: np.ndarray) -> np.ndarray:
    """Each channel by its own delay."""
    moved = np.zeros_like(y)
    for channel, steps in enumerate(delay):
        moved[channel, ..., steps:] = y[channel, ..., : y.shape[-1] - steps]
    return moved


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("name", OPTIONS)
def test_every_block(name: str, runner: type[Runner], tmp_path: Path) -> None:
    network, stored = load(name, tmp_path)
    found = run(network, stored["x"], runner)
    assert sum(int((stored[f"y{layer[5:]}"] != 0).sum()) for layer in found) > 20
    with h5py.File(tmp_path / f"{name}.net") as file:
        kinds = {f"layer{k}": group["type"][0] for k, group in file["layer"].items()}
        delays = {f"layer{k}": group["delay"][()].astype(int) for k, group in file["layer"].items() if "delay" in group}
    for layer, mine in found.items():
        theirs = stored[f"y{layer[5:]}"]
        if layer in delays and kinds[layer] != b"dense":  # there what a block sends, here the axons to the next block
            mine = later(mine, delays[layer])
        if name == "sdnn":  # there without the step of a synapse, once for each layer
            lag = 1 + list(found).index(layer)
            mine, theirs = mine[..., lag:], theirs[..., :-lag]
        np.testing.assert_array_equal(mine, theirs, err_msg=layer)


def test_delays_are_where_slayer_has_them(tmp_path: Path) -> None:
    network, _ = load("delayed", tmp_path)
    joined = ["input->layer0", "layer0->layer1", "layer1->layer3", "layer3->layer4"]
    delays = dict(zip(joined, ["none", "axon", "synapse", "none"], strict=True))
    assert {p.name: p.delay_by for p in network.projections} == delays
    assert any("layer 0: its axonal delays" in text for text in network.provenance["repairs"])


@pytest.mark.parametrize("name", ["alif", "recurrent", "delayed", "convt", "rf", "sdnn"])
def test_written_and_read_back_or_sparse_it_computes_the_same(name: str, tmp_path: Path) -> None:
    network, stored = load(name, tmp_path, reset_interval=None)
    others = [rewritten(network, tmp_path / "second.net")]
    if name in ("delayed", "recurrent", "rf"):
        others.append(load(name, tmp_path, reset_interval=None, sparse_fc_layer=True)[0])
        assert sum(isinstance(p.synapse, Sparse) for p in others[1].projections) >= 2
    ours = run(network, stored["x"], ReferenceRunner)
    for other in others:
        its = run(other, stored["x"], ReferenceRunner)
        for layer in ours:
            np.testing.assert_array_equal(ours[layer], its[layer])
