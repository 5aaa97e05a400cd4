"""`read_net`: a lava-dl `.net` file as a `Network`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import ModelError, UserError
from neurodeploy.frontends.hdf5_guard import AGAIN, Group, printable, read_tree
from neurodeploy.frontends.hdf5_worker import Wanted
from neurodeploy.frontends.lavadl import kernels, layers
from neurodeploy.frontends.lavadl.fields import Fields, Notes, per_neuron
from neurodeploy.frontends.lavadl.flow import EXTERNAL, Flow, Wire, delays
from neurodeploy.frontends.lavadl.layers import SUM_BITS, Builder, Layer
from neurodeploy.frontends.lavadl.neurons import Neuron, Options, read_neuron
from neurodeploy.ir.fixedpoint import Dyadic, Ints
from neurodeploy.ir.network import Network
from neurodeploy.neurons.registry import check_network

#: A layer's builder: adds to the network and returns what runs on to the next layer.
BUILDERS: Mapping[str, Callable[[Builder, Layer], Flow]] = {
    "input": layers.input_layer,
    "flatten": layers.flatten,
    "dense": layers.dense,
    "dense_rec": layers.dense,
    "dense_comp": layers.dense,
    "conv": kernels.conv,
    "convT": kernels.conv,
    "pool": kernels.pool,
    "unpool": kernels.pool,
    "average": layers.average,
    "concat": layers.concat,
}
PASSIVE = ("flatten", "concat")
#: Layers whose neurons are always in a row.
ROWS = ("dense", "dense_rec", "dense_comp", "average")
NOTHING = Neuron("", {}, 0)
#: HDF5 attributes in which `write_net` keeps names; other readers do not see them.
NAME, INPUT_NAME = "neurodeploy_name", "neurodeploy_input"
#: Likewise the length of a time step, ``mantissa * 2**exponent`` seconds.
DT = ("neurodeploy_dt_mantissa", "neurodeploy_dt_exponent")
NAME_LIMIT = 200
#: Entries of `Network.provenance`: what the network came from, and what the host does to the data of an input layer.
FORMAT, TRANSFORM = "lava-dl .net", "input_transform"


def read_net(path: Path | str, **options: Any) -> Network:
    """A network with the populations "layer0", "layer1", ... of the layers of a file, and "input" for what comes in.

    The options are those of netx's `Network` (`neurons.Options`). Layers before `skip_layers` only say what shape and
    message bits arrive. `input_shape` is (x, y, channels). With `reset_interval` LIF neurons forget every so many steps,
    each layer one step after the one before, the first in steps
    ``t % reset_interval == (reset_offset + 1) % reset_interval``.

    `provenance`: format, file, layers, options, "repairs" (values that were changed), "ignored" (fields without effect),
    "host" (work that is left to the host), "input_transform" (population -> {"weight": w, "bias": b}: of the data x the
    host sends it int(w * x + b); `write_net` writes it back).

    Raises ND1001, ND1280..ND1289, and the errors of `neurons.registry`.
    """
    given = Options(**options)
    given.check()
    path, notes = Path(path), Notes()
    root = read_tree(path, wanted=Wanted(frozenset({"layer"})))
    notes.ignored += [f"/{printable(name)} (not used for network exchange)" for name in root if name != "layer"]
    group = root.group("layer")
    total = len(group)
    if not total or set(group) != {str(i) for i in range(total)}:
        raise ModelError("ND1286", group.subject, "does not number its layers from 0", AGAIN)
    count = min(total, given.num_layers or total)
    if given.skip_layers >= count:
        raise UserError("ND1289", path, f"has {count} layers and {given.skip_layers} are to be skipped", "skip fewer")

    found: list[Layer] = []
    offset = given.reset_offset + 1
    for index in range(count):
        layer = _describe(group, index, path, given, offset, notes)
        found.append(layer)
        offset += index >= given.skip_layers and bool(layer.neuron.model) and layer.kind != "average"
    name = _name(group, INPUT_NAME, EXTERNAL)
    names = [name, *(layer.name for layer in found if layer.neuron.model)]
    if len(set(names)) < len(names):
        raise ModelError("ND1286", path, "gives two populations the same name", AGAIN)
    builder = Builder(found[:count], _start(found, given, name), given.sparse_fc_layer, notes)
    builder.external = name
    for layer in found[given.skip_layers :]:
        builder.flow = BUILDERS[layer.kind](builder, layer)
    return _finished(builder, found[given.skip_layers :], path, given, _dt(group))


def _describe(group: Group, index: int, path: Path, options: Options, offset: int, notes: Notes) -> Layer:
    """What a layer is, before anything is connected."""
    where = f"{path}:/layer/{index}"
    fields = Fields(group.group(str(index)), where)
    kind = fields.text("type")
    if kind not in BUILDERS:
        fix = f"layers can be {', '.join(BUILDERS)}"
        raise ModelError("ND1284", where, f"is of the unknown type {printable(kind)!r}", fix)
    if kind == "input" and index:
        raise fields.wrong("is an input that does not come first")
    name = _name(fields.group, NAME, f"layer{index}")
    if kind in PASSIVE:
        return Layer(index, kind, fields, name, NOTHING, Wire("", (1,), 0))
    shape = fields.shape()
    if kind in ROWS:
        shape = (int(np.prod(shape)),)
    if kind == "input" and not fields.has("neuron"):
        return Layer(index, kind, fields, name, NOTHING, Wire("", shape, 0))
    if kind == "average":
        return Layer(index, kind, fields, name, Neuron("graded_vec", {"vth": 0}, SUM_BITS), Wire(name, shape, SUM_BITS))
    if kind not in ROWS and kind != "input":
        fields.group.group("neuron")  # netx's default is for dense layers alone
    neuron = read_neuron(fields, shape, options, offset, notes, is_input=kind == "input")
    return Layer(
        index, kind, fields, name, neuron, Wire(name, shape, neuron.bits, _sent_late(fields, kind, shape, notes))
    )


def _sent_late(fields: Fields, kind: str, shape: tuple[int, ...], notes: Notes) -> Ints | None:
    """Axonal delays of what a layer sends, (size,). Those of a dense layer are netx's and lie on its own synapses."""
    if not fields.has("delay") or (kind == "dense" and "weight/imag" not in fields.group):
        return None
    values = per_neuron(delays(fields, notes), shape, fields.take("delay"))
    if kind not in ("dense_rec", "dense_comp"):
        notes.repairs.append(f"{fields.layer}: its axonal delays, which netx ignores here, are on what it sends")
    return np.broadcast_to(np.asarray(values, np.int64), (int(np.prod(shape)),))


