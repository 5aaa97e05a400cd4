"""Every node type of nir 1.0.8, as nir writes it; shapes, values, edges."""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import pytest

from neurodeploy.frontends.nir.reader import read
from neurodeploy.frontends.nir.schema import FIELDS
from neurodeploy.ir.float_network import KINDS, FloatEdge
from tests.frontends_nir.files import DT, chain, cubalif, lif, ones, save

rng = np.random.default_rng(0)
IMAGE = nir.Input(np.array([2, 8, 8]))
CONV2D = nir.Conv2d((8, 8), rng.normal(size=(3, 2, 3, 3)), 1, 1, 1, 1, rng.normal(size=3))
#: A chain for every type: the nodes between Input and Output, the node of that type, its kind, in and out shape.
TYPES = {
    "Affine": (nir.Affine(rng.normal(size=(3, 4)), rng.normal(size=3)), (4,), (3,)),
    "Linear": (nir.Linear(rng.normal(size=(3, 4))), (4,), (3,)),
    "Scale": (nir.Scale(rng.normal(size=4)), (4,), (4,)),
    "Delay": (nir.Delay(ones(0.003, 4)), (4,), (4,)),
    "Threshold": (nir.Threshold(ones(0.5, 4)), (4,), (4,)),
    "I": (nir.I(ones(2.0, 4)), (4,), (4,)),
    "IF": (nir.IF(ones(2.0, 4), ones(1.0, 4), ones(0.25, 4)), (4,), (4,)),
    "LI": (nir.LI(ones(0.02, 4), ones(2.0, 4), ones(0.1, 4)), (4,), (4,)),
    "LIF": (lif(4), (4,), (4,)),
    "CubaLI": (nir.CubaLI(ones(0.004, 4), ones(0.02, 4), ones(1.0, 4), ones(0.0, 4), ones(2.0, 4)), (4,), (4,)),
    "CubaLIF": (cubalif(4), (4,), (4,)),
    "Conv1d": (nir.Conv1d(9, rng.normal(size=(3, 2, 4)), 2, 1, 1, 1, rng.normal(size=3)), (2, 9), (3, 4)),
    "Conv2d": (CONV2D, (2, 8, 8), (3, 8, 8)),
    "SumPool2d": (nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])), (2, 8, 8), (2, 4, 4)),
    "AvgPool2d": (nir.AvgPool2d(np.array([3, 3]), np.array([1, 1]), np.array([1, 1])), (2, 8, 8), (2, 8, 8)),
    "Flatten": (nir.Flatten({"input": np.array([2, 8, 8])}, 0, -1), (2, 8, 8), (128,)),
}


def test_the_table_has_every_type_of_nir() -> None:
    """19 serialisable types: those of FIELDS and the graph itself."""
    assert set(FIELDS) | {"NIRGraph"} == set(nir.ir.__dict__["__all_ir"])
    assert {kind.nir for kind in KINDS.values()} == set(FIELDS)
    assert set(TYPES) | {"Input", "Output"} == set(FIELDS)


@pytest.mark.parametrize("kind", TYPES)
def test_every_type(kind: str, tmp_path: Path) -> None:
    node, in_shape, shape = TYPES[kind]
    graph = nir.NIRGraph(
        {"a": nir.Input(np.array(in_shape)), "node": node, "b": nir.Output(np.array(shape))},
        [("a", "node"), ("node", "b")],
    )
    network = read(save(tmp_path, graph), DT, gain="physical")
    found = network.nodes["node"]
    assert (KINDS[found.kind].nir, found.in_shape, found.shape) == (kind, in_shape, shape)
    for key, value in found.params.items():
        assert value.dtype == np.float64
        np.testing.assert_array_equal(value, getattr(node, key))
    assert network.edges == (FloatEdge("a", "node"), FloatEdge("node", "b"))
    assert network.inputs == ("a",) and network.outputs == ("b",) and network.dt == DT


def test_options_of_convolutions(tmp_path: Path) -> None:
    conv = nir.Conv2d((9, 7), rng.normal(size=(4, 1, 3, 3)), (2, 1), (1, 0), (1, 2), 2, np.zeros(4))
    conv.input_type = {"input": np.array([2, 9, 7])}  # nir forgets the groups
    graph = nir.NIRGraph(
        {"input": nir.Input(np.array([2, 9, 7])), "c": conv, "output": nir.Output(np.array([4, 5, 3]))},
        [("input", "c"), ("c", "output")],
        type_check=False,
    )
    node = read(save(tmp_path, graph), DT).nodes["c"]
    assert node.options == {"stride": (2, 1), "padding": ((1, 1), (0, 0)), "dilation": (1, 2), "groups": 2}
    assert (node.in_shape, node.shape) == ((2, 9, 7), (4, 5, 3))


