"""Segments of a program: derived from the graph, in an order in which everything is there before it is used."""

from __future__ import annotations

import numpy as np
import pytest

from neurodeploy.errors import InternalError
from neurodeploy.ir.fixedpoint import Dyadic
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.network import Network, Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.segments import Decode, Encode, HostStep
from neurodeploy.synapses import Dense
from tests.refusals import refused

ONE = Dyadic(1, 0)
INFO = ModelInfo("made up", "", 0, 0, 0, 0, "")


def layer(name: str) -> Population:
    return Population(name, (3,), "graded_affine", {"multiplier": 1, "shift": 0})


def source(name: str) -> Population:
    return Population(name, (3,), INPUT, {"bits": 8})


def join(a: str, b: str, instant: bool = True) -> Projection:
    return Projection(f"{a}>{b}", a, b, Dense(np.eye(3, dtype=np.int8)), graded=True, instant=instant)


def op(name: str, *inputs: str) -> HostOp:
    return HostOp(name, "silu", inputs, (f"{name}.out",))


def program(
    populations: list[Population], projections: list[Projection], host: list[HostStep], **given: str
) -> Program:
    decoded = tuple(step.population for step in host if isinstance(step, Decode)) or (populations[-1].name,)
    network = Network("made up", {p.name: p for p in populations}, tuple(projections), decoded)
    made = Program(INFO, network, tuple(host), **given)  # type: ignore[arg-type]
    made.check()
    return made


def encode(value: str, population: str) -> Encode:
    return Encode(value, population, ONE)


def decode(population: str, value: str) -> Decode:
    return Decode(population, ONE, (value,))


def test_without_a_host_the_network_is_the_one_segment() -> None:
    made = program([source("i"), layer("a"), layer("b")], [join("i", "a")], [])
    (segment,) = made.segments
    assert segment.network is made.network and made.schedule == (segment,) and made.streamed


def through_the_host(last: str, *more: Projection) -> Program:
    """A layer, a host operation on its output, and the last layer."""
    return program(
        [source("i"), layer("a"), source("j"), layer(last)],
        [join("i", "a"), join("j", last), *more],
        [encode("x", "i"), decode("a", "y"), op("act", "y"), encode("act.out", "j"), decode(last, "z")],
        input="x",
        output="z",
    )


def test_a_host_operation_between_two_layers_parts_them() -> None:
    made = through_the_host("b")
    assert [item.path for item in made.schedule] == ["a", "act", "b"]
    assert [tuple(s.network.populations) for s in made.segments] == [("i", "a"), ("j", "b")]
    assert [s.inputs + s.outputs for s in made.segments] == [("x", "y"), ("act.out", "z")]


def test_what_a_later_segment_reads_stays_on_the_chip() -> None:
    """The residual: `a` feeds `sum`, which waits for what the host makes of `a`."""
    made = through_the_host("sum", join("a", "sum"))
    first, second = made.segments
    assert (first.name, first.reads, first.network.outputs) == ("a", (), ("a",))
    assert (second.name, second.reads) == ("sum", ("a",))
    assert second.network.populations["a"].model == INPUT and set(second.network.inputs) == {"a", "j"}
    assert [item.path for item in made.schedule] == ["a", "act", "sum"]


def test_two_inputs_of_one_population_are_one_segment() -> None:
    """However many operations the host needs for the second."""
    made = program(
        [source("i"), layer("a"), source("j"), layer("b"), layer("sum")],
        [join("i", "a"), join("j", "b"), join("a", "sum"), join("b", "sum", instant=False)],
        [encode("x", "i"), op("act", "x"), encode("act.out", "j"), decode("sum", "z")],
        input="x",
        output="z",
    )
    assert [item.path for item in made.schedule] == ["act", "a"]
    assert made.segments[0].inputs == ("x", "act.out")


def test_a_loop_by_way_of_the_host_is_refused() -> None:
    says = "ND9004.*comes back to it by way of the host"
    refused(InternalError, says, through_the_host, "b", join("b", "a", instant=False))


@pytest.mark.parametrize(
    ("host", "problem"),
    [
        ([encode("y", "i"), decode("a", "y")], "uses 'y' before it is defined"),
        ([encode("x", "a"), decode("a", "z")], "is no input"),
        ([encode("x", "i"), encode("x", "i"), decode("a", "z")], "is encoded twice"),
        ([encode("x", "i"), Decode("a", ONE, ("y", "z"))], "has not a value a section"),
        ([encode("x", "i"), decode("nobody", "z")], "is no population"),
        ([decode("a", "z"), encode("z", "i")], "comes back to it by way of the host"),
        ([encode("x", "i"), decode("a", "y")], "the output is never computed"),
    ],
)
def test_what_does_not_agree_is_refused(host: list[HostStep], problem: str) -> None:
    network = Network("made up", {"i": source("i"), "a": layer("a")}, (join("i", "a"),), ("a",))
    with pytest.raises(InternalError, match=problem):
        Program(INFO, network, tuple(host), input="x", output="z").check()
