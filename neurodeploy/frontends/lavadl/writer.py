"""`write_net`: a network that is a chain of layers as a lava-dl `.net` file, in the layout of slayer's export."""

from __future__ import annotations

import io
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.errors import BundleError, NeurodeployError
from neurodeploy.frontends.hdf5_guard import printable
from neurodeploy.frontends.lavadl.compare import difference
from neurodeploy.frontends.lavadl.encode import Fields, kernel, matrix, neuron_fields, refuse, whole_weights
from neurodeploy.frontends.lavadl.fields import INT32_MAX
from neurodeploy.frontends.lavadl.reader import DT, FORMAT, INPUT_NAME, NAME, TRANSFORM, read_net
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.neurons.registry import check_network
from neurodeploy.storage.temporary import written_aside
from neurodeploy.synapses import Direct, Sparse


def write_net(network: Network, path: Path | str) -> None:
    """Write a network, such that `read_net` with the options of `reading_options` gives the same again.

    Expressible are chains: one input, then populations of lif, atrlif, delta, sigma_delta, sigma, rf and rf_iz neurons
    joined by dense, sparse or convolutional projections, recurrent ones of a population onto itself, and sums of groups.
    Resets belong to whoever reads a file. Names and the time step are kept as HDF5 attributes that netx does not look at.

    Neurons that the input reaches without a synapse become slayer's input block, whose ``weight`` w and ``bias`` b make
    netx send int(w * x + b) of the data x: the recorded ones of a network that came from a .net, otherwise 1 and 0, so that
    the data are the payloads of the input, as in the network.

    The file is written beside its place, read back and compared, then renamed. Raises ND1290, naming the population, where
    anything would be lost; ND5004 where the folder does not exist, ND1291 where the system refuses; the errors of
    `check_network`.
    """
    path = Path(path)
    check_network(network)
    chain = _chain(network)
    transforms = _transforms(network, chain)
    layers = _layers(network, chain, transforms)
    sparse, bits = reading_options(network)
    try:
        if not path.parent.is_dir():
            raise BundleError("ND5004", path, "cannot be written: its folder does not exist", "make the folder first")
        with written_aside(path) as aside:
            aside.write_bytes(_file(network, chain[0], layers))
            try:
                again = read_net(aside, input_message_bits=bits, sparse_fc_layer=sparse)
            except NeurodeployError as error:
                raise refuse(chain[-1].name, f"the file would be refused: {error}") from None
            found = difference(network, again)
            if again.provenance[TRANSFORM] != transforms:
                found = found or (chain[1].name, "has another transform of its input in the file")
            if found:
                raise refuse(*found)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BundleError("ND1291", path, f"cannot be written: {reason}", "choose another place or make room") from None


def reading_options(network: Network) -> tuple[bool, int]:
    """``sparse_fc_layer`` and ``input_message_bits`` with which `read_net` gives a written network back."""
    sparse = any(
        type(p.synapse) is Sparse and network.populations[p.target].model != "graded_vec" for p in network.projections
    )
    fed = [p for p in network.projections if p.source in network.inputs and not p.synapse.wire]
    return sparse, 16 if any(p.graded for p in fed) else 0


def _chain(network: Network) -> list[Population]:
    """Populations from the input to the output. ND1290 where there is a branch."""
    if len(network.inputs) != 1:
        raise refuse(next(iter(network.populations)), f"the network has {len(network.inputs)} inputs")
    here = network.populations[network.inputs[0]]
    chain = [here]
    while True:
        onward = {p.target for p in network.projections if p.source == here.name and p.target != here.name}
        if not onward:
            break
        if len(onward) > 1 or (here := network.populations[onward.pop()]) in chain:
            raise refuse(here.name, "it is not one of a chain of layers")
        chain.append(here)
    missing = network.populations.keys() - {population.name for population in chain}
    if missing:
        raise refuse(min(missing), "it is not in the chain from the input to the output")
    if len(chain) == 1:
        raise refuse(here.name, "the network has no neurons")
    return chain


def _transforms(network: Network, chain: list[Population]) -> dict[str, dict[str, int]]:
    """``weight`` and ``bias`` of the input block, by its population; empty without one. ND1290 where they are not known."""
    first = chain[1].name
    has_block = any(p.target == first and p.synapse.wire for p in network.projections)
    recorded = network.provenance.get(TRANSFORM)
    if recorded is None and network.provenance.get("format") != FORMAT:
        return {first: {"weight": 1, "bias": 0}} if has_block else {}
    if not isinstance(recorded, Mapping):
        if not has_block:
            return {}
        raise refuse(first, f"the transform of its input is not recorded ({TRANSFORM} in the provenance)")
    if set(recorded) != ({first} if has_block else set()):
        names = ", ".join(printable(str(name)) for name in list(recorded)[:5]) or "no population"
        needed = "of its own input" if has_block else "of nothing, as a synapse comes before it"
        raise refuse(first, f"the provenance records an input transform of {names}, it needs one {needed}")
    return {str(name): _transform(str(name), values) for name, values in recorded.items()}


