"""What a tolerant reader mends, and what it refuses.

The result of a repair is right, and it is told with the name of the node; a refusal has a code, the node's name, and
something to do.
"""

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
from neurodeploy.ir.float_network import FloatEdge, FloatNetwork
from simulators.float_network import run
from tests import refusals
from tests.frontends.nir.files import DT, Fields, by_hand, chain, lif, save, through

LIF = {"type": "LIF", "tau": 0.02, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}
LINEAR = {"type": "Linear", "weight": np.ones((3, 2))}
CONV = {"type": "Conv2d", "weight": np.ones((3, 2, 3, 3)), "groups": 1}


NEURON = {**LIF, "v_threshold": np.ones(3)}
PORT_IN, PORT_OUT = {"type": "Input", "shape": [3]}, {"type": "Output", "shape": [3]}


def told(network: FloatNetwork, node: str, *words: str) -> bool:
    """A note on this node with all these words."""
    return any(
        (note.where.endswith(f":{node}") or note.where == node) and all(word in " ".join(note) for word in words)
        for note in network.notes
    )


def make(path: Path, nodes: dict[str, Any], ways: str = "", version: str | None = "1.0.8") -> FloatNetwork:
    return read(by_hand(path / "net.nir", nodes, ways, version), DT)


CHANNELS = np.arange(1.0, 3.0).reshape(2, 1, 1)
WIDE = {"type": "Linear", "weight": np.ones((5, 24))}
#: Nodes in a row -> shapes, parameters and options that are read; node and words of what is told.
MENDED: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[tuple[str, ...]]]] = {
    "scalars and single values are for all": (
        through([2], [3], w=LINEAR, n={**LIF, "tau": [0.02], "v_threshold": [1.0, 2.0, 3.0]}), {"n": (3,)},
        {"n": {"v_threshold": [1, 2, 3], "tau": [0.02] * 3, "r": [1] * 3, "v_leak": [0] * 3, "v_reset": [0] * 3}},
        [("n", "tau", "one value for all (3,)")],
    ),
    # (1, C, H, W) into a convolution without input_shape: what Norse and sinabs write.
    "a batch axis before an image": (
        through([1, 2, 8, 8], [3, 6, 6], c={**CONV, "padding": None, "stride": None, "dilation": [1, 1]}),
        {"in": (2, 8, 8), "c": (3, 6, 6)}, {"c": {"bias": np.zeros(3)}},
        [("c", "no padding"), ("c", "no stride"), ("c", "no bias"), ("in", "batch")],
    ),
    "None as text": (
        through([2, 8, 8], [3, 6, 6], c={**CONV, "padding": "None", "stride": 1, "dilation": 1, "bias": np.zeros(3),
                                         "input_shape": "None"}),
        {"c": (3, 6, 6)}, {}, [],
    ),
    "a pool without a stride takes that of the kernel": (
        through([2, 8, 8], [2, 4, 4], p={"type": "SumPool2d", "kernel_size": [2, 2], "padding": 0}), {},
        {"p": {"stride": (2, 2)}}, [("p", "no stride")],
    ),
    "a flatten is put in where only the order is missing": (
        through([2, 3, 4], [5], w=WIDE), {"in.flat.w": (24,)}, {}, [("w", "flattened in C order")],
    ),
    # start_dim = 1 of what has no batch: (C, H * W), and the Affine after it wants C * H * W.
    "a flatten that counts a batch axis": (
        through([2, 3, 4], [5], f={"type": "Flatten", "start_dim": 1, "end_dim": -1}, w=WIDE),
        {"f": (2, 12), "f.flat.w": (24,)}, {}, [],
    ),
    "parameters of a channel spread over pixels": (
        through([2, 3, 4], None, n={**LIF, "v_threshold": CHANNELS}), {},
        {"n": {"v_threshold": np.broadcast_to(CHANNELS, (2, 3, 4))}}, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MENDED)
def test_what_is_mended(tmp_path: Path, name: str) -> None:
    nodes, shapes, values, notes = MENDED[name]
    network = make(tmp_path, nodes)
    assert {node: network.nodes[node].shape for node in shapes} == shapes
    for node, fields in values.items():
        for key, value in fields.items():
            np.testing.assert_array_equal({**network.nodes[node].params, **network.nodes[node].options}[key], value)
    assert all(told(network, *words) for words in notes)


def test_a_missing_v_reset_is_zero_and_an_old_version_is_read(tmp_path: Path) -> None:
    network = make(tmp_path, through([3], [3], n=NEURON), version=None)
    np.testing.assert_array_equal(network.nodes["n"].params["v_reset"], np.zeros(3))
    assert told(network, "n", "no v_reset", "taken as 0")
    assert any("version" in note.found for note in network.notes)


@pytest.mark.parametrize(("declared", "expected"), [((1, 3), (3,)), ((5, 7, 3), (3,)), ((3,), (3,)), (None, (3,))])
def test_batch_axes_and_missing_shapes_of_inputs(tmp_path: Path, declared: Any, expected: tuple[int, ...]) -> None:
    shape = None if declared is None else list(declared)
    network = make(tmp_path, through(shape, [1, 3] if shape and len(shape) > 1 else shape, n=NEURON))
    assert network.nodes["in"].shape == expected
    assert told(network, "in", str(expected)) == (declared != (3,))


def test_an_edge_that_stands_twice_counts_once(tmp_path: Path) -> None:
    network = make(tmp_path, through([3], [3], n=NEURON), "in n out, in n")
    assert network.edges == (FloatEdge("in", "n"), FloatEdge("n", "out"))
    assert any("twice" in note.found for note in network.notes)


def test_a_subgraph_port_that_leads_nowhere_is_left_out(tmp_path: Path) -> None:
    """nir itself returns {input(3), output(5)} with two nodes more; here the ports go, the rest stays."""
    sub = {"nodes": {"i": PORT_IN, "o": {"type": "Output", "shape": [5]}}, "ways": ","}
    network = make(tmp_path, through([3], [3], n=NEURON, sub=sub), "in n out, n sub")
    assert set(network.nodes) == {"in", "n", "out"}
    assert told(network, "sub.i", "one side alone") and told(network, "sub.o", "not connected")


def test_edges_may_name_a_port(tmp_path: Path) -> None:
    sub = {"nodes": {"a": PORT_IN, "b": PORT_IN, "n": NEURON, "o": PORT_OUT}, "ways": "a n o, b n"}
    nodes = through([3], [3], sub=sub)
    network = make(tmp_path, nodes, "in sub.a, sub out")
    assert set(network.edges) == {FloatEdge("in", "sub.n"), FloatEdge("sub.n", "out")}
    refused(tmp_path, r"ND1206.*2 nodes of type Input", "net.nir", nodes, "in sub out")


def test_a_port_stays_where_its_sum_counts_twice(tmp_path: Path) -> None:
    """x -> port -> n beside x -> n is 2 x."""
    sub = {"nodes": {"i": PORT_IN, "n": NEURON, "o": PORT_OUT}, "ways": "i n o"}
    network = make(tmp_path, through([3], [3], sub=sub), "in sub out, in sub.n")
    assert network.nodes["sub.i"].kind == "scale"
    assert {e[:2] for e in network.edges} == {("in", "sub.i"), ("sub.i", "sub.n"), ("in", "sub.n"), ("sub.n", "out")}


def test_missing_ports_are_added_as_nir_adds_them(tmp_path: Path) -> None:
    network = make(tmp_path, {"w": LINEAR, "n": NEURON})
    assert network.inputs == ("input_w",) and network.outputs == ("output_n",)
    assert network.nodes["input_w"].shape == (2,) and told(network, "w", "input_w")


def test_more_than_nir_beside_the_graph_is_told_and_ignored(tmp_path: Path) -> None:
    path = save(tmp_path, chain(nir.Linear(np.ones((3, 2))), lif(3)))
    with h5py.File(path, "a") as file:
        file["neurodeploy/program_json"] = "{}"
        file["node"].attrs["x"] = 1
    network = read(path, DT)
    assert any("neurodeploy" in note.found for note in network.notes)


def test_a_clean_file_has_no_repair(tmp_path: Path) -> None:
    assert read(save(tmp_path, chain(nir.Affine(np.ones((3, 2)), np.zeros(3)), lif(3))), DT).notes == ()


WHOLE = {**CONV, "bias": np.zeros(3), "stride": 1, "padding": 0, "dilation": 1, "input_shape": [8, 8]}
SQUARE = {"type": "Linear", "weight": np.eye(3)}


def refused(tmp_path: Path, says: str, node: str, nodes: dict[str, Fields], ways: str = "") -> ModelError:
    error = refusals.refused(ModelError, says, read, by_hand(tmp_path / "net.nir", nodes, ways), DT)
    assert node in error.subject, error
    return error


BAD_FIELDS = {
    "unknown type": (r"ND1201 .*did you mean LIF\?", {"type": "LIIF"}),
    "no type": ("ND1203", {"tau": 1.0}),
    "unknown field": ("ND1202", {**NEURON, "refractory": 3}),
    "field missing": ("ND1203", {key: NEURON[key] for key in NEURON if key != "tau"}),
    "text for numbers": ("ND1204", {**NEURON, "tau": "0.02"}),
    "complex": ("ND1204", {**NEURON, "tau": np.ones(3) * 1j}),
    "nan": ("ND1204", {**NEURON, "v_threshold": np.array([1.0, np.nan, 1.0])}),
    "inf": ("ND1204", {"type": "Linear", "weight": np.full((3, 3), np.inf)}),
    "tau zero": ("ND1204", {**NEURON, "tau": 0.0}),
    "tau negative": ("ND1204", {**NEURON, "tau": np.array([0.1, -0.1, 0.1])}),
    "shapes differ": ("ND1204", {**NEURON, "tau": np.ones(2)}),
    "empty": ("ND1204", {**NEURON, "v_threshold": np.zeros(0)}),
    "weight of one axis": ("ND1204", {"type": "Linear", "weight": np.ones(3)}),
    "weight of three axes": ("ND1204", {"type": "Linear", "weight": np.ones((2, 3, 3))}),
    "bias too long": ("ND1204", {"type": "Affine", "weight": np.eye(3), "bias": np.zeros(4)}),
    "delay negative": ("ND1204", {"type": "Delay", "delay": -np.ones(3)}),
    "delay of ages": ("ND1210", {"type": "Delay", "delay": np.full(3, 1e6)}),
    "stride 0": ("ND1204", {**WHOLE, "stride": 0}),
    "stride of a half": ("ND1204", {**WHOLE, "stride": 0.5}),
    "stride of three": ("ND1204", {**WHOLE, "stride": [1, 1, 1]}),
    "stride huge": ("ND1204", {**WHOLE, "stride": 2**40}),
    "padding in a word": ("ND1204", {**WHOLE, "padding": "reflect"}),
    "padding negative": ("ND1204", {**WHOLE, "padding": -1}),
    "same with a stride": ("ND1204", {**WHOLE, "padding": "same", "stride": 2}),
    "groups that do not divide": ("ND1204", {**WHOLE, "groups": 2}),
    "groups huge": ("ND1204", {**WHOLE, "groups": 2**62}),
    "input_shape huge": ("ND1210", {**WHOLE, "input_shape": [2**20, 2**20]}),
    "input_shape zero": ("ND1204", {**WHOLE, "input_shape": [0, 8]}),
    "kernel larger than the image": ("ND1207", {**WHOLE, "input_shape": [2, 2]}),
    "padding makes it huge": ("ND1210", {**WHOLE, "padding": 60_000}),
    "not the shape that arrives": ("ND1207", {**NEURON, "v_threshold": np.ones(4)}),
    "flatten of axes that are not there": ("ND1207", {"type": "Flatten", "start_dim": 2, "end_dim": 3}),
    "pool of a vector": ("ND1207", {"type": "SumPool2d", "kernel_size": 2}),
    "a table for an array": ("ND1282", {**NEURON, "tau": np.zeros(3, [("a", "f4"), ("b", "i4")])}),
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


BEHIND = {"a": SQUARE, "b": SQUARE, "behind": SQUARE}


@pytest.mark.parametrize(
    ("says", "node", "nodes", "ways"),
    [
        ("ND1209", "", through([3], [3], a=SQUARE, b=SQUARE), "in a b a, b out"),
        ("ND1209", "", through([3], [3], a=SQUARE), "in a a out"),
        ("ND1209 .*2 linear nodes", "a", through([3], [3], **BEHIND), "in a b a, b behind out"),
        ("ND1205", "", through([3], [3], a=SQUARE), "in a out, a ghost"),
        ("ND1205", "", through([3], [3], a=SQUARE), "in a out, a in"),
        ("ND1205", "", through([3], [3], a=SQUARE), "in a out a"),
        ("ND1208", "", {"a": {"type": "Scale", "scale": 2.0}, "out": {"type": "Output"}}, "a out"),
        ("ND1211", "net.nir", {"in": PORT_IN}, ""),
    ],
)
def test_edges(tmp_path: Path, says: str, node: str, nodes: dict[str, Fields], ways: str) -> None:
    refused(tmp_path, says, node, nodes, ways)


def test_a_delay_makes_a_cycle_possible(tmp_path: Path) -> None:
    nodes = through([3], [3], a=SQUARE, d={"type": "Delay", "delay": np.full(3, DT)})
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
    assert "\x1b" not in str(refused(tmp_path, "ND1213", "", through([3], [3], **{"\x1b[2Jn": NEURON}), ","))


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
    sub: Fields = NEURON
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
