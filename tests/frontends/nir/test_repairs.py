"""What a tolerant reader mends: the result is right, and the repair is told with the name of the node."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from neurodeploy.errors import ModelError
from neurodeploy.frontends.nir.reader import read
from neurodeploy.ir.float_network import FloatEdge, FloatNetwork
from tests.frontends.nir.files import DT, by_hand, chain, feed, lif, save
from tests.refusals import refused

LIF = {"type": "LIF", "tau": 0.02, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}
LINEAR = {"type": "Linear", "weight": np.ones((3, 2))}
CONV = {"type": "Conv2d", "weight": np.ones((3, 2, 3, 3)), "groups": 1}


def told(network: FloatNetwork, node: str, *words: str) -> bool:
    """A note on this node with all these words."""
    return any(
        (note.where.endswith(f":{node}") or note.where == node) and all(word in " ".join(note) for word in words)
        for note in network.notes
    )


def make(path: Path, nodes: dict[str, Any], *edges: tuple[str, str], version: str | None = "1.0.8") -> FloatNetwork:
    return read(by_hand(path / "net.nir", nodes, edges, version), DT)


def through(path: Path, first: list[int], last: list[int], version: str | None = "1.0.8", **nodes: Any) -> FloatNetwork:
    """Nodes in a row between an Input and an Output of these shapes."""
    row = {"in": {"type": "Input", "shape": first}, **nodes, "out": {"type": "Output", "shape": last}}
    return make(path, row, *pairwise(row), version=version)


def test_scalars_and_single_values_are_for_all(tmp_path: Path) -> None:
    network = through(tmp_path, [2], [3], w=LINEAR, n={**LIF, "tau": [0.02], "v_threshold": [1.0, 2.0, 3.0]})
    node = network.nodes["n"]
    assert {key: value.shape for key, value in node.params.items()} == dict.fromkeys(node.params, (3,))
    np.testing.assert_array_equal(node.params["v_threshold"], [1, 2, 3])
    np.testing.assert_array_equal(node.params["tau"], [0.02] * 3)
    assert told(network, "n", "tau", "one value for all (3,)")


def test_a_missing_v_reset_is_zero_and_an_old_version_is_read(tmp_path: Path) -> None:
    network = through(tmp_path, [3], [3], None, n={**LIF, "v_threshold": np.ones(3)})
    np.testing.assert_array_equal(network.nodes["n"].params["v_reset"], np.zeros(3))
    assert told(network, "n", "no v_reset", "taken as 0")
    assert any("version" in note.found for note in network.notes)


@pytest.mark.parametrize(("declared", "expected"), [((1, 3), (3,)), ((5, 7, 3), (3,)), ((3,), (3,)), (None, (3,))])
def test_batch_axes_and_missing_shapes_of_inputs(tmp_path: Path, declared: Any, expected: tuple[int, ...]) -> None:
    nodes, edges = feed({"n": {**LIF, "v_threshold": np.ones(3)}}, 3, ("in", "n"), ("n", "out"))
    nodes["in"] = {"type": "Input", "shape": None if declared is None else list(declared)}
    nodes["out"] = {"type": "Output", "shape": None if declared is None else list(declared)}
    if declared != (3,) and declared is not None:
        nodes["out"] = {"type": "Output", "shape": [1, 3]}
    network = make(tmp_path, nodes, *edges)
    assert network.nodes["in"].shape == expected
    assert told(network, "in", str(expected)) == (declared != (3,))


def test_a_batch_axis_before_an_image(tmp_path: Path) -> None:
    """(1, C, H, W) into a convolution without input_shape: what Norse and sinabs write."""
    conv = {**CONV, "padding": None, "stride": None, "dilation": [1, 1]}
    network = through(tmp_path, [1, 2, 8, 8], [3, 6, 6], c=conv)
    assert (network.nodes["in"].shape, network.nodes["c"].shape) == ((2, 8, 8), (3, 6, 6))
    np.testing.assert_array_equal(network.nodes["c"].params["bias"], np.zeros(3))
    assert told(network, "c", "no padding") and told(network, "c", "no stride") and told(network, "c", "no bias")
    assert told(network, "in", "batch")


def test_none_as_text_is_none(tmp_path: Path) -> None:
    conv = {**CONV, "padding": "None", "stride": 1, "dilation": 1, "bias": np.zeros(3), "input_shape": "None"}
    assert through(tmp_path, [2, 8, 8], [3, 6, 6], c=conv).nodes["c"].shape == (3, 6, 6)


def test_pools_without_a_stride_take_that_of_the_kernel(tmp_path: Path) -> None:
    pool = {"type": "SumPool2d", "kernel_size": [2, 2], "padding": 0}
    network = through(tmp_path, [2, 8, 8], [2, 4, 4], p=pool)
    assert network.nodes["p"].options["stride"] == (2, 2) and told(network, "p", "no stride")


def test_an_edge_that_stands_twice_counts_once(tmp_path: Path) -> None:
    nodes, edges = feed({"n": {**LIF, "v_threshold": np.ones(3)}}, 3, ("in", "n"), ("in", "n"), ("n", "out"))
    network = make(tmp_path, nodes, *edges)
    assert network.edges == (FloatEdge("in", "n"), FloatEdge("n", "out"))
    assert any("twice" in note.found for note in network.notes)


def test_a_subgraph_port_that_leads_nowhere_is_left_out(tmp_path: Path) -> None:
    """nir itself returns {input(3), output(5)} with two nodes more; here the ports go, the rest stays."""
    sub = {"nodes": {"i": {"type": "Input", "shape": [3]}, "o": {"type": "Output", "shape": [5]}}, "edges": []}
    nodes, edges = feed(
        {"n": {**LIF, "v_threshold": np.ones(3)}, "sub": sub}, 3, ("in", "n"), ("n", "out"), ("n", "sub")
    )
    network = make(tmp_path, nodes, *edges)
    assert set(network.nodes) == {"in", "n", "out"}
    assert told(network, "sub.i", "one side alone") and told(network, "sub.o", "not connected")


def test_edges_may_name_a_port(tmp_path: Path) -> None:
    ports = {name: {"type": "Input", "shape": [3]} for name in ("a", "b")}
    inner = {**ports, "n": {**LIF, "v_threshold": np.ones(3)}, "o": {"type": "Output", "shape": [3]}}
    sub = {"nodes": inner, "edges": [("a", "n"), ("b", "n"), ("n", "o")]}
    nodes, edges = feed({"sub": sub}, 3, ("in", "sub.a"), ("sub", "out"))
    network = make(tmp_path, nodes, *edges)
    assert set(network.edges) == {FloatEdge("in", "sub.n"), FloatEdge("sub.n", "out")}
    refused(ModelError, r"ND1206.*2 nodes of type Input", make, tmp_path, nodes, ("in", "sub"), ("sub", "out"))


def test_a_port_stays_where_its_sum_counts_twice(tmp_path: Path) -> None:
    """x -> port -> n beside x -> n is 2 x."""
    inner = {
        "i": {"type": "Input", "shape": [3]},
        "n": {**LIF, "v_threshold": np.ones(3)},
        "o": {"type": "Output", "shape": [3]},
    }
    sub = {"nodes": inner, "edges": [("i", "n"), ("n", "o")]}
    nodes, edges = feed({"sub": sub}, 3, ("in", "sub"), ("in", "sub.n"), ("sub", "out"))
    network = make(tmp_path, nodes, *edges)
    assert network.nodes["sub.i"].kind == "scale"
    assert {e[:2] for e in network.edges} == {("in", "sub.i"), ("sub.i", "sub.n"), ("in", "sub.n"), ("sub.n", "out")}


def test_missing_ports_are_added_as_nir_adds_them(tmp_path: Path) -> None:
    network = make(tmp_path, {"w": LINEAR, "n": {**LIF, "v_threshold": np.ones(3)}}, ("w", "n"))
    assert network.inputs == ("input_w",) and network.outputs == ("output_n",)
    assert network.nodes["input_w"].shape == (2,) and told(network, "w", "input_w")


def test_a_flatten_is_put_in_where_only_the_order_is_missing(tmp_path: Path) -> None:
    network = through(tmp_path, [2, 3, 4], [5], w={"type": "Linear", "weight": np.ones((5, 24))})
    assert network.nodes["in.flat.w"].shape == (24,) and told(network, "w", "flattened in C order")


def test_flatten_that_counts_a_batch_axis(tmp_path: Path) -> None:
    """start_dim = 1 of what has no batch: (C, H * W), and the Affine after it wants C * H * W."""
    flatten = {"type": "Flatten", "start_dim": 1, "end_dim": -1}
    network = through(tmp_path, [2, 3, 4], [5], f=flatten, w={"type": "Linear", "weight": np.ones((5, 24))})
    assert network.nodes["f"].shape == (2, 12) and network.nodes["f.flat.w"].shape == (24,)


def test_per_channel_parameters_spread_over_pixels(tmp_path: Path) -> None:
    threshold = np.arange(1.0, 3.0).reshape(2, 1, 1)
    nodes = {
        "in": {"type": "Input", "shape": [2, 3, 4]},
        "n": {**LIF, "v_threshold": threshold},
        "out": {"type": "Output"},
    }
    network = make(tmp_path, nodes, ("in", "n"), ("n", "out"))
    np.testing.assert_array_equal(network.nodes["n"].params["v_threshold"], np.broadcast_to(threshold, (2, 3, 4)))


def test_more_than_nir_beside_the_graph_is_told_and_ignored(tmp_path: Path) -> None:
    import h5py

    path = save(tmp_path, chain(nir.Linear(np.ones((3, 2))), lif(3)))
    with h5py.File(path, "a") as file:
        file["neurodeploy/program_json"] = "{}"
        file["node"].attrs["x"] = 1
    network = read(path, DT)
    assert any("neurodeploy" in note.found for note in network.notes)


def test_a_clean_file_has_no_repair(tmp_path: Path) -> None:
    """Only what was decided about the time step is told."""
    path = save(tmp_path, chain(nir.Affine(np.ones((3, 2)), np.zeros(3)), lif(3)))
    assert read(path, DT).notes == ()
