"""Golden ledgers: the count and the joules of every entry, and the seconds.

- ``demo``: the embedded model as in `bits.py` on Kapoho Point, a prefill of 128 tokens and 8 that are generated.
- ``block/demo``: the same with its blocks on the chip.
- ``gpt2``: two layers without weights on Alia Point; one of two inputs of each island is not zero in half of 100 tokens; a
  matrix is left to the host. The chips' static power is that of all of the system.
- ``random/N`` and ``digits/examples``: networks of `networks.py` on their mappings.
- ``fit/MODEL``: what `fit` prints of GPT-2, which fits, and of Llama 4 Scout, which does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.mapper_models import program_of
from neurodeploy import pipeline
from neurodeploy.embedded import TEXT
from neurodeploy.generation import generate
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, PopulationWork, RunActivity
from neurodeploy.pipeline.pricing import price
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from simulators import get_runner
from targets.hosts import get_host
from targets.systems import get_system
from tests.golden.bits import model
from tests.golden.networks import mapped, net
from tests.golden.store import case
from tests.islands import islands_of
from tests.prices import ledger_of

HOST = get_host("cpu-generic")
NETWORKS = ("random/1", "random/6", "random/14", "random/23", "random/30", "random/39", "digits/examples")


def entries(ledger: dict[str, Any]) -> dict[str, Any]:
    """Of the JSON of a ledger."""
    found: dict[str, Any] = {}
    for entry in ledger["entries"]:
        key = "/".join(str(entry[part]) for part in ("device", "component", "event", "boundary", "layer"))
        assert key not in found
        found[key] = [entry["count"], *entry["joules"].values()]
    found |= {"seconds": ledger["seconds_per_token"], "bound by": ledger["bound_by"]}
    return found | ({"first token": ledger["first_token_seconds"]} if ledger["first_token_seconds"] else {})


def demo(on_chip: str) -> dict[str, Any]:
    program, weights, tokenizer = model("demo", on_chip)
    system = get_system("kapoho-point")
    mapping = map_model(program, system, Options(max_rows=50))
    hybrid, taken = Hybrid(program, weights, get_runner("fast")), list[ActivityCounts]()
    prompt = tokenizer.encode(TEXT.read_text(encoding="utf-8"), bos=tokenizer.adds_bos)[:128]
    generate(hybrid, prompt, 9, after_prefill=lambda: taken.append(hybrid.take_counts()))
    taken.append(hybrid.take_counts())
    return {
        phase: entries(ledger_of(program, counts, mapping, system, HOST, phase).to_json())
        for phase, counts in zip(("prefill", "generate"), taken, strict=True)
    }


def gpt2() -> dict[str, Any]:
    program, system, tokens = program_of("gpt2", 2), get_system("alia-point"), 100
    left = "layers.1.o"
    mapping = map_model(program, system, Options(pins={left: Pin(device="host")}))
    counts = ActivityCounts({}, tokens, 123_456_789, 98_765_432, {})
    for name, island in islands_of(program).items():
        events = np.arange(island.source.size, dtype=np.int64) % 2 * (tokens // 2)
        activity = RunActivity.of_layer(name, tokens, events, np.full(island.neurons.size, tokens, np.int64))
        if name == left:
            counts.host[name] = PopulationWork(activity, tokens, 10, 11_000_000, 12_000_000)
        else:
            counts.segments[name] = activity
    return {
        phase: entries(ledger_of(program, counts, mapping, system, HOST, phase, powered="system").to_json())
        for phase in ("prefill", "generate")
    }


def network(name: str) -> dict[str, Any]:
    found, mapping = net(name), mapped(name)
    assert not isinstance(found, str) and mapping is not None
    result = get_runner("fast").run(found.network, found.inputs, found.steps)
    priced = price(Program.of(found.network), mapping, found.system, {"sample": result.activity}, HOST)
    return {unit: entries(priced[unit]) for unit in ("step", "sample")}


def fit(model: str, system: str) -> dict[str, Any]:
    """Cores, joules and seconds of every width, and of the plan with the host where none fits."""
    found = pipeline.fit(model, system)
    return {name: found[name] for name in ("fits", "rows", "fallback")}


def flat(value: Any, at: str = "") -> dict[str, float | str]:
    """Every leaf by its path: numbers as floats, the rest as words."""
    if isinstance(value, dict | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        return {path: leaf for key, part in parts for path, leaf in flat(part, f"{at}/{key}").items()}
    return {at: value if isinstance(value, str) else str(value) if value is None else float(value)}


CASES = {
    "demo": case(demo, "projections", float=True),
    "block/demo": case(demo, "block", float=True),
    "gpt2": case(gpt2),
    **{name: case(network, name) for name in NETWORKS},
    "fit/gpt2": case(fit, "gpt2", "kapoho-point"),
    "fit/llama4-scout": case(fit, "llama4-scout", "hala-point"),
}