def _name(group: Group, attribute: str, otherwise: str) -> str:
    """The name that `write_net` kept for a population, if any."""
    name = group.attrs.get(attribute, otherwise)
    if not isinstance(name, str) or not name or "/" in name or len(name) > NAME_LIMIT or not name.isprintable():
        raise ModelError("ND1286", group.subject, f"has an unusable {attribute}", AGAIN)
    return name


def _dt(group: Group) -> Dyadic | None:
    """The time step that `write_net` kept, if any."""
    mantissa, exponent = (group.attrs.get(name) for name in DT)
    if not (isinstance(mantissa, int) and isinstance(exponent, int) and mantissa > 0 and abs(exponent) < 1000):
        return None
    return Dyadic(mantissa, exponent)


def _start(found: list[Layer], options: Options, name: str) -> Flow:
    """What arrives at the first layer that is built: as netx, what the last skipped layer with neurons sends."""
    skip, shape, bits, flat = options.skip_layers, options.input_shape or (), options.input_message_bits, False
    for layer in found[: max(skip, 1)]:
        if layer.kind == "input" and (layer.neuron.model == "" or skip):
            shape, flat = layer.wire.shape, False
        elif layer.index < skip:
            shape, flat = (layer.wire.shape if layer.neuron.model else shape), layer.kind == "flatten" or flat
        if layer.index < skip and layer.neuron.model:
            bits = layer.neuron.bits
    return Flow((Wire(name, shape, bits),), flat, external=True)


def _finished(b: Builder, found: list[Layer], path: Path, options: Options, dt: Dyadic | None) -> Network:
    """The checked network: no field unread, some population there, outputs named."""
    built, notes = [layer for layer in found if layer.neuron.model], b.notes
    if not built:
        raise UserError("ND1289", path, "has no layer with neurons among those that are to be read", "read more layers")
    for layer in found:
        left = layer.fields.left()
        if left:
            names = ", ".join(printable(name) for name in left[:5])
            raise ModelError(
                "ND1287", layer.fields.where, f"has fields that nothing here knows: {names}", "remove them"
            )
        notes.ignored += [
            f"{layer.fields.layer}: attribute {printable(a)}" for a in layer.fields.group.attrs if a != NAME
        ]
    last = built[-1]
    if last.wire.delay is not None and last.wire.delay.any():
        notes.host.append(
            f"{last.fields.layer}: delay the payloads of {last.name}, by up to {int(last.wire.delay.max())}"
        )
    network = Network(
        path.stem or "net",
        b.populations,
        tuple(b.projections),
        (last.name,),
        dt,
        provenance={
            "format": FORMAT,
            "file": os.fspath(path.name),
            "layers": [f"{layer.index} {layer.kind} {layer.name if layer.neuron.model else '-'}" for layer in found],
            "options": {**asdict(options), "input_shape": options.input_shape and list(options.input_shape)},
            "repairs": notes.repairs,
            "ignored": notes.ignored,
            "host": notes.host,
            TRANSFORM: notes.transforms,
        },
    )
    check_network(network)
    return network
