"""What a tolerant reader mends: the result is right, and the repair is told with the name of the node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.reader import read
from neurodeploy.ir.float_network import FloatEdge, FloatNetwork
from tests.frontends.nir.files import DT, by_hand, chain, lif, save, through
from tests.refusals import refused

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
    refused(ModelError, r"ND1206.*2 nodes of type Input", make, tmp_path, nodes, "in sub out")


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
