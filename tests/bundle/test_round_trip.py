"""What is written is what is read: arrays, program, plain NIR; the same input gives the same bytes; weights stay on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import hdf5, open_bundle
from neurodeploy.bundle.linear_files import row_scales, rows_of, write_image, write_nir
from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.frontends.families import read_graph
from neurodeploy.frontends.nir.schema import NIR_VERSION
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import WeightStore
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.synapses.linear import LinearLayer, linear_layer, linear_layers
from tests.bundle.changes import sign
from tests.tiny import environment, snapshot


@pytest.fixture(params=["llama", "experts"])
def family(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A model and its bundle."""
    return request.getfixturevalue(request.param), request.getfixturevalue(f"{request.param}_bundle")


def in_memory(model: Path, bundle: Path) -> tuple[Program, WeightStore]:
    """The program that the bundle was written from: converted again from the same bytes of text, never written."""
    graph = read_graph(model)
    text = (Path(pipeline.converting.__file__).parent.parent / "conversion" / "calibration.txt").read_bytes()
    recorded = json.loads((bundle / "conversion.json").read_text())["calibration"]
    assert hashlib.sha256(text).hexdigest() == recorded["sha256"]
    kept = bytes(b for b in text.decode().encode() if b < min(graph.info.vocab_size, 256))
    tokens = np.frombuffer(kept[: recorded["tokens"]], np.uint8).astype(np.int64)
    window = min(get_preset("quick").window, graph.info.max_positions)
    return quantize(graph, tokens, get_preset("quick", calibration_tokens=96, window=window)), graph.weights


