"""Every option that takes a number, of every verb, at numbers that nobody expects: an answer or an error with a code.

The options are read from the verbs themselves, so that a new one is tried without a line here.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path

import nir
import numpy as np
import pytest

from neurodeploy.cli.entry import app
from tests.pipeline.networks import World
from tests.tiny import Cli

INTEGERS, REALS = ("-1", f"{10**30}"), ("-1", "nan", "inf")
#: Verbs without a number, and the whole chain, whose numbers are those of its verbs.
LEFT_OUT = {"explain", "verify", "doctor", "demo"}


def numbers() -> Iterator[tuple[str, str, str]]:
    """(verb, option, value)"""
    for command in app.registered_commands:
        assert command.callback is not None
        verb = command.name or command.callback.__name__
        hints = typing.get_type_hints(command.callback, include_extras=True)
        for name, hint in hints.items() if verb not in LEFT_OUT else ():
            if typing.get_origin(hint) is typing.Annotated:
                kind, declared = str(hint.__origin__), getattr(hint.__metadata__[0], "param_decls", None) or ()
                names = [text for text in declared if text.startswith("--")]
                for value in INTEGERS if "int" in kind else REALS if "float" in kind else ():
                    yield verb, names[0] if names else f"--{name.strip('_').replace('_', '-')}", value


#: The verb on a spiking network and on a language model, as it is typed (`World.typed`), where that is not `USUAL`.
CALLS = {
    "convert": ["convert PLAIN --dt 1e-3 --out HERE/out", "convert NET --out HERE/out"],
    "fit": ["fit LM", "fit PLAIN --dt 1e-3"],
    "map": ["map PLAIN_ND --system oheo-gulch"],
    "generate": ["generate LM --prompt abc --tokens 2"],
    "export": ["export PLAIN_ND --out HERE/out.nir", "export PLAIN_ND --format sanafe --out HERE/out"],
    "report": ["report PLAIN_ND --input SPIKES --out HERE/out.html"],
}
USUAL = ["PLAIN_ND --input SPIKES", "LM --text OLDER/text.txt"]


@pytest.mark.parametrize(("verb", "option", "value"), list(numbers()))
def test_a_number_that_nobody_expects(verb: str, option: str, value: str, world: World, cli: Cli) -> None:
    for line in CALLS.get(verb, [f"{verb} {rest}" for rest in USUAL]):
        given = world.typed(line)
        if option in given:
            given[given.index(option) + 1] = value
        else:
            given += [option, value]
        found = cli(*given)
        assert found.status in (0, 2, 3, 4), found.err
        assert "ND9" not in found.err and "Traceback" not in found.err
        assert (found.status == 0) == (not any(line.startswith("error") for line in found.err.splitlines()[-1:]))


def test_numpy_remarks_nothing(tmp_path: Path, cli: Cli, recwarn: pytest.WarningsRecorder) -> None:
    """Delays over a time step of 1e-320 s overflow: the error says it, without two lines of Python before it."""
    nodes = {
        "in": nir.Input(np.array([2])), "d": nir.Delay(np.array([0.001, 0.002])), "w": nir.Linear(np.ones((2, 2))),
        "n": nir.IF(*(np.full(2, value) for value in (1.0, 1.0, 0.0))), "out": nir.Output(np.array([2])),
    }  # fmt: skip
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False))))
    found = cli("convert", tmp_path / "x.nir", "--dt", "1e-320", "--out", tmp_path / "x.nd")
    assert found.status == 2 and found.err.startswith("error ND1210")
    assert [str(w.message) for w in recwarn if issubclass(w.category, RuntimeWarning)] == []


def test_the_numbers_are_found() -> None:
    found = {(verb, option) for verb, option, _ in numbers()}
    assert {("map", "--seed"), ("run", "--steps"), ("convert", "--dt"), ("fit", "--memory-kib")} <= found
    assert len(found) > 30