@pytest.mark.parametrize(("padding", "expected"), [("same", ((1, 2), (1, 2))), ("valid", ((0, 0), (0, 0)))])
def test_padding_in_words(tmp_path: Path, padding: str, expected: object) -> None:
    conv = nir.Conv2d((8, 8), rng.normal(size=(3, 2, 4, 4)), 1, padding, 1, 1, np.zeros(3))
    assert read(save(tmp_path, chain(conv)), DT).nodes["conv2d"].options["padding"] == expected


def test_recurrent_edges_go_back_on_the_way_from_the_input(tmp_path: Path) -> None:
    graph = nir.NIRGraph(
        {
            "input": nir.Input(np.array([2])),
            "a": nir.Linear(rng.normal(size=(3, 2))),
            "n": lif(3),
            "again": nir.Affine(rng.normal(size=(3, 3)), np.zeros(3)),
            "self": nir.CubaLIF(*(ones(v, 3) for v in (0.01, 0.01, 1, 0, 1)), w_in=ones(1, 3)),
            "output": nir.Output(np.array([3])),
        },
        [
            ("input", "a"),
            ("a", "n"),
            ("n", "again"),
            ("again", "n"),
            ("n", "self"),
            ("self", "self"),
            ("self", "output"),
        ],
    )
    network = read(save(tmp_path, graph), DT)
    assert {e[:2] for e in network.edges if e.recurrent} == {("again", "n"), ("self", "self")}
    assert any(note.where.endswith(":n") and "again" in note.found for note in network.notes)


def test_nested_graphs_become_flat(tmp_path: Path) -> None:
    inner = nir.NIRGraph(
        {
            "input": nir.Input(np.array([3])),
            "lif": lif(3),
            "w": nir.Linear(np.eye(3)),
            "output": nir.Output(np.array([3])),
        },
        [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")],
    )
    middle = nir.NIRGraph(
        {"input": nir.Input(np.array([3])), "deep": inner, "output": nir.Output(np.array([3]))},
        [("input", "deep"), ("deep", "output")],
    )
    graph = nir.NIRGraph(
        {
            "input": nir.Input(np.array([2])),
            "a": nir.Linear(np.ones((3, 2))),
            "sub": middle,
            "output": nir.Output(np.array([3])),
        },
        [("input", "a"), ("a", "sub"), ("sub", "output")],
    )
    network = read(save(tmp_path, graph), DT)
    assert set(network.nodes) == {"input", "a", "sub.deep.lif", "sub.deep.w", "output"}
    assert set(network.edges) == {
        FloatEdge("input", "a"),
        FloatEdge("a", "sub.deep.lif"),
        FloatEdge("sub.deep.lif", "sub.deep.w"),
        FloatEdge("sub.deep.w", "sub.deep.lif", True),
        FloatEdge("sub.deep.lif", "output"),
    }


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    graph = nir.NIRGraph(
        {
            "left": nir.Input(np.array([2])), "right": nir.Input(np.array([3])), "a": nir.Linear(np.ones((4, 2))),
            "b": nir.Linear(np.ones((4, 3))), "n": lif(4),
            "one": nir.Output(np.array([4])), "two": nir.Output(np.array([3])),
        },
        [("left", "a"), ("right", "b"), ("a", "n"), ("b", "n"), ("n", "one"), ("right", "two")],
    )  # fmt: skip
    network = read(save(tmp_path, graph), DT)
    assert set(network.inputs) == {"left", "right"} and set(network.outputs) == {"one", "two"}
    assert len(network.into("n")) == 2


def test_integers_are_numbers(tmp_path: Path) -> None:
    """int8 weights and boolean vectors occur in files of quantised networks."""
    weight = np.array([[1, -2], [3, 4]], np.int8)
    network = read(save(tmp_path, chain(nir.Linear(weight), lif(2))), DT)
    np.testing.assert_array_equal(network.nodes["linear"].params["weight"], weight.astype(float))
