"""What is refused: with a code, the node's name, and something to do."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.reader import read
from simulators.float_network import run
from tests import refusals
from tests.frontends.nir.files import DT, Fields, by_hand, chain, lif, save, through

LIF: dict[str, Any] = {"type": "LIF", "tau": 0.02, "r": 1.0, "v_leak": 0.0, "v_threshold": np.ones(3)}
CONV: dict[str, Any] = {
    "type": "Conv2d", "weight": np.ones((3, 2, 3, 3)), "bias": np.zeros(3), "stride": 1, "padding": 0, "dilation": 1,
    "groups": 1, "input_shape": [8, 8],
}  # fmt: skip
LINEAR = {"type": "Linear", "weight": np.eye(3)}


def refused(tmp_path: Path, says: str, node: str, nodes: dict[str, Fields], ways: str = "") -> ModelError:
    error = refusals.refused(ModelError, says, read, by_hand(tmp_path / "net.nir", nodes, ways), DT)
    assert node in error.subject, error
    return error


BAD_FIELDS = {
    "unknown type": (r"ND1201 .*did you mean LIF\?", {"type": "LIIF"}),
    "no type": ("ND1203", {"tau": 1.0}),
    "unknown field": ("ND1202", {**LIF, "refractory": 3}),
    "field missing": ("ND1203", {key: LIF[key] for key in LIF if key != "tau"}),
    "text for numbers": ("ND1204", {**LIF, "tau": "0.02"}),
    "complex": ("ND1204", {**LIF, "tau": np.ones(3) * 1j}),
    "nan": ("ND1204", {**LIF, "v_threshold": np.array([1.0, np.nan, 1.0])}),
    "inf": ("ND1204", {"type": "Linear", "weight": np.full((3, 3), np.inf)}),
    "tau zero": ("ND1204", {**LIF, "tau": 0.0}),
    "tau negative": ("ND1204", {**LIF, "tau": np.array([0.1, -0.1, 0.1])}),
    "shapes differ": ("ND1204", {**LIF, "tau": np.ones(2)}),
    "empty": ("ND1204", {**LIF, "v_threshold": np.zeros(0)}),
    "weight of one axis": ("ND1204", {"type": "Linear", "weight": np.ones(3)}),
    "weight of three axes": ("ND1204", {"type": "Linear", "weight": np.ones((2, 3, 3))}),
    "bias too long": ("ND1204", {"type": "Affine", "weight": np.eye(3), "bias": np.zeros(4)}),
    "delay negative": ("ND1204", {"type": "Delay", "delay": -np.ones(3)}),
    "delay of ages": ("ND1210", {"type": "Delay", "delay": np.full(3, 1e6)}),
    "stride 0": ("ND1204", {**CONV, "stride": 0}),
    "stride of a half": ("ND1204", {**CONV, "stride": 0.5}),
    "stride of three": ("ND1204", {**CONV, "stride": [1, 1, 1]}),
    "stride huge": ("ND1204", {**CONV, "stride": 2**40}),
    "padding in a word": ("ND1204", {**CONV, "padding": "reflect"}),
    "padding negative": ("ND1204", {**CONV, "padding": -1}),
    "same with a stride": ("ND1204", {**CONV, "padding": "same", "stride": 2}),
    "groups that do not divide": ("ND1204", {**CONV, "groups": 2}),
    "groups huge": ("ND1204", {**CONV, "groups": 2**62}),
    "input_shape huge": ("ND1210", {**CONV, "input_shape": [2**20, 2**20]}),
    "input_shape zero": ("ND1204", {**CONV, "input_shape": [0, 8]}),
    "kernel larger than the image": ("ND1207", {**CONV, "input_shape": [2, 2]}),
    "padding makes it huge": ("ND1210", {**CONV, "padding": 60_000}),
    "not the shape that arrives": ("ND1207", {**LIF, "v_threshold": np.ones(4)}),
    "flatten of axes that are not there": ("ND1207", {"type": "Flatten", "start_dim": 2, "end_dim": 3}),
    "pool of a vector": ("ND1207", {"type": "SumPool2d", "kernel_size": 2}),
    "a table for an array": ("ND1282", {**LIF, "tau": np.zeros(3, [("a", "f4"), ("b", "i4")])}),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_FIELDS)
def test_fields(case: str, tmp_path: Path) -> None:
    code, fields = BAD_FIELDS[case]
    shape = None if fields.get("type") == "Conv2d" else [3]
    refused(tmp_path, code, "node", through(shape, shape, node=fields))


def test_a_group_where_an_array_should_be(tmp_path: Path) -> None:
    path = save(tmp_path, chain(nir.Linear(np.ones((3, 2))), lif(3)))
    with h5py.File(path, "a") as file:
        del file["node/nodes/lif/tau"]
        file.create_group("node/nodes/lif/tau")
    refusals.refused(ModelError, r"ND1202 .*lif: has a group where tau", read, path, DT)


BEHIND = {"a": LINEAR, "b": LINEAR, "behind": LINEAR}
IN = {"type": "Input", "shape": [3]}


@pytest.mark.parametrize(
    ("says", "node", "nodes", "ways"),
    [
        ("ND1209", "", through([3], [3], a=LINEAR, b=LINEAR), "in a b a, b out"),
        ("ND1209", "", through([3], [3], a=LINEAR), "in a a out"),
        ("ND1209 .*2 linear nodes", "a", through([3], [3], **BEHIND), "in a b a, b behind out"),
        ("ND1205", "", through([3], [3], a=LINEAR), "in a out, a ghost"),
        ("ND1205", "", through([3], [3], a=LINEAR), "in a out, a in"),
        ("ND1205", "", through([3], [3], a=LINEAR), "in a out a"),
        ("ND1208", "", {"a": {"type": "Scale", "scale": 2.0}, "out": {"type": "Output"}}, "a out"),
        ("ND1211", "net.nir", {"in": IN}, ""),
    ],
)
def test_edges(tmp_path: Path, says: str, node: str, nodes: dict[str, Fields], ways: str) -> None:
    refused(tmp_path, says, node, nodes, ways)


def test_a_delay_makes_a_cycle_possible(tmp_path: Path) -> None:
    nodes = through([3], [3], a=LINEAR, d={"type": "Delay", "delay": np.full(3, DT)})
    read(by_hand(tmp_path / "net.nir", nodes, "in a d a out"), DT)


def test_not_a_nir_file(tmp_path: Path) -> None:
    path = tmp_path / "x.nir"
    with h5py.File(path, "w") as file:
        file["layer/0/type"] = "dense"
    refusals.refused(ModelError, r"ND1200", read, path, DT)
    path.write_bytes(b"not HDF5")
    refusals.refused(ModelError, r"ND1280", read, path, DT)
    refusals.refused(ModelError, r"ND1001", read, tmp_path / "absent.nir", DT)


def test_a_slash_in_a_name(tmp_path: Path) -> None:
    graph = nir.NIRGraph({"in": nir.Input(np.array([3])), "a/b": lif(3), "out": nir.Output(np.array([3]))},
                         [("in", "a/b"), ("a/b", "out")])  # fmt: skip
    refusals.refused(ModelError, r"ND1213.*slash", read, save(tmp_path, graph), DT)


def test_a_name_that_cannot_be_printed(tmp_path: Path) -> None:
    assert "\x1b" not in str(refused(tmp_path, "ND1213", "", through([3], [3], **{"\x1b[2Jn": LIF}), ","))


@pytest.mark.parametrize("dt", [None, 0.0, -1.0, float("nan"), float("inf"), "1e-3"])
def test_the_time_step_is_needed_and_suggested(tmp_path: Path, dt: Any) -> None:
    path = save(tmp_path, chain(nir.Linear(np.ones((3, 2))), lif(3, tau=0.0025, r=25.0)))
    refusals.refused(ModelError, r"ND1212.*0.0001", read, path, dt)


def test_unknown_conventions(tmp_path: Path) -> None:
    path = save(tmp_path, chain(lif(3)))
    for options in ({"gain": "unit"}, {"reset": "zero"}):
        refusals.refused(ModelError, r"ND1212", read, path, DT, **options)


def test_links_and_far_declarations_are_the_guards(tmp_path: Path) -> None:
    """The guard's refusals come through with the place in the file."""
    path = save(tmp_path, chain(nir.Linear(np.ones((3, 2))), lif(3)))
    with h5py.File(path, "a") as file:
        file["node/nodes/lif2"] = h5py.SoftLink("/node/nodes/lif")
    refusals.refused(ModelError, r"ND1282.*lif2", read, path, DT)
    with h5py.File(path, "a") as file:
        del file["node/nodes/lif2"]
        del file["node/nodes/lif/tau"]
        file["node/nodes/lif"].create_dataset("tau", (1 << 40,), "f8", chunks=(1 << 20,))
    refusals.refused(ModelError, r"ND1281.*tau", read, path, DT)