def _transform(name: str, values: object) -> dict[str, int]:
    """A recorded transform: two integers that `read_net` would read."""
    if isinstance(values, Mapping) and set(values) == {"weight", "bias"}:
        found = {key: values[key] for key in ("weight", "bias")}
        if all(type(value) is int and abs(value) <= INT32_MAX for value in found.values()):
            return found
    raise refuse(name, "the recorded transform of its input is not an integer weight and an integer bias of 31 bits")


def _layers(network: Network, chain: list[Population], transforms: Mapping[str, Mapping[str, int]]) -> list[Fields]:
    """The fields of every layer, by path."""
    layers: list[Fields] = []
    for source, population in pairwise(chain):
        arriving = [p for p in network.projections if p.target == population.name and p.source == source.name]
        own = [p for p in network.projections if p.target == population.name == p.source]
        if len({p.target_port for p in arriving}) < len(arriving):
            raise refuse(population.name, "two projections of one source reach one port")
        if len(source.shape) > 1 and not arriving[0].synapse.spatial:
            layers.append({"type": "flatten", "shape": np.array([source.size, 1, 1])})
        graded = any(p.graded for p in network.projections if p.source == population.name)
        if population.model == "graded_vec":
            fields: Fields = {"type": "average"}
        else:
            fields = {**_synapse_fields(arriving, own, source, population), **neuron_fields(population, graded)}
        if len(population.shape) == 3 and fields["type"] in ("average", "dense", "dense_rec"):
            raise refuse(population.name, "its neurons are not in a row")
        for p in network.projections:
            if p.source == population.name and p.synapse.spatial and p.delay is not None:
                fields["delay"] = np.ascontiguousarray(p.delay.reshape(population.shape).transpose())
        fields |= {"shape": np.array(population.shape[::-1]), "name": population.name}
        if fields["type"] == "input" and population.name in transforms:
            if "bias" in fields:
                raise refuse(population.name, "its neurons have a bias, and an input layer's is the bias of the data")
            fields |= {key: np.array([value]) for key, value in transforms[population.name].items()}
        layers.append(fields)
    if layers[0]["type"] != "input":
        layers.insert(0, {"type": "input", "shape": np.array(chain[0].shape[::-1])})
    return layers


def _synapse_fields(
    arriving: list[Projection], own: list[Projection], source: Population, target: Population
) -> Fields:
    """Type, weights and geometry of a layer with neurons."""
    named = {"a": "weight", "re": "weight/real", "im": "weight/imag"}
    kinds = {type(p.synapse) for p in arriving}
    if kinds == {Direct}:
        return {"type": "input"}
    if len(kinds) > 1 or any(p.target_port not in named for p in arriving):
        raise refuse(target.name, "its projections are of different kinds")
    fields: Fields = {"type": "dense"}
    for p in arriving:
        fields |= (_conv_fields if p.synapse.spatial else _matrix_fields)(p, named[p.target_port], source)
    if own:
        if len(own) > 1 or own[0].synapse.spatial:
            raise refuse(target.name, "its recurrence is not one dense or sparse projection")
        fields |= {"type": "dense_rec"}
        fields["weight_rec"], delay = matrix(own[0], target.shape)
        if delay is not None:
            raise refuse(target.name, "its recurrence has delays")
    return fields


def _conv_fields(p: Projection, name: str, source: Population) -> Fields:
    s: Any = p.synapse
    if s.output_padding != (0, 0):
        raise refuse(p.target, f"projection {p.name} has output padding")
    pairs = {key: np.array(getattr(s, key)[::-1]) for key in ("stride", "padding", "dilation")}
    weight = whole_weights(p, kernel(s))
    return {
        "type": "convT" if s.transposed else "conv", "groups": s.groups, name: weight, **pairs,
        "inChannels": s.input_shape[2], "outChannels": s.output_shape[2], "kernelSize": np.array(weight.shape[2:]),
    }  # fmt: skip


def _matrix_fields(p: Projection, name: str, source: Population) -> Fields:
    weight, delay = matrix(p, source.shape)
    fields = {name: weight, "inFeatures": p.synapse.columns, "outFeatures": p.synapse.rows}
    return fields | ({} if delay is None else {"delay": delay})


def _file(network: Network, source: Population, layers: list[Fields]) -> bytes:
    """The HDF5 file, made in memory: a full disk must not reach libhdf5 (h5py issue 914)."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        top = file.create_group("layer")
        top.attrs[INPUT_NAME] = source.name
        if network.dt is not None:
            for name, value in zip(DT, (network.dt.mantissa, network.dt.exponent), strict=True):
                top.attrs[name] = value
        for index, fields in enumerate(layers):
            group = top.create_group(str(index))
            if "name" in fields:
                group.attrs[NAME] = fields["name"]
            group.create_dataset("type", (1,), "S10", [fields["type"].encode("ascii")])
            for path, value in fields.items():
                if path not in ("type", "name"):
                    group.create_dataset(path, data=_stored(path, value))
    return stream.getvalue()


def _stored(path: str, value: Any) -> Any:
    """As slayer stores it: weights, biases and delays as float32, or as float64 where only that holds them exactly."""
    if path.split("/")[0] in ("weight", "weight_rec", "bias", "delay"):
        single = np.asarray(value, np.float32)
        exact = np.array_equal(single.astype(np.float64), np.asarray(value, np.float64))
        return single if exact else np.asarray(value, np.float64)
    return value