def plain(value: Any) -> Any:
    """Types and contents of dataclasses, arrays, mappings and tuples, for `assert_equal`."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value
    if is_dataclass(value):
        return type(value).__name__, {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return tuple(map(plain, value)) if isinstance(value, tuple) else (type(value).__name__, value)


def test_everything_comes_back(family: tuple[Path, Path]) -> None:
    made, weights = in_memory(*family)
    read = open_bundle(family[1])
    for name in ("info", "sizes", "input", "output", "host", "network"):
        np.testing.assert_equal(plain(getattr(read.program, name)), plain(getattr(made, name)), name)
    used = {name for step in made.operations for name in step.weights.values()}
    assert set(read.host_weights.names()) == used
    for name in used:
        np.testing.assert_equal(plain(read.host_weights.get(name)), plain(weights.get(name)), name)


def test_same_input_same_bytes(family: tuple[Path, Path], tmp_path: Path) -> None:
    model, bundle = family
    again = tmp_path / "again.nd"
    pipeline.convert(model, again, preset="quick", calibration_tokens=96)
    first, second = ({k[len(str(root)) :]: v for k, v in snapshot(root).items()} for root in (bundle, again))
    first.pop("/mapping.json", None)
    assert first == second


def test_mapping_comes_back(llama_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.nd"
    shutil.copytree(llama_bundle, copy)
    body = open_bundle(copy).read_mapping()
    opened = open_bundle(copy)
    opened.write_mapping(body)
    assert opened.read_mapping() == body
    assert (copy / "mapping.json").read_bytes() == (llama_bundle / "mapping.json").read_bytes()


# -- NIR ------------------------------------------------------------------------------------------------------------


def same_graph(a: nir.NIRGraph, b: nir.NIRGraph) -> None:
    """Edges, and of every node, in order, its type, and its arrays or values with their types."""
    assert sorted(a.edges) == sorted(b.edges)
    one, other = (
        [
            (name, type(node).__name__, key, np.shape(value), np.asarray(value).dtype.str, value)
            for name, node in graph.nodes.items()
            for key, value in {"": 0, **vars(node)}.items()
            if key not in ("input_type", "output_type", "metadata")
        ]
        for graph in (a, b)
    )
    np.testing.assert_equal(one, other)


def layout(path: Path) -> dict[str, Any]:
    """Every group and dataset of an HDF5 file, with types and contents; edges in order."""
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        content = item[()] if isinstance(item, h5py.Dataset) else None
        content = np.sort(content, axis=0) if name.endswith("edges") else content
        found[name] = "group" if content is None else (item.dtype.str, item.shape, content)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def biased(layer: LinearLayer) -> LinearLayer:
    """The same layer with a bias, so that it becomes `nir.Affine`."""
    bias = np.arange(layer.neurons.size, dtype=np.int64) * 1000 - 7
    return replace(layer, neurons=replace(layer.neurons, params={**layer.neurons.params, "bias": bias}))


def layers_of(bundle: Path) -> list[LinearLayer]:
    return linear_layers(open_bundle(bundle).program)


def test_plain_nir_reads_and_writes_every_island(family: tuple[Path, Path], tmp_path: Path) -> None:
    found = layers_of(family[1])
    assert len(found) == len(open_bundle(family[1]).program.network.projections)
    for layer in found:
        graph = nir.read(family[1] / "islands" / f"{layer.name}.nir")
        kinds = {key: type(node).__name__ for key, node in graph.nodes.items()}
        assert kinds == {"input": "Input", "synapses": "Linear", "scale": "Scale", "output": "Output"}
        assert sorted(graph.edges) == [("input", "synapses"), ("scale", "output"), ("synapses", "scale")]
        weight = graph.nodes["synapses"].weight
        assert weight.dtype == np.int8
        assert np.array_equal(weight, layer.synapses.synapse.weight)
        assert np.array_equal(graph.nodes["scale"].scale, row_scales(layer))
        assert graph.nodes["input"].input_type["input"] == [layer.source.size]
        assert graph.nodes["output"].output_type["output"] == [layer.neurons.size]
        nir.write(tmp_path / "again.nir", graph)
        same_graph(graph, nir.read(tmp_path / "again.nir"))


@pytest.mark.parametrize("with_bias", [False, True])
def test_layout_is_that_of_nir_write(llama_bundle: Path, tmp_path: Path, with_bias: bool) -> None:
    """Group for group and type for type what `nir.write` makes of the same graph; only contents of strings may be ours."""
    layer = layers_of(llama_bundle)[0]
    ours, theirs = tmp_path / "ours.nir", tmp_path / "theirs.nir"
    write_nir(ours, biased(layer) if with_bias else layer, "a note")
    graph = nir.read(ours)
    assert type(graph.nodes["synapses"]).__name__ == ("Affine" if with_bias else "Linear")
    nir.write(theirs, graph)
    same_graph(graph, nir.read(theirs))
    left, right = layout(ours), layout(theirs)
    assert left.pop("version")[2].decode() == NIR_VERSION and right.pop("version")
    np.testing.assert_equal(left, right)


def test_nir_means_what_runs(llama_bundle: Path) -> None:
    """``scale * (W x)`` in floating point is the island's output, to the rounding of its state and multiplier."""
    from simulators import get_runner

    for layer in layers_of(llama_bundle):
        graph = nir.read(llama_bundle / "islands" / f"{layer.name}.nir")
        payload = np.random.default_rng(1).integers(-20_000, 20_001, (3, layer.source.size))
        exponents = 0 if layer.synapses.axon_exp is None else layer.synapses.axon_exp.astype(np.int64)
        scale = layer.encode.scale.value
        real = (payload * np.ldexp(scale, exponents)) @ graph.nodes["synapses"].weight.T.astype(np.float64)
        real *= graph.nodes["scale"].scale
        network = Network(
            layer.name, {p.name: p for p in (layer.source, layer.neurons)}, (layer.synapses,), (layer.name,)
        )
        run = get_runner("reference").run(network, {layer.source.name: payload[:, None]}, 1)
        out = run.outputs[layer.name][:, 0] * layer.decode.scale.value
        unit = row_scales(layer).astype(np.float64) * scale * 2.0 ** int(layer.neurons.params["acc_shift"])
        bound = 0.5 * unit + 0.51 * layer.decode.scale.value + 1e-6 * np.abs(real)
        assert (np.abs(out - real) <= bound).all(), layer.name


# -- laziness -------------------------------------------------------------------------------------------------------


