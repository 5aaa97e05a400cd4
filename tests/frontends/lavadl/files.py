"""Small `.net` files in the layout of slayer's export; a network played with spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurodeploy.frontends.lavadl import read_net, write_net
from neurodeploy.frontends.lavadl.writer import reading_options
from neurodeploy.ir.network import Network
from neurodeploy.ir.run import Probe, Runner

Fields = Mapping[str, Any]


def group(**given: Any) -> dict[str, Any]:
    """The neuron group of a layer."""
    return {f"neuron/{name}": value for name, value in given.items() if value is not None}


def cuba(**changed: Any) -> dict[str, Any]:
    usual = {"type": "CUBA", "iDecay": 1024, "vDecay": 128, "vThMant": 80, "refDelay": 1, "gradedSpike": False}
    return group(**{**usual, **changed})


def sdnn(**changed: Any) -> dict[str, Any]:
    return group(**{"type": "SDNN", "activation": "relu", "vThMant": 4, **changed})


#: What `dense` adds for CUBA neurons, taken away.
OFF = dict.fromkeys(cuba())


def dense(weight: Any, **more: Any) -> dict[str, Any]:
    weight = np.asarray(weight, np.float32)
    shape = {"inFeatures": weight.shape[1], "outFeatures": weight.shape[0]}
    return {"type": "dense", "shape": [weight.shape[0]], **shape, "weight": weight, **cuba(), **more}


def conv(weight: Any, shape: Sequence[int], **more: Any) -> dict[str, Any]:
    """`weight` (out, in / groups, ky, kx)."""
    weight = np.asarray(weight, np.float32)
    geometry = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
    return {"type": "conv", "shape": list(shape), "weight": weight, **geometry, **cuba(), **more}


def put(group: Any, fields: Fields) -> None:
    for name, value in fields.items():
        if value is None:
            continue
        if name == "type":
            group.create_dataset("type", (1,), "S10", [value.encode("ascii")])
        else:
            group.create_dataset(name, data=value)


def write(path: Path, layers: Sequence[Fields]) -> Path:
    with h5py.File(path, "w") as file:
        file["simulation/Ts"] = 1
        for index, fields in enumerate(layers):
            put(file.create_group(f"layer/{index}"), fields)
    return path


def rewritten(network: Network, path: Path) -> Network:
    """Written, and read back as it was."""
    write_net(network, path)
    sparse, bits = reading_options(network)
    return read_net(path, sparse_fc_layer=sparse, input_message_bits=bits)


def played(
    runner: type[Runner], network: Network, x: NDArray[Any], steps: int, probes: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Payloads of outputs and what is probed ("population.variable"), (neurons.., steps).

    `x` (neurons.., steps) are spikes of the only input; zeros follow them.
    """
    flat = x.reshape(-1, x.shape[-1])[:, :steps]
    fed = np.zeros((1, steps, flat.shape[0]), np.int64)
    fed[0, : flat.shape[1]] = flat.T
    found = runner().run(network, {network.inputs[0]: fed}, steps, probes=[Probe(*p.split(".", 1)) for p in probes])
    assert not found.activity.wrapped and not found.activity.saturated
    shapes = {name: population.shape for name, population in network.populations.items()}
    return {
        name: np.moveaxis(values[0].reshape(steps, *shapes[name.split(".")[0]]), 0, -1)
        for name, values in {**found.outputs, **found.probes}.items()
    }
