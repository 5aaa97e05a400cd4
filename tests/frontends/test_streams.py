"""Input files of spiking networks: what is read, what is repaired with a note, what is refused with a code."""

from __future__ import annotations

import zipfile
from pathlib import Path

import nir
import numpy as np
import pytest

from neurodeploy.errors import UserError
from neurodeploy.frontends.streams import Stream, read_stream
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import Population
from neurodeploy.synapses import Dense
from tests.refusals import refused

DT = 1e-3
pytestmark = pytest.mark.usefixtures("isolated")


def network(*shapes: tuple[int, ...]) -> Network:
    inputs = {f"in{i}": Population(f"in{i}", shape, "input") for i, shape in enumerate(shapes)}
    target = Population("out", (1,), "lif", {"du": 0, "dv": 0, "vth": 1})
    projections = tuple(
        Projection(f"p{name}", name, "out", Dense(np.ones((1, p.size), np.int8))) for name, p in inputs.items()
    )
    return Network("net", {**inputs, "out": target}, projections, ("out",))


def read(folder: Path, values: object, *shapes: tuple[int, ...], **options: object) -> Stream:
    np.save(folder / "x.npy", values, allow_pickle=True)
    return read_stream(folder / "x.npy", network(*shapes), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(5, 6), (5, 2, 3, 1), (2, 5, 6), (2, 5, 2, 3, 1)])
