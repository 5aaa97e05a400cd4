"""The terminal's tables: the numbers that the page has, on any terminal, whatever a stranger calls a layer."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from neurodeploy.reporting import terminal, units
from neurodeploy.reporting.brief import LINES, brief
from neurodeploy.reporting.terminal_run import gathered
from tests.tiny import Patch


def shown(show: Any, found: Any, width: int = 120) -> str:
    out = io.StringIO()
    show(found, Console(file=out, width=width, highlight=False))
    return out.getvalue().replace("\u202f", " ").replace("\u00a0", " ")


CONVERTED: dict[str, Any] = {
    "bundle": "demo.nd", "model": "demo", "family": "llama4", "dt_s": None, "neurons": 5000, "populations": 24,
    "preset": {"name": "default", "payload_bits": 16, "weight_bits": 8}, "synapses": 1_250_000, "projections": 12,
    "calibration": {"text": "prose.txt", "tokens": 4096}, "resumed": 0, "wide_axons": 3,
    "worst_sites": [{"path": "layers.0.down", "output_sqnr_db": 28.61}], "warnings": ["no tokenizer"], "seconds": 2.5,
}  # fmt: skip
SOUND: dict[str, Any] = {
    "bundle": "x.nd", "members": 5, "golden_vectors": {"reference": 8, "fast": 8}, "golden_steps": 16,
    "layers_read_by_nir": 4, "source_read_by_nir": None, "mapped": False, "executed": None, "violations": [],
}  # fmt: skip
DOCTOR = {
    "neurodeploy": "0.1.0", "python": "3.11", "cores": 1, "cuda": False, "instructions": "all of the processor",
    "versions": {"numpy": "2.4", "torch": "2.13", "gguf": None}, "power_counters": ["package"],
    "integer_products": {"int16": {"exact": True}, "int_mm": {"exact": False}}, "fastest_product": {"few-8": "int16"},
    "simulators": {"lava": "lava-nc 0.10.0"}, "boards": {"loihi2": "ND4002 loihi2: missing"}, "models": {"a": "installed"},
}  # fmt: skip
EXPLAINED = [
    {"path": f"populations.{name}", "device": device, "rule": rule, "reason": reason, "remedy": "", "bytes_per_token": 4}
    for name, device, rule, reason in (
        ("in", "host", "outside", "from outside"), ("out", "chip", "neurons", "on cores")
    )
]  # fmt: skip
EXPORTED = {"file": "x.nir", "what": "the integers", "bytes": 2000, "notes": ["a: left out", "b: left out"]}


def converted(**changes: Any) -> dict[str, Any]:
    """Of a spiking network, as `ran` and `compared`."""
    return {
        "bundle": "x.nd", "model": "x", "family": "NIR", "dt_s": 1e-3, "neurons": 1, "populations": 2, "synapses": 8,
        "projections": 1, "inputs": {"in": [1, 5, 4]}, "outputs": {"out": [3]}, "worst_errors": [], "warnings": [],
        "seconds": 0.1, **changes,
    }  # fmt: skip


def ran(**changes: Any) -> dict[str, Any]:
    output = {"messages": [3], "most_active": [2], "last": [[0, 7]], "graded": False, "latency": 2, "unit": 1.0}
    row = {"model": "lif", "layer": None, "neurons": 3, "messages": 7, "rate": 0.1, "updates": 9}
    row |= {"saturated": 0, "wrapped": 0}
    link = {"source": "a", "target": "b", "layer": None, "events": 1, "density": 0.5, "synops": 2, "wrapped": 3}
    return {
        "model": "x", "runner": "fast", "first_step": 1, "steps": 5, "samples": 1, "populations": {"out": row},
        "projections": {"p": link}, "host_work": {"flops": 0, "bytes": 0}, "on_host": {}, "unit": "step",
        "outputs": {"out": output | changes.pop("output", {})}, "notes": [], "steps_per_s": 10.0, "out": None,
        "checkpoint": None, **changes,
    }  # fmt: skip


#: What the demo says of one choice of what is on the chip.
SIDE_BY_SIDE = {
    "on_chip": "all", "from": "run", "bundle": "demo-all.nd", "system": "oheo-gulch", "chips": 1, "cores": 10,
    "crossings": 2.0, "steps": 62.0, "prefill": None, "note": "",
    "generate": {
        "joules_per_token": {
            name: {"low": 0.0001, "nominal": joules, "high": 0.01} for name, joules in (("chip", 0.0009), ("wall", 0.0025))
        },
        "seconds_per_token": {"low": 0.002, "nominal": 0.003, "high": 0.004}, "bound_by": "cores",
    },
    "loss": {
        "text": "t", "tokens": 9, "bits_per_byte_change": -0.0013, "kl_per_token": 0.0002, "top1_agreement": 0.996,
    },
}  # fmt: skip


def compared(**changes: Any) -> dict[str, Any]:
    row = {
        "population": "out", "latency": 1, "float_spikes": 10.0, "chip_spikes": 9.0, "differing": 3, "compared": 100,
        "first_difference": 4, "graded": False, "worst": 0.5, "rate_error": 0.0, "early": 0, "same_decision": 3,
        "float_correct": None, "chip_correct": None, **changes,
    }  # fmt: skip
    return {"model": "x", "samples": 4, "steps": 5, "comparison": [row], "notes": []}


def broken_map(data: dict[str, Any]) -> dict[str, Any]:
    exceeded = {"fits": False, "violations": [f"core {n}" for n in range(13)], "host_ops": [1, 2]}
    return data["map"] | exceeded | {"border_bytes_per_token": 981_000}


def one_phase(data: dict[str, Any]) -> dict[str, Any]:
    """One boundary is not known."""
    data["energy"]["generate"]["joules_per_token"]["wall"] = None
    return data["energy"] | {"prefill": None}


def model_run(data: dict[str, Any]) -> dict[str, Any]:
    return (
        data["run"]
        | {key: data[key] for key in ("populations", "projections", "host_work", "on_host")}
        | {"model": "m"}
    )


LEFT = {"layers.0.o": {"steps": 1, "calls": 1, "flops": 9, "bytes": 3}}
#: What is shown: its printer, what is printed (made of the report of SmolLM), words that are there, words that are not.
SHOWN: dict[str, tuple[Any, Callable[[dict[str, Any]], Any], list[str], list[str]]] = {
    "a map": (terminal.print_map, lambda data: data["map"], [
        "alia-point: fits, 9 of 32 chips",
        "1 080 cores, 3.8 % above the least possible 1 040; bound by synapse bytes",
    ], []),
    "what is exceeded": (terminal.print_map, broken_map, [
        "does not fit", "core 9", "and 3 more: see --json", "981 kB per token over the host border, 2 host operations",
    ], ["core 10"]),
    "every boundary with its band": (terminal.print_energy, lambda data: data["energy"], [
        "rails", "705 µJ", "7.69 mJ", "6.8 – 9.6 mJ", "41.0 mJ", "guessed", "static power", "323 tokens/s",
        "2 assumptions and 2 omissions",
    ], []),
    "one phase": (terminal.print_energy, one_phase, ["28.6 mJ"], ["Prompt token", "41.0 mJ"]),
    "with the float model": (terminal.print_eval, lambda data: data["accuracy"], [
        "+0.18 %", "0.9884", "same next token: 94.6 %; 0.0018 nats a token from float",
    ], []),
    "without the float model": (
        terminal.print_eval, lambda data: data["accuracy"] | {"float": None, "top1_agreement": None},
        ["0.9902"], ["0.9884", "same next token"],
    ),
    "each rule once": (terminal.print_explain, lambda data: data["explain"], [
        "211 of 424 operations run on the chip", "to put it on the chip: linear attention", "the KV cache of layer 0",
    ], []),
    "convert": (terminal.print_convert, lambda data: CONVERTED, [
        "demo (llama4) -> demo.nd", "1.25 M synapses in 12 projections; weights 8 bits", "4 096 tokens of prose.txt",
        "28.6 dB", "warning: no tokenizer", "3 axons",
    ], []),
    "the populations of a pattern summed": (terminal.print_run, model_run, [
        "layers.*.down", "0–29", "m: 4 096 tokens on fast", "5 flop",
    ], ["layers.3", "beside"]),
    "a population on the host": (terminal.print_run, lambda data: model_run(data) | {"on_host": LEFT}, [
        "1 population on the host beside: 9 flop, 3.00 B",
    ], []),
    "a sound bundle": (terminal.print_verify, lambda data: SOUND, [
        "x.nd: sound", "8 outputs over 16 golden steps: the same bits on reference and fast", "not mapped yet",
        "4 layers read by nir",
    ], []),
    "an executed mapping": (terminal.print_verify, lambda data: SOUND | {
        "mapped": True, "executed": {"system": "kapoho-point", "shards": 9, "cores": 4, "chips": 1},
        "layers_read_by_nir": 0,
    }, [
        "x.nd: sound; its mapping was executed, 9 shards on 4 cores of kapoho-point: the same bits\n",
        "the source holds integers",
    ], ["not mapped"]),
    "a mapping that exceeds": (
        terminal.print_verify, lambda data: SOUND | {"violations": ["core 3: too full"], "golden_steps": 0},
        ["exceeds its budgets", "core 3: too full", "no golden vectors"], [],
    ),
    "doctor": (terminal.print_doctor, lambda data: DOCTOR, [
        "sound: integer products are exact; fastest: int16", "1 core,", "not exact here and never taken: int_mm",
        "board loihi2: none", "models: a", "versions: gguf", "not installed", "package",
    ], []),
    "every step of the demo": (terminal.print_demo, lambda data: {
        "convert": CONVERTED, "map": data["map"], "explain": data["explain"], "verify": SOUND, "eval": data["accuracy"],
        "generate": {"prompt": "ROMEO. ", "text": "Ay me"}, "energy": data["energy"], "report": ["out/demo.html"],
        "all": {"generate": {"prompt": "ROMEO. ", "text": "By me"}}, "compared": [SIDE_BY_SIDE],
        "same_text": {"block": True, "all": False}, "host": {"all": ["embedding"]},
    }, [
        "demo.nd", "alia-point", "operations", "x.nd: sound", "bits per byte", "ROMEO. Ay me", "mJ", "demo.html",
        "ROMEO. By me", "other text with all", "Crossings", "2.50 mJ", "−0.13 %", "99.6 %", "losses on 9 tokens of t",
        "the host computes with all: embedding",
    ], []),
    "convert of a spiking network": (
        terminal.print_convert, lambda data: converted(warnings=[f"n{i}: changed {i}" for i in range(30)]), [
        "1 neuron in 2 populations", "8 synapses in 1 projection;", "in: in 1 x 5 x 4; out: out 3",
        "and 20 more: see --json",
    ], []),
    "run of a spiking network": (terminal.print_run, lambda data: ran(out="o.npz", checkpoint="s"), [
        "out (2 steps later than in the source): most active neuron 2", "outputs written to o.npz", "state written to s",
    ], []),
    "run of values": (terminal.print_run, lambda data: ran(output={"graded": True, "latency": None}), [
        "out: last payloads 0, 7",
    ], []),
    "eval of a spiking network": (terminal.print_eval, lambda data: compared(), [
        "3 %", "same most active neuron in 3 of 4 samples (75 %)",
    ], ["right class"]),
    "eval with labels": (terminal.print_eval, lambda data: compared(float_correct=4, chip_correct=1, early=1), [
        "right class float 100 %, chip 25 %", "1 message before the latency was over",
    ], []),
    "eval of values": (terminal.print_eval, lambda data: compared(graded=True), [
        "values, 1 step later, differ by at most 50 % of the largest value",
    ], ["Differing bins"]),
    "explain of a spiking network": (terminal.print_explain, lambda data: EXPLAINED, [
        "1 of 2 populations runs on the chip", "outside: from outside",
    ], ["on cores"]),
    "export": (terminal.print_export, lambda data: EXPORTED, ["note: a, b: left out"], []),
}  # fmt: skip
#: Words of `SHOWN` that stand there so often.
TIMES = {
    "a map": ("not public", 2), "each rule once": ("growing-state:", 1), "convert of a spiking network": ("warning: ", 10)
}  # fmt: skip


@pytest.mark.parametrize("case", SHOWN)
def test_shown(case: str, smollm: dict[str, Any]) -> None:
    show, make, there, absent = SHOWN[case]
    text = shown(show, make(smollm))
    assert [word for word in there if word not in text] == [] == [word for word in absent if word in text]
    word, times = TIMES.get(case, ("", len(text) + 1))
    assert text.count(word) == times
    assert case != "an executed mapping" or text.startswith(there[0])
    if case == "every boundary with its band":
        assert text.index("Generated token") < text.index("Prompt token")


def test_paths() -> None:
    assert shown(terminal.print_paths, ["a.html", "b.csv"]) == "a.html\nb.csv\n"


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
    smollm: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: Patch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    terminal.show("explain", smollm["explain"])
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) > 80


def test_lines_that_say_the_same_of_several_places_are_one() -> None:
    lines = ["a: x (y)", "b: x (y)", "c: x (y)", "d: x (y)", "d: x (y)", "lonely", "a: z: w"]
    assert gathered(lines) == ["a, b, c and 1 more: x (y)", "lonely", "a: z: w"]


HOSTILE = "\x1b[2J[bold]x[/bold]\x07"


def test_names_cannot_drive_the_terminal() -> None:
    for function, found in (
        (terminal.print_convert, converted(model=HOSTILE, warnings=[HOSTILE], inputs={HOSTILE: [1]})),
        (terminal.print_run, ran(model=HOSTILE, notes=[HOSTILE], out=HOSTILE)),
        (terminal.print_eval, compared(population=HOSTILE)),
    ):
        text = shown(function, found)
        assert "\x1b" not in text and "\x07" not in text
        assert "[bold]x[/bold]" in text  # not taken as markup


#: Answers of verbs to the data above: how their first line begins, and their second.
ANSWERS: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str, str]] = {
    "a map": ("map", lambda data: data["map"], "alia-point: fits, 9 of 32 chips", "1 080 cores"),
    "what is exceeded": ("map", broken_map, "alia-point: does not fit", "core 0"),
    "energy": ("energy", lambda data: data["energy"], "Generated token: ", "bound by"),
    "explain": ("explain", lambda data: data["explain"], "211 of 424 operations run on the chip", ""),
    "eval": (
        "eval", lambda data: data["accuracy"], "0.99020 bits per byte on the chip, 0.98840 in float (+0.18 %)", "same next",
    ),
    "convert": ("convert", lambda data: CONVERTED, "demo (llama4) -> demo.nd", "5 000 neurons"),
    "a question": (
        "convert", lambda data: converted(open_questions=["q", "r"], losses=["l"], warnings=["w"] * 3), "x (NIR) -> x.nd",
        "open question: q",
    ),
    "run": ("run", lambda data: ran(out="o.npz", notes=["n"]), "x: 5 steps on fast", "out (2 steps later"),
    "verify": ("verify", lambda data: SOUND, "x.nd: sound", "5 members"),
    "doctor": ("doctor", lambda data: DOCTOR, "sound: integer products are exact; fastest: int16", "neurodeploy 0.1.0"),
    "export": ("export", lambda data: EXPORTED, "x.nir: the integers, 2.00 kB", "note: a: left out"),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_has_five_lines_and_the_first_is_it(case: str, smollm: dict[str, Any]) -> None:
    verb, make, first, second = ANSWERS[case]
    found = make(smollm)
    lines = shown(lambda given, console: terminal.show_brief(verb, given, console), found, 400).splitlines()
    assert 1 <= len(lines) <= LINES and lines[0].startswith(first) and lines[1].startswith(second)
    whole = shown(lambda given, console: terminal.show(verb, given, console), found, 400)
    assert whole.startswith(lines[0]), "the whole begins with the same answer"


def test_what_is_left_out_of_an_answer_is_counted() -> None:
    found = converted(open_questions=["q", "r"], losses=["l"], warnings=["w"] * 3)
    lines = [line.text for line in brief("convert", found)]
    assert lines[1:3] == ["open question: q", "lost: l"]
    assert lines[-1] == "1 open question, 3 warnings: -v shows all" and len(lines) == LINES


def test_what_was_asked_of_energy_is_answered(smollm: dict[str, Any]) -> None:
    phase = smollm["energy"]["generate"]
    rows = [
        {"change": name, "asked": name != "link", "saved": {"joules": 0.4}} for name in ("gate", "link", "crossings=2")
    ]
    phase["what_if"] = {"ranked_at": "board", "each": rows}
    said = [line.text for line in brief("energy", smollm["energy"])]
    assert units.breakable(said[1]) == "what if: gate saves 40 %, crossings=2 saves 40 % of the joules at the board"
    said = [line.text for line in brief("energy", smollm["energy"] | {"variants": [SIDE_BY_SIDE]})]
    assert units.breakable(said[1]) == "side by side at the wall: all 2.50 mJ; the rest: -v" and len(said) <= LINES