def test_weights_stay_on_disk(llama_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but those that are smaller than a map is worth."""
    monkeypatch.setattr(hdf5, "SMALL", 0)
    for layer in layers_of(llama_bundle):
        weight = layer.synapses.synapse.weight
        assert isinstance(weight, np.memmap)
        assert Path(str(weight.filename)).parent == (llama_bundle / "islands").resolve()


def enlarged(bundle: Path, copy: Path, **sizes: tuple[int, int]) -> None:
    """The bundle with further layers (rows, columns), each of the value before it, the first of the last norm's."""
    shutil.copytree(bundle, copy)
    program = json.loads((copy / "program.json").read_text())
    value, one = "norm", Dyadic(1, 0)
    for name, (rows, columns) in sizes.items():
        layer = linear_layer(
            name, np.ones((rows, columns), np.int8), {"multiplier": np.ones(rows, np.int16), "shift": 0},
            scales=(one, one), values=(value, (name,)), block_sums=np.full(-(-columns // 256), 256, np.int64),
        )  # fmt: skip
        write_nir(copy / "islands" / f"{name}.nir", layer, name)
        write_image(copy / "islands" / f"{name}.q.h5", layer)
        populations, synapses = rows_of("islands", layer)
        program["network"]["populations"] += populations
        program["network"]["projections"].append(synapses)
        program["sizes"][name] = rows
        program["host"].insert(-2, {"encode": value, "population": f"{name}.input", "scale": [1, 0]})
        program["host"].insert(-2, {"decode": [name], "population": name, "scale": [1, 0]})
        value = name
    (copy / "program.json").write_text(json.dumps(program))
    sign(copy, "program.json", *(f"islands/{name}.{end}" for name in sizes for end in ("nir", "q.h5")))


def said_by(script: str, *arguments: Path) -> list[str]:
    """What a process of its own prints."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_opening_does_not_load_weights(llama_bundle: Path, tmp_path: Path) -> None:
    """A bundle with an island of 128 MB more: opening it must not take that memory (digests read in pieces)."""
    rows = 1 << 15
    enlarged(llama_bundle, tmp_path / "large.nd", large=(rows, 1 << 12))
    script = (
        "import resource, sys\n"
        "from neurodeploy.bundle import open_bundle\n"
        "from neurodeploy.errors import BundleError\n"
        "open_bundle(sys.argv[1])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    open_bundle(sys.argv[2])\n"
        "except BundleError as error:\n    print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    *said, grown = said_by(script, llama_bundle, tmp_path / "large.nd")
    # The layer was read (the program that has it is refused only afterwards, because it reads a value of another size).
    assert len(said) == 1 and f"large: inputs of [64] and outputs of [{rows}] neurons do not fit" in said[0]
    assert int(grown) * (1 if sys.platform == "darwin" else 1024) < 16e6


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is told by Linux")
def test_opening_and_a_token_allocate_less_than_a_tenth_of_the_weights(llama_bundle: Path, tmp_path: Path) -> None:
    """Memory that no file stands for, after the same was done with the small bundle: modules, kernels, threads."""
    enlarged(llama_bundle, tmp_path / "large.nd", wide=(1 << 13, 64), square=(1 << 13, 1 << 13))
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from neurodeploy.bundle import open_bundle\n"
        "from neurodeploy.hybrid import Hybrid\n"
        "from simulators import get_runner\n"
        "def anonymous():\n"
        "    status = Path('/proc/self/status').read_text()\n"
        "    return int(status.split('RssAnon:')[1].split()[0]) * 1024\n"
        "def token(path):\n"
        "    bundle = open_bundle(Path(path))\n"
        "    hybrid = Hybrid(bundle.program, bundle.host_weights, get_runner('fast'))\n"
        "    hybrid.forward([1])\n"
        "    return hybrid\n"
        "token(sys.argv[1])\n"
        "before = anonymous()\n"
        "hybrid = token(sys.argv[2])\n"
        "events = hybrid.take_counts().segments['square'].fired['square']['s'].sum()\n"
        "print(events, anonymous() - before)\n"
    )
    events, grown = map(int, said_by(script, llama_bundle, tmp_path / "large.nd")[-1].split())
    assert events and grown < 0.1 * (1 << 26)