def test_deep_nesting_and_many_ports_end_soon(tmp_path: Path) -> None:
    began = time.monotonic()
    sub: Fields = LIF
    for _ in range(60):
        sub = {"nodes": through([3], [3], n=sub), "ways": "in n out"}
    refused(tmp_path, "ND1281", "node", through([3], [3], node=sub))
    # Every port doubles the ways through it; sums stay one node each.
    layers = [["in"], *([f"p{k}a", f"p{k}b"] for k in range(30)), ["out"]]
    ways = ",".join(f"{a} {b}" for first, second in pairwise(layers) for a in first for b in second)
    port = {"nodes": through([3], [3]), "ways": "in out"}
    nodes = through([3], [3], **{name: port for pair in layers[1:-1] for name in pair})
    network = read(by_hand(tmp_path / "ports.nir", nodes, ways), DT)
    assert len(network.edges) < 1000 and time.monotonic() - began < 20
    result = run(network, {"in": np.ones((1, 1, 3))})
    np.testing.assert_array_equal(result.outputs["out"], np.full((1, 1, 3), 2.0**30))


def test_text_beside_the_graph_is_not_read(tmp_path: Path, isolated: None) -> None:
    """80 MB of it, in 80 kB of the file, stopped the reader for five minutes; a large field that NIR lacks is named."""
    path = save(tmp_path, chain(nir.Input({"input": np.array([3])}), lif(3), nir.Output({"output": np.array([3])})))
    alone = read(path, DT)
    text = {"data": np.full(40_000, b"x" * 2000, "S2000"), "compression": "gzip", "chunks": (4000,)}
    with h5py.File(path, "a") as file:
        file.create_dataset("notes", **text)
    found = read(path, DT)
    assert list(found.nodes) == list(alone.nodes)
    assert any("beside the graph: notes" in str(note) for note in found.notes)
    with h5py.File(path, "a") as file:
        next(iter(file["node/nodes"].values())).create_dataset("comment", **text)
    refusals.refused(ModelError, "ND1202 .*comment", read, path, DT)
