"""The terminal's tables: the numbers that the page has, on any terminal, whatever a stranger calls a layer."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from neurodeploy.reporting import terminal


def shown(show: Any, found: Any, width: int = 120) -> str:
    out = io.StringIO()
    show(found, Console(file=out, width=width, highlight=False))
    return out.getvalue()


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


def test_verify_doctor_and_paths() -> None:
    sound = {
        "bundle": "demo.nd", "members": 9, "layers_read_by_nir": 4, "golden_steps": 2, "golden_vectors": {"fast": 8},
        "mapped": False,         "executed": None, "violations": [],
    }  # fmt: skip
    text = shown(terminal.print_verify, sound)
    assert (
        "demo.nd: sound" in text
        and "8 outputs over 2 golden steps: the same bits on fast" in text
        and "not mapped" in text
    )
    text = shown(terminal.print_verify, sound | {"mapped": True, "violations": ["core 3: too full"]})
    assert "exceeds" in text and "core 3: too full" in text and "not mapped" not in text
    doctor = {
        "python": "3.11",
        "cuda": False,
        "versions": {"numpy": "2.4", "gguf": None},
        "power_counters": ["package"],
    }
    text = shown(terminal.print_doctor, doctor)
    assert "versions: gguf" in text and "not installed" in text and "package" in text
    assert shown(terminal.print_paths, ["a.html", "b.csv"]) == "a.html\nb.csv\n"


def test_demo_shows_every_step(smollm: dict[str, Any]) -> None:
    verified = {
        "bundle": "b",
        "members": 1,
        "layers_read_by_nir": 1,
        "golden_steps": 0,
        "golden_vectors": {},
        "mapped": True,
        "executed": None,
        "violations": [],
    }
    found = {
        "convert": CONVERTED,
        "map": smollm["map"],
        "explain": smollm["explain"],
        "verify": verified,
        "eval": smollm["accuracy"],
        "generate": {"prompt": "ROMEO. ", "text": "Ay me"},
        "energy": smollm["energy"],
        "report": ["out/demo.html"],
    }
    text = shown(terminal.print_demo, found)
    for words in (
        "demo.nd",
        "alia-point",
        "operations",
        "b: sound",
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


def test_without_a_terminal_lines_may_be_long(
    smollm: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    terminal.show("explain", smollm["explain"])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) > 80
