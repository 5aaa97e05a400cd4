"""What is refused: with a code, the node's name, and something to do."""

from __future__ import annotations

import time
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
from tests.frontends.nir.files import DT, Fields, by_hand, chain, feed, lif, save

LIF: dict[str, Any] = {"type": "LIF", "tau": 0.02, "r": 1.0, "v_leak": 0.0, "v_threshold": np.ones(3)}
CONV: dict[str, Any] = {
    "type": "Conv2d", "weight": np.ones((3, 2, 3, 3)), "bias": np.zeros(3), "stride": 1, "padding": 0, "dilation": 1,
    "groups": 1, "input_shape": [8, 8],
}  # fmt: skip
LINEAR = {"type": "Linear", "weight": np.eye(3)}


def refused(tmp_path: Path, code: str, node: str, nodes: dict[str, Fields], *edges: tuple[str, str]) -> ModelError:
    error = refusals.refused(ModelError, code, read, by_hand(tmp_path / "net.nir", nodes, edges), DT)
    assert node in error.subject, error
    return error


def one(tmp_path: Path, code: str, fields: Fields) -> ModelError:
    """A network of one node called "node"."""
    nodes, edges = feed({"node": fields}, 3, ("in", "node"), ("node", "out"))
    return refused(tmp_path, code, "node", nodes, *edges)


BAD_FIELDS = {
    "unknown type": ("ND1201", {"type": "LIIF"}),
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
    if fields.get("type") == "Conv2d":
        nodes = {"in": {"type": "Input", "shape": None}, "node": fields, "out": {"type": "Output", "shape": None}}
        refused(tmp_path, code, "node", nodes, ("in", "node"), ("node", "out"))
    else:
        one(tmp_path, code, fields)


def test_an_unknown_type_gets_a_suggestion(tmp_path: Path) -> None:
    assert "did you mean LIF?" in one(tmp_path, "ND1201", {"type": "LIIF"}).fix


def test_a_group_where_an_array_should_be(tmp_path: Path) -> None:
    path = save(tmp_path, chain(nir.Linear(np.ones((3, 2))), lif(3)))
    with h5py.File(path, "a") as file:
        del file["node/nodes/lif/tau"]
        file.create_group("node/nodes/lif/tau")
    refusals.refused(ModelError, r"ND1202 .*lif: has a group where tau", read, path, DT)


@pytest.mark.parametrize(
    ("code", "nodes", "edges"),
    [
        ("ND1209", {"a": LINEAR, "b": LINEAR}, [("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")]),
        ("ND1209", {"a": LINEAR}, [("in", "a"), ("a", "a"), ("a", "out")]),
        ("ND1205", {"a": LINEAR}, [("in", "a"), ("a", "out"), ("a", "ghost")]),
        ("ND1205", {"a": LINEAR}, [("in", "a"), ("a", "out"), ("a", "in")]),
        ("ND1205", {"a": LINEAR}, [("in", "a"), ("a", "out"), ("out", "a")]),
        ("ND1208", {"a": {"type": "Scale", "scale": 2.0}}, [("a", "out")]),
    ],
)
def test_edges(tmp_path: Path, code: str, nodes: dict[str, Fields], edges: list[tuple[str, str]]) -> None:
    whole, _ = feed(nodes, 3)
    if code == "ND1208":
        whole = {**nodes, "out": {"type": "Output"}}
    refused(tmp_path, code, "", whole, *edges)


def test_a_cycle_of_linear_nodes_is_named_without_what_lies_behind(tmp_path: Path) -> None:
    nodes, _ = feed({"a": LINEAR, "b": LINEAR, "behind": LINEAR}, 3)
    error = refused(
        tmp_path, "ND1209", "a", nodes, ("in", "a"), ("a", "b"), ("b", "a"), ("b", "behind"), ("behind", "out")
    )
    assert "2 linear nodes" in error.problem


def test_a_delay_makes_a_cycle_possible(tmp_path: Path) -> None:
    nodes, edges = feed({"a": LINEAR, "d": {"type": "Delay", "delay": np.full(3, DT)}}, 3,
                        ("in", "a"), ("a", "d"), ("d", "a"), ("a", "out"))  # fmt: skip
    read(by_hand(tmp_path / "net.nir", nodes, edges), DT)


def test_no_output(tmp_path: Path) -> None:
    refused(tmp_path, "ND1211", "net.nir", {"in": {"type": "Input", "shape": [3]}})


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
    nodes, _ = feed({"\x1b[2Jn": {**LIF}}, 3)
    error = refused(tmp_path, "ND1213", "", nodes)
    assert "\x1b" not in str(error)


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
        inner = {"i": {"type": "Input", "shape": [3]}, "n": sub, "o": {"type": "Output", "shape": [3]}}
        sub = {"nodes": inner, "edges": [("i", "n"), ("n", "o")]}
    nodes, edges = feed({"node": sub}, 3, ("in", "node"), ("node", "out"))
    refused(tmp_path, "ND1281", "node", nodes, *edges)
    # Every port doubles the ways through it; sums stay one node each.
    chain_of: dict[str, Fields] = {}
    links = []
    before = ["in"]
    for k in range(30):
        for side in "ab":
            ports = {"i": {"type": "Input", "shape": [3]}, "o": {"type": "Output", "shape": [3]}}
            chain_of[f"p{k}{side}"] = {"nodes": ports, "edges": [("i", "o")]}
            links += [(name, f"p{k}{side}") for name in before]
        before = [f"p{k}a", f"p{k}b"]
    nodes, _ = feed(chain_of, 3)
    network = read(by_hand(tmp_path / "ports.nir", nodes, [*links, ("p29a", "out"), ("p29b", "out")]), DT)
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
    assert list(found.nodes) == list(alone.nodes) and any(
        "beside the graph: notes" in str(note) for note in found.notes
    )
    with h5py.File(path, "a") as file:
        next(iter(file["node/nodes"].values())).create_dataset("comment", **text)
    refusals.refused(ModelError, "ND1202 .*comment", read, path, DT)
