"""Every node type of nir 1.0.8, as nir writes it and as we do: read -> write -> read is the identity, and nir reads it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurodeploy.errors import BundleError, UserError
from neurodeploy.frontends.nir.reader import read
from neurodeploy.frontends.nir.schema import FIELDS
from neurodeploy.frontends.nir.writer import write
from neurodeploy.ir.float_network import KINDS, FloatEdge, FloatNetwork
from simulators.float_network import run
from tests.conversion.nets import row, window
from tests.frontends.nir.files import DT, between, by_hand, chain, cubalif, edges, lif, ones, save, through
from tests.refusals import refused

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
    network = read(save(tmp_path, between(in_shape, shape, "input node output", node=node)), DT, gain="physical")
    found = network.nodes["node"]
    assert (KINDS[found.kind].nir, found.in_shape, found.shape) == (kind, in_shape, shape)
    for key, value in found.params.items():
        assert value.dtype == np.float64
        np.testing.assert_array_equal(value, getattr(node, key))
    assert network.edges == (FloatEdge("input", "node"), FloatEdge("node", "output"))
    assert network.inputs == ("input",) and network.outputs == ("output",) and network.dt == DT
    again = round_trip(network, tmp_path / "again.nir").nodes["node"]
    assert type(again).__name__ == kind
    for key, value in network.nodes["node"].params.items():
        np.testing.assert_array_equal(getattr(again, key), value)
        assert np.ndim(getattr(again, key)) > 0  # nir cannot write a 0-d array again


def test_options_of_convolutions(tmp_path: Path) -> None:
    conv = nir.Conv2d((9, 7), rng.normal(size=(4, 1, 3, 3)), (2, 1), (1, 0), (1, 2), 2, np.zeros(4))
    conv.input_type = {"input": np.array([2, 9, 7])}  # nir forgets the groups
    node = read(save(tmp_path, between((2, 9, 7), (4, 5, 3), "input c output", check=False, c=conv)), DT).nodes["c"]
    assert node.options == {"stride": (2, 1), "padding": ((1, 1), (0, 0)), "dilation": (1, 2), "groups": 2}
    assert (node.in_shape, node.shape) == ((2, 9, 7), (4, 5, 3))


@pytest.mark.parametrize(("padding", "expected"), [("same", ((1, 2), (1, 2))), ("valid", ((0, 0), (0, 0)))])
def test_padding_in_words(tmp_path: Path, padding: str, expected: object) -> None:
    conv = nir.Conv2d((8, 8), rng.normal(size=(3, 2, 4, 4)), 1, padding, 1, 1, np.zeros(3))
    assert read(save(tmp_path, chain(conv)), DT).nodes["conv2d"].options["padding"] == expected


def test_recurrent_edges_go_back_on_the_way_from_the_input(tmp_path: Path) -> None:
    own = nir.CubaLIF(*(ones(v, 3) for v in (0.01, 0.01, 1, 0, 1)), w_in=ones(1, 3))
    layers = {"a": nir.Linear(rng.normal(size=(3, 2))), "again": nir.Affine(rng.normal(size=(3, 3)), np.zeros(3))}
    graph = between(2, 3, "input a n again n self self output", **layers, n=lif(3), self=own)
    network = read(save(tmp_path, graph), DT)
    assert {e[:2] for e in network.edges if e.recurrent} == {("again", "n"), ("self", "self")}
    assert any(note.where.endswith(":n") and "again" in note.found for note in network.notes)


def test_nested_graphs_become_flat(tmp_path: Path) -> None:
    inner = between(3, 3, "input lif w lif output", lif=lif(3), w=nir.Linear(np.eye(3)))
    middle = between(3, 3, "input deep output", deep=inner)
    network = read(save(tmp_path, between(2, 3, "input a sub output", a=nir.Linear(np.ones((3, 2))), sub=middle)), DT)
    assert set(network.nodes) == {"input", "a", "sub.deep.lif", "sub.deep.w", "output"}
    ways = "input a sub.deep.lif output, sub.deep.lif sub.deep.w"
    assert set(network.edges) == {FloatEdge("sub.deep.w", "sub.deep.lif", True), *(FloatEdge(*e) for e in edges(ways))}
    assert set(round_trip(network, tmp_path / "again.nir").nodes) == set(network.nodes)


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    graph = nir.NIRGraph(
        {
            "left": nir.Input(np.array([2])), "right": nir.Input(np.array([3])), "a": nir.Linear(np.ones((4, 2))),
            "b": nir.Linear(np.ones((4, 3))), "n": lif(4),
            "one": nir.Output(np.array([4])), "two": nir.Output(np.array([3])),
        },
        edges("left a n one, right b n, right two"),
    )  # fmt: skip
    network = read(save(tmp_path, graph), DT)
    assert set(network.inputs) == {"left", "right"} and set(network.outputs) == {"one", "two"}
    assert len(network.into("n")) == 2


def test_integers_are_numbers(tmp_path: Path) -> None:
    """int8 weights and boolean vectors occur in files of quantised networks."""
    weight = np.array([[1, -2], [3, 4]], np.int8)
    network = read(save(tmp_path, chain(nir.Linear(weight), lif(2))), DT)
    np.testing.assert_array_equal(network.nodes["linear"].params["weight"], weight.astype(float))


gen = np.random.default_rng(3)


def same(a: FloatNetwork, b: FloatNetwork) -> None:
    """Nodes with all they have, and edges; not the order of nodes."""
    assert set(a.nodes) == set(b.nodes) and set(a.edges) == set(b.edges) and a.dt == b.dt
    for name, node in a.nodes.items():
        other = b.nodes[name]
        for key in ("kind", "in_shape", "shape", "options", "reset", "gain"):
            assert getattr(node, key) == getattr(other, key), (name, key)
        assert set(node.params) == set(other.params)
        for key, value in node.params.items():
            np.testing.assert_array_equal(value, other.params[key])


def round_trip(network: FloatNetwork, path: Path) -> nir.NIRGraph:
    """Write, read back with both readers."""
    write(network, path)
    same(network, read(path, network.dt))
    return nir.read(path)


def test_a_repaired_file_is_strict_afterwards(tmp_path: Path) -> None:
    """Scalars, a batch axis, a missing shape, a double edge: nir refuses the first file and takes the second."""
    conv = {"type": "Conv2d", "weight": gen.normal(size=(3, 2, 3, 3)), "stride": 1, "padding": 1, "dilation": 1, "groups": 1,
            "bias": np.zeros(3)}  # fmt: skip
    neuron = {"type": "IF", "r": 1.0, "v_threshold": 1.0}
    nodes = {"in": {"type": "Input", "shape": [1, 2, 6, 6]}, "c": conv, "n": neuron, "out": {"type": "Output"}}
    path = by_hand(tmp_path / "loose.nir", nodes, "in c n out, n out")
    with pytest.raises((TypeError, ValueError, AssertionError, AttributeError)):
        nir.read(path)
    graph = round_trip(read(path, DT), tmp_path / "strict.nir")
    assert list(graph.nodes["in"].input_type["input"]) == [2, 6, 6]
    assert graph.nodes["n"].v_threshold.shape == graph.nodes["n"].v_reset.shape == (3, 6, 6)
    assert list(graph.nodes["c"].input_shape) == [6, 6]


def test_groups_are_written_as_one(tmp_path: Path) -> None:
    conv = {"type": "Conv2d", "weight": gen.normal(size=(4, 1, 3, 3)), "bias": np.zeros(4), "stride": 1, "padding": 1,
            "dilation": 1, "groups": 2, "input_shape": [5, 5]}  # fmt: skip
    network = read(by_hand(tmp_path / "g.nir", through([2, 5, 5], [4, 5, 5], c=conv)), DT)
    assert any("groups" in note.found for note in write(network, tmp_path / "again.nir"))
    assert nir.read(tmp_path / "again.nir").nodes["c"].weight.shape == (4, 2, 3, 3)
    x = {"in": gen.normal(size=(1, 2, 50))}
    again = read(tmp_path / "again.nir", DT)
    np.testing.assert_allclose(run(network, x).outputs["out"], run(again, x).outputs["out"], rtol=1e-12, atol=1e-12)
    write(network, tmp_path / "groups.nir", strict=False)
    same(network, read(tmp_path / "groups.nir", DT))


def oblong(kernel: tuple[int, int], pads: tuple[tuple[int, int], ...] = ((0, 0), (0, 0))) -> FloatNetwork:
    """A convolution with a kernel that is not square."""
    return row(window("c", "conv2d", (2, 9, 9), gen.normal(size=(3, 2, *kernel)), padding=pads))


def test_kernels_that_are_not_square_are_filled_up_where_that_is_exact(tmp_path: Path) -> None:
    network = oblong((5, 3), ((2, 2), (1, 1)))
    notes = write(network, tmp_path / "a.nir")
    assert any("square" in note.found for note in notes)
    again = read(tmp_path / "a.nir", DT)
    assert nir.read(tmp_path / "a.nir").nodes["c"].weight.shape == (3, 2, 5, 5)
    x = {"input": gen.normal(size=(1, 2, 162))}
    ours, its = (run(made, x).outputs["output"] for made in (network, again))
    np.testing.assert_allclose(ours, its, rtol=1e-12, atol=1e-12)
    refused(UserError, r"ND1220 c: .*square", write, oblong((4, 3)), tmp_path / "b.nir")
    write(oblong((4, 3)), tmp_path / "b.nir", strict=False)
    assert read(tmp_path / "b.nir", DT).nodes["c"].shape == (3, 6, 7)


def test_uneven_padding_is_same_or_refused(tmp_path: Path) -> None:
    network = oblong((4, 4), ((1, 2), (1, 2)))
    round_trip(network, tmp_path / "a.nir")
    refused(UserError, r"ND1220 c: .*padding", write, oblong((4, 4), ((2, 1), (1, 2))), tmp_path / "b.nir")


def test_what_nir_cannot_say_is_told_and_kept_in_metadata(tmp_path: Path) -> None:
    network = read(save(tmp_path, chain(nir.IF(ones(1, 3), ones(1, 3), ones(0, 3)))), DT, reset="subtract")
    assert (network.nodes["if"].reset, network.nodes["if"].gain) == ("subtract", "per-step")
    notes = write(network, tmp_path / "again.nir")
    assert len(notes) == 2 and all(note.where == "if" for note in notes)
    same(network, read(tmp_path / "again.nir", DT))
    assert nir.read(tmp_path / "again.nir").nodes["if"].metadata["neurodeploy_reset"] == "subtract"
    assert read(tmp_path / "again.nir", DT, reset="value").nodes["if"].reset == "value"


def test_another_recurrent_edge_than_a_reader_would_choose_is_told(tmp_path: Path) -> None:
    network = read(save(tmp_path, chain(lif(3), lif(3))), DT)
    turned = replace(network, edges=(*network.edges[:-1], network.edges[-1]._replace(recurrent=True)))
    assert any("recurrent" in note.found for note in write(turned, tmp_path / "again.nir"))


def test_numbers_keep_every_bit(tmp_path: Path) -> None:
    """float32 where that is the same, float64 where not."""
    for value, dtype in ((0.5, np.float32), (0.1, np.float64), (float(np.float32(0.1)), np.float32)):
        network = read(save(tmp_path, chain(nir.Scale(np.full(3, value)))), DT)
        assert round_trip(network, tmp_path / "again.nir").nodes["scale"].scale.dtype == dtype


def test_names_with_a_slash_cannot_be_written(tmp_path: Path) -> None:
    network = read(save(tmp_path, chain(lif(3))), DT)
    nodes = {**network.nodes, "a/b": replace(network.nodes["lif"], name="a/b")}
    with pytest.raises(Exception, match=r"not a usable name"):
        write(replace(network, nodes=nodes), tmp_path / "x.nir")


def test_the_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = read(save(tmp_path, chain(lif(3))), DT)
    target = tmp_path / "x.nir"
    target.write_bytes(b"old")

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    refused(BundleError, r"ND5004 .*No space left", write, network, target)
    monkeypatch.undo()
    assert target.read_bytes() == b"old" and sorted(p.name for p in tmp_path.iterdir()) == ["net.nir", "x.nir"]
    (tmp_path / "folder").mkdir()
    refused(BundleError, r"ND5004", write, network, tmp_path / "folder")


def _random(draw: Any) -> nir.NIRGraph:
    """A chain of layers with skip and recurrent edges."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    seed = draw(st.integers(0, 2**32 - 1))
    own = np.random.default_rng(seed)
    nodes: dict[str, nir.NIRNode] = {}
    ways, before = [], "input"
    for k, (n, m) in enumerate(pairwise(sizes)):
        nodes[f"w{k}"] = nir.Affine(own.normal(size=(m, n)), own.normal(size=m))
        nodes[f"n{k}"] = own.choice([lif(m), cubalif(m), nir.LI(ones(0.02, m), ones(1, m), ones(0, m))])
        ways.append(f"{before} w{k} n{k}")
        if own.random() < 0.5:
            nodes[f"r{k}"] = nir.Linear(own.normal(size=(m, m)))
            ways.append(f"n{k} r{k} n{k}")
        before = f"n{k}"
    return between(sizes[0], sizes[-1], ",".join([*ways, f"{before} output"]), **nodes)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_random_networks(tmp_path: Path, data: Any) -> None:
    network = read(save(tmp_path, _random(data.draw)), DT)
    round_trip(network, tmp_path / "again.nir")


def test_written_files_are_small_and_in_one_piece(tmp_path: Path) -> None:
    linear = {"type": "Linear", "weight": gen.normal(size=(3, 3))}
    write(read(by_hand(tmp_path / "a.nir", through([3], [3], w=linear)), DT), tmp_path / "b.nir")
    with h5py.File(tmp_path / "b.nir") as file:
        assert file["node/nodes/w/weight"].id.get_offset() is not None
        assert file["version"][()] == b"1.0.8" and file["node/metadata/neurodeploy_dt"][()] == b"0.001 s"
