"""The terminal's tables: the numbers that the page has, on any terminal, whatever a stranger calls a layer."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from neurodeploy.reporting import terminal
from neurodeploy.reporting.terminal_run import gathered
from tests.tiny import Capture, Patch


def shown(show: Any, found: Any, width: int = 120) -> str:
    out = io.StringIO()
    show(found, Console(file=out, width=width, highlight=False))
    return out.getvalue().replace("\u202f", " ").replace("\u00a0", " ")


def test_map_of_a_verb_or_a_section(smollm: dict[str, Any]) -> None:
    text = shown(terminal.print_map, smollm["map"])
    assert "alia-point: fits, 9 of 32 chips" in text
    assert "1 080 cores, 3.8 % above the least possible 1 040; bound by synapse bytes" in text
    assert text.count("not public") == 2


def test_map_says_what_is_exceeded(smollm: dict[str, Any]) -> None:
    broken = smollm["map"] | {"fits": False, "violations": [f"core {n}" for n in range(13)], "host_ops": [1, 2]}
    text = shown(terminal.print_map, broken | {"border_bytes_per_token": 981_000})
    assert "does not fit" in text and "core 9" in text and "core 10" not in text
    assert "and 3 more: see --json" in text
    assert "981 kB per token over the host border, 2 host operations" in text


def test_energy_has_every_boundary_with_its_band(smollm: dict[str, Any]) -> None:
    text = shown(terminal.print_energy, smollm["energy"])
    for words in ("rails", "705 µJ", "7.69 mJ", "6.8 – 9.6 mJ", "41.0 mJ", "guessed", "static power", "323 tokens/s"):
        assert words in text
    assert text.index("Generated token") < text.index("Prompt token")
    assert "2 assumptions and 2 omissions" in text


def test_energy_of_one_phase_with_a_boundary_that_is_not_known(smollm: dict[str, Any]) -> None:
    energy = smollm["energy"] | {"prefill": None}
    energy["generate"]["joules_per_token"]["wall"] = None
    text = shown(terminal.print_energy, energy)
    assert "Prompt token" not in text and "41.0 mJ" not in text and "28.6 mJ" in text


def test_eval_with_and_without_the_float_model(smollm: dict[str, Any]) -> None:
    accuracy = smollm["accuracy"]
    text = shown(terminal.print_eval, accuracy)
    assert "+0.18 %" in text and "0.9884" in text and "same next token: 94.6 %" in text
    text = shown(terminal.print_eval, accuracy | {"float": None, "top1_agreement": None})
    assert "0.9902" in text and "0.9884" not in text and "same next token" not in text


def test_explain_gives_each_rule_once(smollm: dict[str, Any]) -> None:
    text = shown(terminal.print_explain, smollm["explain"])
    assert "211 of 424 operations run on the chip" in text
    assert text.count("growing-state:") == 1 and "to put it on the chip: linear attention" in text
    assert "the KV cache of layer 0" in text


CONVERTED: dict[str, Any] = {
    "bundle": "demo.nd",
    "model": "demo",
    "family": "llama4",
    "preset": {"name": "default", "payload_bits": 16, "weight_bits": 8},
    "dt_s": None,
    "neurons": 5000,
    "populations": 24,
    "synapses": 1_250_000,
    "projections": 12,
    "calibration": {"text": "prose.txt", "tokens": 4096},
    "resumed": 0,
    "wide_axons": 3,
    "worst_sites": [{"path": "layers.0.down", "output_sqnr_db": 28.61}],
    "warnings": ["no tokenizer"],
    "seconds": 2.5,
}


def test_convert() -> None:
    text = shown(terminal.print_convert, CONVERTED)
    for words in (
        "demo (llama4) -> demo.nd",
        "1.25 M synapses in 12 projections; 8 bit",
        "4 096 tokens of prose.txt",
        "28.6 dB",
    ):
        assert words in text
    assert "warning: no tokenizer" in text and "3 axons" in text


def test_run_sums_the_populations_of_a_pattern(smollm: dict[str, Any]) -> None:
    run = smollm["run"] | {key: smollm[key] for key in ("populations", "projections", "host_work", "on_host")}
    text = shown(terminal.print_run, run | {"model": "m"})
    assert "layers.*.down" in text and "layers.3" not in text and "0–29" in text
    assert "m: 4 096 tokens on fast" in text and "5 flop" in text and "beside" not in text
    left = {"on_host": {"layers.0.o": {"steps": 1, "calls": 1, "flops": 9, "bytes": 3}}}
    assert "1 population on the host beside: 9 flop, 3.00 B" in shown(terminal.print_run, run | {"model": "m"} | left)


SOUND: dict[str, Any] = {
    "bundle": "x.nd", "members": 5, "golden_vectors": {"reference": 8, "fast": 8}, "golden_steps": 16,
    "layers_read_by_nir": 4, "source_read_by_nir": None, "mapped": False, "executed": None, "violations": [],
}  # fmt: skip


def test_verify() -> None:
    text = shown(terminal.print_verify, SOUND)
    assert "x.nd: sound" in text and "8 outputs over 16 golden steps: the same bits on reference and fast" in text
    assert "not mapped yet" in text and "4 layers read by nir" in text
    done = {"system": "kapoho-point", "shards": 9, "cores": 4, "chips": 1}
    text = shown(terminal.print_verify, SOUND | {"mapped": True, "executed": done, "layers_read_by_nir": 0})
    assert text.startswith(
        "x.nd: sound; its mapping was executed, 9 shards on 4 cores of kapoho-point: the same bits\n"
    )
    assert "not mapped" not in text and "the source holds integers" in text
    text = shown(terminal.print_verify, SOUND | {"violations": ["core 3: too full"], "golden_steps": 0})
    assert "exceeds its budgets" in text and "core 3: too full" in text and "no golden vectors" in text


def test_doctor_and_paths() -> None:
    machine = {
        "python": "3.11",
        "cuda": False,
        "versions": {"numpy": "2.4", "gguf": None},
        "power_counters": ["package"],
    }
    text = shown(terminal.print_doctor, machine)
    assert "versions: gguf" in text and "not installed" in text and "package" in text
    assert shown(terminal.print_paths, ["a.html", "b.csv"]) == "a.html\nb.csv\n"


def test_demo_shows_every_step(smollm: dict[str, Any]) -> None:
    found = {
        "convert": CONVERTED, "map": smollm["map"], "explain": smollm["explain"], "verify": SOUND,
        "eval": smollm["accuracy"], "generate": {"prompt": "ROMEO. ", "text": "Ay me"}, "energy": smollm["energy"],
        "report": ["out/demo.html"],
    }  # fmt: skip
    text = shown(terminal.print_demo, found)
    for words in (
        "demo.nd",
        "alia-point",
        "operations",
        "x.nd: sound",
        "bits per byte",
        "ROMEO. Ay me",
        "mJ",
        "demo.html",
    ):
        assert words in text


@pytest.mark.parametrize("name", ["[bold red]x[/]", "\x1b[31mred", "[link=x]y[/link]", "a\rb\x07", "\ud800"])
def test_names_are_neither_markup_nor_terminal_codes(smollm: dict[str, Any], name: str) -> None:
    for op in smollm["explain"]:
        op |= {"path": f"{name}.{op['path']}", "reason": name, "rule": name}
    out = io.StringIO()
    terminal.print_explain(smollm["explain"], Console(file=out, width=200, force_terminal=True, color_system=None))
    text = out.getvalue()
    assert not set(text) & set("\x1b\r\x07\ud800")
    if name.startswith("["):
        assert name in text


def test_a_terminal_without_unicode_gets_ascii(smollm: dict[str, Any]) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    console = Console(file=out, width=100, highlight=False)
    smollm["explain"][0]["path"] = "naïve"
    terminal.print_energy(smollm["energy"], console)
    terminal.print_explain(smollm["explain"], console)
    out.flush()
    assert b"705 uJ" in raw.getvalue() and b"na?ve" in raw.getvalue()


def test_without_a_terminal_lines_may_be_long(smollm: dict[str, Any], capsys: Capture, monkeypatch: Patch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    terminal.show("explain", smollm["explain"])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) > 80


HOSTILE = "\x1b[2J[bold]x[/bold]\x07"


def spiking_convert(**changes: Any) -> dict[str, Any]:
    return {
        "bundle": "x.nd", "model": "x", "family": "NIR", "dt_s": 1e-3, "neurons": 1, "populations": 2, "synapses": 8,
        "projections": 1, "inputs": {"in": [1, 5, 4]}, "outputs": {"out": [3]}, "worst_errors": [], "warnings": [],
        "seconds": 0.1, **changes,
    }  # fmt: skip


def spiking_run(**changes: Any) -> dict[str, Any]:
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


def test_convert_of_a_spiking_network() -> None:
    text = shown(terminal.print_convert, spiking_convert(warnings=[f"n{i}: changed {i}" for i in range(30)]))
    assert "1 neuron in 2 populations" in text and "8 synapses in 1 projection;" in text
    assert "in: in 1 x 5 x 4; out: out 3" in text
    assert text.count("warning: ") == 10 and "and 20 more: see --json" in text


def test_run_of_a_spiking_network() -> None:
    text = shown(terminal.print_run, spiking_run(out="o.npz", checkpoint="s"))
    assert "out (2 steps later than in the source): most active neuron 2" in text
    assert "outputs written to o.npz" in text and "state written to s" in text
    text = shown(terminal.print_run, spiking_run(output={"graded": True, "latency": None}))
    assert "out: last payloads 0, 7" in text


def test_eval_of_a_spiking_network() -> None:
    text = shown(terminal.print_eval, compared())
    assert "3 %" in text and "same most active neuron in 3 of 4 samples (75 %)" in text and "right class" not in text
    text = shown(terminal.print_eval, compared(float_correct=4, chip_correct=1, early=1))
    assert "right class float 100 %, chip 25 %" in text and "1 message before the latency was over" in text
    text = shown(terminal.print_eval, compared(graded=True))
    assert "values, 1 step later, differ by at most 50 % of the largest value" in text and "Differing bins" not in text


def test_explain_of_a_spiking_network() -> None:
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
        (terminal.print_convert, spiking_convert(model=HOSTILE, warnings=[HOSTILE], inputs={HOSTILE: [1]})),
        (terminal.print_run, spiking_run(model=HOSTILE, notes=[HOSTILE], out=HOSTILE)),
        (terminal.print_eval, compared(population=HOSTILE)),
    ):
        text = shown(function, found)
        assert "\x1b" not in text and "\x07" not in text
        assert "[bold]x[/bold]" in text  # not taken as markup