def test_axes_are_recognised(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(-3, 4, shape).astype(np.int16)
    found = read(tmp_path, values, (2, 3, 1))
    assert (found.steps, found.samples) == (5, 2 if shape[0] == 2 else 1)
    assert found.inputs["in0"].dtype == np.int32
    np.testing.assert_array_equal(found.inputs["in0"].reshape(-1), values.reshape(-1))
    assert found.notes == []


def test_steps_cut_or_pad_and_say_so(tmp_path: Path) -> None:
    short, longer = (read(tmp_path, np.ones((4, 6), bool), (6,), steps=steps) for steps in (3, 6))
    assert short.inputs["in0"].shape == (1, 3, 6) and len(short.notes) == 1
    assert longer.inputs["in0"][0].sum() == 24 and longer.inputs["in0"].shape == (1, 6, 6) and len(longer.notes) == 1


def test_several_inputs_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", in0=np.ones((4, 6), int), in1=np.zeros((3, 2), int))
    found = read_stream(tmp_path / "x.npz", network((6,), (2,)))
    assert found.inputs["in1"].shape == (1, 4, 2)


def test_whole_numbers_in_float_are_taken_and_noted(tmp_path: Path) -> None:
    assert "whole numbers" in read(tmp_path, np.ones((4, 6)), (6,)).notes[0]


REFUSED = {
    "fractions": (np.full((4, 6), 0.5), "ND3253"),
    "not a number": (np.full((4, 6), np.nan), "ND3253"),
    "beyond 32 bits": (np.full((4, 6), 1 << 40), "ND3253"),
    "text": (np.full((4, 6), "x"), "ND3253"),
    "complex": (np.ones((4, 6), complex), "ND3253"),
    "wrong width": (np.ones((4, 5), int), "ND3252"),
    "one axis": (np.ones(6, int), "ND3252"),
    "five axes": (np.ones((1, 1, 1, 4, 6), int), "ND3252"),
    "no step": (np.ones((0, 6), int), "ND3252"),
    "objects": (np.array([[object()] * 6]), "ND3251"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_arrays(tmp_path: Path, name: str) -> None:
    values, code = REFUSED[name]
    error = refused(UserError, code, read, tmp_path, values, (6,))
    assert "x.npy" in error.subject


HEADER = "{'descr': '|i1', 'fortran_order': False, 'shape': (99999999999, 6), }".ljust(117) + "\n"
ONE = np.ones((4, 6), int)


@pytest.mark.parametrize("content", [b"", b"junk", b"\x93NUMPY", b"PK\x03\x04rest", b"\x89HDF\r\n\x1a\nrest"])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5", ".dat"])
def test_damaged_files(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_stream(path, network((6,)))
    assert caught.value.code in ("ND3251", "ND1280")


def test_what_is_missing_or_declared_only(tmp_path: Path) -> None:
    refused(UserError, "ND3251", read_stream, tmp_path / "none.npy", network((6,)))
    np.savez(tmp_path / "x.npz", in0=ONE, other=ONE)
    refused(UserError, "ND3252", read_stream, tmp_path / "x.npz", network((6,), (2,)))
    with zipfile.ZipFile(tmp_path / "y.npz", "w") as archive:
        archive.writestr("in0.npy", b"no array")
    refused(UserError, "ND3251", read_stream, tmp_path / "y.npz", network((6,)))
    # A header that declares too much allocates nothing.
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(HEADER).to_bytes(2, "little") + HEADER.encode())
    refused(UserError, "ND3254", read_stream, tmp_path / "x.npy", network((6,)))


# --- NIRData ---------------------------------------------------------------------------------------------------------


def recorded(path: Path, **nodes: object) -> Path:
    wrapped = {name: nir.NIRNodeData({"spikes": data}) for name, data in nodes.items()}  # type: ignore[dict-item]
    nir.write_data(path, nir.NIRGraphData(wrapped))  # type: ignore[arg-type]
    return path


def test_time_grid(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((2, 5, 6)) < 0.5
    path = recorded(tmp_path / "x.h5", in0=nir.TimeGriddedData(values, DT))
    found = read_stream(path, network((6,)), dt=DT)
    np.testing.assert_array_equal(found.inputs["in0"], values)
    assert found.notes == []
    assert "recorded with dt" in read_stream(path, network((6,)), dt=2 * DT).notes[0]


def test_events_fall_into_their_steps(tmp_path: Path) -> None:
    """3 * DT is 0.003 in floating point and belongs to step 4, whatever rounding says."""
    index = np.array([[0, 1, 2, 3, -1]])
    time = np.array([[0.0, 0.9 * DT, 3 * DT, 0.1 + 0.2 - 0.3 + 4 * DT, np.inf]])
    path = recorded(tmp_path / "x.h5", in0=nir.EventData(index, time, 6, 5 * DT))
    grid = read_stream(path, network((6,)), dt=DT).inputs["in0"][0]
    assert np.argwhere(grid).tolist() == [[0, 0], [0, 1], [3, 2], [4, 3]]


def test_events_that_share_a_step(tmp_path: Path) -> None:
    index, time = np.array([[0, 0]]), np.array([[0.1 * DT, 0.2 * DT]])
    plain = recorded(tmp_path / "x.h5", in0=nir.EventData(index, time, 6, DT))
    found = read_stream(plain, network((6,)), dt=DT)
    assert found.inputs["in0"][0, 0, 0] == 1 and "1 events share" in found.notes[0]
    valued = recorded(tmp_path / "y.h5", in0=nir.ValuedEventData(index, time, 6, DT, np.array([[3, 4]])))
    assert read_stream(valued, network((6,)), dt=DT).inputs["in0"][0, 0, 0] == 7


@pytest.mark.parametrize(
    ("event", "dt", "code"),
    [
        ((7, 0.0, 6, DT), DT, "ND3255"),
        ((0, 2 * DT, 6, DT), DT, "ND3255"),
        ((0, np.nan, 6, DT), DT, "ND3255"),
        ((0, 0.0, 6, DT), None, "ND3255"),
        ((0, 0.0, 6, 1e12), DT, "ND3254"),
        ((0, 0.0, 4, DT), DT, "ND3252"),
    ],
)
def test_refused_events(tmp_path: Path, event: tuple[int, float, int, float], dt: float | None, code: str) -> None:
    index, time, *sizes = event
    path = recorded(tmp_path / "x.h5", in0=nir.EventData(np.array([[index]]), np.array([[time]]), *sizes))
    refused(UserError, code, read_stream, path, network((6,)), dt=dt)


def test_other_nodes_are_noted(tmp_path: Path) -> None:
    grid = nir.TimeGriddedData(np.ones((1, 5, 6), bool), DT)
    path = recorded(tmp_path / "x.h5", in0=grid, hidden=grid)
    assert "hidden" in read_stream(path, network((6,)), dt=DT).notes[0]
