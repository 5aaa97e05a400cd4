"""Bundles of language models whose blocks are on the chip: nothing is stored twice, files of layers say what runs, and parts
of NIR come back as the integers that they were made of."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import hdf5, open_bundle
from neurodeploy.errors import BundleError, UserError
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.ir.payloads import Unit
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Encode
from neurodeploy.pipeline.checkpoint import DEFAULT_CALIBRATION
from simulators import get_runner
from tests.bundle.changes import Change, refused, rewrite, sign
from tests.bundle.test_round_trip import plain
from tests.pipeline.breaking import AT_THIRD_ISLAND, failing
from tests.refusals import refused as call_refused
from tests.tiny import Cli, Patch, snapshot

DOWN, UP = "layers.0.mlp.down_proj", "layers.0.mlp.gate_up"
NORM, GATE = "layers.0.post_attention_layernorm.root", "layers.0.mlp.down_proj.input"


@pytest.fixture
def bundle(block_bundle: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(block_bundle, tmp_path / "x.nd")


@pytest.fixture(scope="module")
def parts(block_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parts") / "x.parts"
    found = pipeline.export(block_bundle, out)
    assert found["bytes"] > 1000 and len(found["notes"]) == 1
    return out


# -- weights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["block_bundle", "parts"])
def test_weights_lie_in_their_nir_files_alone(which: str, request: Any, monkeypatch: Patch) -> None:
    """Of layers whose rows have other units than they were rounded with, too."""
    path = request.getfixturevalue(which)
    monkeypatch.setattr(hdf5, "SMALL", 0)
    folder = path / ("parts" if which == "parts" else "islands")
    matrices = [p for p in open_bundle(path).program.network.projections if p.name.endswith(".synapses")]
    assert len(matrices) == 9
    for p in matrices:
        weight: Any = p.synapse.weight
        assert isinstance(weight, np.memmap)
        assert Path(str(weight.filename)).parent == folder.resolve()
    with h5py.File(path / "network.h5", "r") as file:
        largest = max(array.size for array in file.values())
    assert largest < min(p.synapse.weight.size for p in matrices)


def test_parameters_of_a_layer_lie_beside_it_only(block_bundle: Path) -> None:
    """What rows were multiplied with before their units changed is in no file."""
    program = open_bundle(block_bundle).program
    rows = json.loads((block_bundle / "program.json").read_text())["network"]["populations"]
    for row in rows:
        image = block_bundle / "islands" / f"{row['name']}.q.h5"
        if image.exists():
            assert row["params"]["multiplier"]["in"] == f"islands/{image.name}"
            with h5py.File(image, "r") as file:
                stored = file["multiplier"][()]
            np.testing.assert_array_equal(stored, program.network.populations[row["name"]].params["multiplier"])
    assert not list((block_bundle / "islands").glob("*.tmp"))


def test_interrupted_conversion_goes_on(llama: Path, block_bundle: Path, tmp_path: Path, cli: Cli) -> None:
    """After three layers, and when all stand and the rest is written: the same bytes."""
    out = tmp_path / "x.nd"
    typed = ["convert", llama, "--out", out, "--preset", "quick", "--calibration-tokens", "96", "--on-chip", "block"]
    for target, count in (AT_THIRD_ISLAND, ("neurodeploy.bundle.golden.write_golden", 0)):
        with failing(target, KeyboardInterrupt(), count):
            assert cli(*typed).code == "ND3009"
    assert cli.json(*typed)["resumed"] > 2
    first, second = ({k[len(str(root)) :]: v for k, v in snapshot(root).items()} for root in (block_bundle, out))
    assert first == second


# -- NIR ------------------------------------------------------------------------------------------------------------


def computed(graph: nir.NIRGraph, given: dict[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """What a graph of NIR gives, in real numbers: each node of the sum of what leads to it."""
    values: dict[str, np.ndarray[Any, Any]] = dict(given)

    def value(name: str) -> np.ndarray[Any, Any]:
        if name not in values:
            x = np.sum([value(source) for source, target in graph.edges if target == name], axis=0)
            node = graph.nodes[name]
            kind = type(node).__name__
            if kind in ("Linear", "Affine"):
                x = x @ node.weight.T.astype(np.float64) + getattr(node, "bias", 0)
            elif kind == "Scale":
                x = x * node.scale.astype(np.float64)
            else:
                assert kind == "Output"
            values[name] = x
        return values[name]

    return {name: value(name) for name in graph.outputs}


def steps_of(program: Program, name: str) -> np.ndarray[Any, Any]:
    """The unit of each neuron, as the border says or the program."""
    size = program.network.populations[name].size
    for step in program.host:
        if not hasattr(step, "op") and step.path == name:
            axons = next((p.axon_exp for p in program.network.out_of(name) if p.axon_exp is not None), None)
            exponent = axons if isinstance(step, Encode) else None
            return Unit(step.scale, 0, exponent).steps(size)  # type: ignore[union-attr]
    return program.units[name].steps(size)


def test_parts_mean_what_runs(parts: Path, block_bundle: Path) -> None:
    """Every part in real numbers gives what its populations send, to the rounding of multipliers and payloads."""
    program = open_bundle(block_bundle).program
    text = np.frombuffer(DEFAULT_CALIBRATION.read_bytes()[:24], np.uint8).astype(
        np.int64
    )  # in range of what was calibrated
    sent = payloads(program, block_bundle, text)
    pieces = json.loads((parts / "parts.json").read_text())["pieces"]
    rows = [row for row in pieces if "part" in row]
    assert len(rows) == len(list((parts / "parts").glob("*.nir"))) == 9
    for row in rows:
        graph = nir.read(parts / row["part"])
        assert json.loads(graph.metadata["neurodeploy"]) == row
        given = {}
        for node, read in row["reads"].items():
            name, start, stop = read["neurons"]
            given[node] = (sent[name] * steps_of(program, name))[:, start:stop]
        for node, found in computed(graph, given).items():
            name = row["makes"][node]["population"]
            unit = steps_of(program, name)
            wanted = sent[name] * unit
            bound = 4 * unit + 2.0**-13 * np.abs(wanted) + 2.0**-15 * np.abs(wanted).max()
            assert (np.abs(found - wanted) <= bound).all(), (row["part"], node)
            assert np.abs(wanted).max() > 100 * unit.min()


def payloads(program: Program, bundle: Path, text: Ints) -> dict[str, Ints]:
    """What every population sends, (tokens, size)."""
    from neurodeploy.hybrid import Hybrid

    runner, seen = get_runner("reference"), dict[str, Ints]()
    inner = runner.run

    def run(network: Any, inputs: Any, steps: int, **rest: Any) -> Any:
        names = [name for name, p in network.populations.items() if p.model != "input"]
        whole = inner(replace(network, outputs=tuple(names)), inputs, steps)
        for name, array in {**inputs, **whole.outputs}.items():
            seen[name] = np.asarray(array).reshape(len(text), -1)
        return inner(network, inputs, steps, **rest)

    runner.run = run  # type: ignore[method-assign]
    Hybrid(program, open_bundle(bundle).host_weights, runner).forward(text)  # type: ignore[arg-type]
    return seen


def test_parts_are_read_back_as_what_they_were(parts: Path, block_bundle: Path) -> None:
    one, other = open_bundle(block_bundle), open_bundle(parts)
    for name in ("info", "sizes", "input", "output", "host", "network", "units"):
        np.testing.assert_equal(plain(getattr(other.program, name)), plain(getattr(one.program, name)), name)
    first = pipeline.generate(block_bundle, "abcd", 6)
    assert pipeline.generate(parts, "abcd", 6)["tokens"] == first["tokens"]


def test_pieces_are_in_order(parts: Path, block_bundle: Path) -> None:
    """Each reads what is there, and together they hold every population once."""
    program = open_bundle(block_bundle).program
    there, own = {"tokens"}, list[str]()
    for row in json.loads((parts / "parts.json").read_text())["pieces"]:
        if "host" in row:
            assert set(row["reads"]) <= there
            there |= set(row["makes"])
            continue
        for read in row["reads"].values():
            assert read["neurons"][0] in there or set(read["host_values"]) <= there
        for made in row["makes"].values():
            there |= {made["population"], *made.get("host_values", [])}
        own += row.get("cut", [])
    graphs = [nir.read(file) for file in sorted((parts / "parts").glob("*.nir"))]
    own += [name for graph in graphs for name, p in graph.nodes.items() if name in program.network.populations]
    inputs = {name for name, p in program.network.populations.items() if p.model == "input"}
    assert {*own} | inputs == {*program.network.populations}
    assert all(made in there for made in ("norm", "logits")) or program.output in there


def test_verify_compares_every_file(bundle: Path, tmp_path: Path) -> None:
    assert pipeline.verify(bundle)["layers_read_by_nir"] == 9
    out = tmp_path / "x.parts"
    pipeline.export(bundle, out)
    assert pipeline.verify(out)["layers_read_by_nir"] == 9
    for path, member in ((bundle, f"islands/{DOWN}.nir"), (out, "parts/0002.nir")):
        with h5py.File(path / member, "r+") as file:
            scale = next(node["scale"] for node in file["node/nodes"].values() if "scale" in node)
            scale[3] *= np.float32(1 + 2**-20)
        sign(path, member)
        call_refused(BundleError, "ND5008 .*differs", pipeline.verify, path)


def test_projections_alone_are_a_part_each(llama_bundle: Path, tmp_path: Path) -> None:
    pipeline.export(llama_bundle, tmp_path / "x.parts")
    assert pipeline.verify(tmp_path / "x.parts")["layers_read_by_nir"] == 9


def test_a_program_without_parts_is_refused(files: Any, tmp_path: Path) -> None:
    call_refused(UserError, "ND3291", pipeline.export, files.plain_nd, tmp_path / "x.parts")
    call_refused(BundleError, "ND5004", pipeline.export, files.plain_nd, _folder(tmp_path / "y.parts"))
    assert [path.name for path in tmp_path.iterdir()] == ["y.parts"]


def _folder(path: Path) -> Path:
    path.mkdir()
    (path / "work.txt").write_text("somebody's")
    return path


# -- what strangers write -------------------------------------------------------------------------------------------


def population(program: dict[str, Any], name: str) -> Any:
    return next(row for row in program["network"]["populations"] if row["name"] == name)


def exponents(program: dict[str, Any]) -> Any:
    return next(row["exponent"] for row in program["units"].values() if "exponent" in row)


LIES: dict[str, Change] = {
    "a table of another shape": lambda p: population(p, GATE)["params"]["table"]["array"].__setitem__(1, [1, 3]),
    "no table": lambda p: population(p, GATE)["params"].pop("table"),
    "a table for all": lambda p: population(p, GATE)["params"].update(table=7),
    "a parameter that no model has": lambda p: population(p, NORM)["params"].update(soma=1),
    "a bias of 40 bits": lambda p: population(p, NORM)["params"].update(bias=1 << 40),
    "units of no population": lambda p: p["units"].update(soma={"scale": [1, 0]}),
    "units of zero": lambda p: p["units"][UP].update(scale=[0, 0]),
    "units without a scale": lambda p: p["units"][UP].pop("scale"),
    "units of other neurons": lambda p: exponents(p)["array"].__setitem__(1, [3]),
    "units in no member": lambda p: exponents(p).update({"in": "secret.h5"}),
    "units that are a list": lambda p: p.update(units=[]),
}


@pytest.mark.parametrize("name", LIES)
def test_programs_that_lie(name: str, bundle: Path) -> None:
    rewrite(bundle, LIES[name])
    refused(bundle, "ND5003" if name == "units in no member" else "ND5006")


def test_units_that_are_far_apart(bundle: Path) -> None:
    with h5py.File(bundle / "network.h5", "r+") as file:
        next(array for name, array in file.items() if name.startswith("units"))[0] = 200
    sign(bundle, "network.h5")
    refused(bundle, "ND5006", "units of")
