"""Every option that takes a number, of every verb, at numbers that nobody expects: an answer or an error with a code.

The options are read from the verbs themselves, so that a new one is tried without a line here.
"""

from __future__ import annotations

import shutil
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurodeploy.cli.entry import app
from tests.pipeline.networks import Files
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
            kinds = (
                (str(hint.__origin__), hint.__metadata__[0]) if typing.get_origin(hint) is typing.Annotated else ("",)
            )
            values = INTEGERS if "int" in kinds[0] else REALS if "float" in kinds[0] else ()
            for value in values:
                named = [text for text in getattr(kinds[1], "param_decls", None) or () if text.startswith("--")]
                yield verb, named[0] if named else f"--{name.strip('_').replace('_', '-')}", value


def calls(verb: str, files: Files, lm: str, here: Path) -> list[list[str]]:
    """The verb on a spiking network and on a language model."""
    net, spikes, out = str(here / "net.nd"), str(files.spikes), str(here / "out")
    shutil.copytree(files.plain_nd, net)
    on_both = {
        "convert": [
            ["convert", str(files.plain), "--dt", "1e-3", "--out", out],
            ["convert", str(files.net), "--out", out],
        ],
        "fit": [["fit", lm], ["fit", str(files.plain), "--dt", "1e-3"]],
        "map": [["map", net, "--system", "oheo-gulch"]],
        "generate": [["generate", lm, "--prompt", "abc", "--tokens", "2"]],
        "export": [["export", net, "--out", f"{out}.nir"], ["export", net, "--format", "sanafe", "--out", out]],
        "report": [["report", net, "--input", spikes, "--out", f"{out}.html"]],
    }
    text = here / "text.txt"
    text.write_text("The cat sat on the mat and looked at the moon. " * 4)
    plain = [[verb, net, "--input", spikes], [verb, lm, "--text", str(text)]]
    return on_both.get(verb, plain)


@pytest.mark.parametrize(("verb", "option", "value"), list(numbers()))
def test_a_number_that_nobody_expects(
    verb: str, option: str, value: str, files: Files, llama_bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    for arguments in calls(verb, files, str(llama_bundle), tmp_path):
        given = [*arguments]
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
    import nir
    import numpy as np

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
