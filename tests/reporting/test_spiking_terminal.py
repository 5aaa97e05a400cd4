"""What the verbs of spiking networks print: the figures that matter, plain text whatever a file names its nodes."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from neurodeploy.reporting import terminal
from neurodeploy.reporting.terminal_run import gathered

HOSTILE = "\x1b[2J[bold]x[/bold]\x07"


def shown(function: Any, found: Any) -> str:
    out = io.StringIO()
    function(found, Console(file=out, width=140, highlight=False))
    return out.getvalue().replace("\u202f", " ").replace("\u00a0", " ")


def convert(**changes: Any) -> dict[str, Any]:
    return {
        "bundle": "x.nd", "model": "x", "family": "NIR", "dt_s": 1e-3, "neurons": 1, "populations": 2, "synapses": 8,
        "projections": 1, "inputs": {"in": [1, 5, 4]}, "outputs": {"out": [3]}, "worst_errors": [], "warnings": [],
        "seconds": 0.1, **changes,
    }  # fmt: skip


def run(**changes: Any) -> dict[str, Any]:
    output = {"messages": [3], "most_active": [2], "last": [[0, 7]], "graded": False, "latency": 2, "unit": 1.0}
    row = {
        "model": "lif",
        "layer": None,
        "neurons": 3,
        "messages": 7,
        "rate": 0.1,
        "updates": 9,
        "saturated": 0,
        "wrapped": 0,
    }
    link = {"source": "a", "target": "b", "layer": None, "events": 1, "density": 0.5, "synops": 2, "wrapped": 3}
    return {
        "model": "x", "runner": "fast", "first_step": 1, "steps": 5, "samples": 1, "populations": {"out": row},
        "projections": {"p": link}, "host_work": {"flops": 0, "bytes": 0}, "on_host": {}, "unit": "step",
        "outputs": {"out": output | changes.pop("output", {})}, "notes": [], "steps_per_s": 10.0, "out": None,
        "checkpoint": None, **changes,
    }  # fmt: skip


def compared(**changes: Any) -> dict[str, Any]:
    row = {
        "population": "out", "latency": 1, "float_spikes": 10.0, "chip_spikes": 9.0, "differing": 3, "compared": 100,
        "first_difference": 4, "graded": False, "worst": 0.5, "rate_error": 0.0, "early": 0, "same_decision": 3,
        "float_correct": None, "chip_correct": None, **changes,
    }  # fmt: skip
    return {"model": "x", "samples": 4, "steps": 5, "comparison": [row], "notes": []}


def test_lines_that_say_the_same_of_several_places_are_one() -> None:
    lines = ["a: x (y)", "b: x (y)", "c: x (y)", "d: x (y)", "d: x (y)", "lonely", "a: z: w"]
    assert gathered(lines) == ["a, b, c and 1 more: x (y)", "lonely", "a: z: w"]


def test_convert() -> None:
    text = shown(terminal.print_convert, convert(warnings=[f"n{i}: changed {i}" for i in range(30)]))
    assert "1 neuron in 2 populations" in text and "8 synapses in 1 projection;" in text
    assert "in: in 1 x 5 x 4; out: out 3" in text
    assert text.count("warning: ") == 10 and "and 20 more: see --json" in text


def test_run() -> None:
    text = shown(terminal.print_run, run(out="o.npz", checkpoint="s"))
    assert "out (2 steps later than in the source): most active neuron 2" in text
    assert "outputs written to o.npz" in text and "state written to s" in text
    text = shown(terminal.print_run, run(output={"graded": True, "latency": None}))
    assert "out: last payloads 0, 7" in text


def test_eval() -> None:
    text = shown(terminal.print_eval, compared())
    assert "3 %" in text and "same most active neuron in 3 of 4 samples (75 %)" in text and "right class" not in text
    text = shown(terminal.print_eval, compared(float_correct=4, chip_correct=1, early=1))
    assert "right class float 100 %, chip 25 %" in text and "1 message before the latency was over" in text
    text = shown(terminal.print_eval, compared(graded=True))
    assert "values, 1 step later, differ by at most 50 % of the largest value" in text and "Differing bins" not in text


def test_verify() -> None:
    found = {
        "bundle": "x.nd", "members": 5, "golden_vectors": {"reference": 1, "fast": 1}, "golden_steps": 16,
        "layers_read_by_nir": 0, "source_read_by_nir": True, "mapped": False, "executed": None,
        "violations": [],
    }  # fmt: skip
    text = shown(terminal.print_verify, found)
    assert "x.nd: sound" in text and "1 output over 16 golden steps: the same bits on reference and fast" in text
    assert "not mapped yet" in text
    done = {"system": "kapoho-point", "shards": 9, "cores": 4, "chips": 1}
    text = shown(terminal.print_verify, found | {"mapped": True, "executed": done})
    assert text.startswith(
        "x.nd: sound; its mapping was executed, 9 shards on 4 cores of kapoho-point: the same bits\n"
    )
    bad = shown(terminal.print_verify, found | {"violations": ["core 3: too full"], "golden_steps": 0})
    assert "exceeds its budgets" in bad and "core 3: too full" in bad and "no golden vectors" in bad


def test_explain() -> None:
    rows = [
        {
            "path": "populations.in",
            "device": "host",
            "rule": "outside",
            "reason": "from outside",
            "remedy": "",
            "bytes_per_token": 4,
        },
        {
            "path": "populations.out",
            "device": "chip",
            "rule": "neurons",
            "reason": "on cores",
            "remedy": "",
            "bytes_per_token": 0,
        },
    ]
    text = shown(terminal.print_explain, rows)
    assert "1 of 2 populations run on the chip" in text and "outside: from outside" in text and "on cores" not in text


def test_export() -> None:
    found = {"file": "x.nir", "what": "the integers", "bytes": 2000, "notes": ["a: left out", "b: left out"]}
    assert "note: a, b: left out" in shown(terminal.print_export, found)


def test_names_cannot_drive_the_terminal() -> None:
    for function, found in (
        (terminal.print_convert, convert(model=HOSTILE, warnings=[HOSTILE], inputs={HOSTILE: [1]})),
        (terminal.print_run, run(model=HOSTILE, notes=[HOSTILE], out=HOSTILE)),
        (terminal.print_eval, compared(population=HOSTILE)),
    ):
        text = shown(function, found)
        assert "\x1b" not in text and "\x07" not in text
        assert "[bold]x[/bold]" in text  # not taken as markup
