"""Made-up but plausible report data: nothing here was measured, and nothing here is shown as a result.

    python tests/reporting/synthetic.py FOLDER

renders all of them, which is how the page is looked at while it is worked on.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CORE_BYTES = 131_072
RESOURCES = ("synapse_bytes", "neurons", "in_axons", "out_axons", "state_bytes")


def band(nominal: float, low: float = 0.75, high: float = 1.4) -> dict[str, float]:
    return {"low": nominal * low, "nominal": nominal, "high": nominal * high}


def add(bands: list[dict[str, float]]) -> dict[str, float]:
    return {key: sum(b[key] for b in bands) for key in ("low", "nominal", "high")}


#: operation of a layer -> (kind, rule, reason, remedy, bytes per token over the hidden size), or None: on the chip
_LAYER: dict[str, tuple[str, str, str, str, float] | None] = {
    "input_norm": ("rmsnorm", "needs-root", "a reciprocal root over all neurons of a token", "a norm core", 2),
    "self_attn.q_proj": None,
    "self_attn.k_proj": None,
    "self_attn.v_proj": None,
    "self_attn.rope": ("rope", "next-to-host-op", "attention beside it is on the host", "attention on the chip", 0),
    "self_attn.attention": ("attention", "growing-state", "the KV cache of layer {n} grows", "linear attention", 5),
    "self_attn.o_proj": None,
    "add_1": ("add", "next-to-host-op", "both operands are on the host", "", 0),
    "post_norm": ("rmsnorm", "needs-root", "a reciprocal root over all neurons of a token", "a norm core", 2),
    "mlp.gate_proj": None,
    "mlp.up_proj": None,
    "mlp.glu": ("glu", "product-of-inputs", "multiplies two activations", "a product core", 16),
    "mlp.down_proj": None,
    "add_2": ("add", "next-to-host-op", "both operands are on the host", "", 0),
}


def operation(path: str, op: str, device: str, rule: str, reason: str, remedy: str, moved: float) -> dict[str, Any]:
    found = {"path": path, "op": op, "device": device, "rule": rule, "reason": reason, "remedy": remedy}
    return found | {"bytes_per_token": moved}


def on_chip(path: str) -> dict[str, Any]:
    return operation(path, "island", "chip", "static-weights", "static weights, one graded event per axon", "", 0)


def llama_ops(layers: int, hidden: int) -> list[dict[str, Any]]:
    """The operations of a Llama-like model with their devices, as a mapping would explain them."""
    ops = [operation("embed", "embedding", "host", "table-lookup", "reads one row by token id", "", hidden * 2)]
    for n in range(layers):
        for name, entry in _LAYER.items():
            path = f"layers.{n}.{name}"
            if entry is None:
                ops.append(on_chip(path))
            else:
                kind, rule, reason, remedy, share = entry
                ops.append(operation(path, kind, "host", rule, reason.format(n=n), remedy, share * hidden))
    ops.append(operation("norm", "rmsnorm", "host", "needs-root", "a reciprocal root", "a norm core", hidden * 2))
    ops.append(on_chip("lm_head"))
    ops.append(operation("argmax", "sample", "host", "sampling", "picks one of the vocabulary", "", 147_456))
    return ops


def make_map(system: str, chips: int, available: int, cores: int, layers: int, seed: int) -> dict[str, Any]:
    """Cores filled in layer order with a jitter; the last layer stands for the vocabulary head."""
    rng = random.Random(seed)
    per_chip = -(-cores // chips)
    rows, fills = [], []
    kinds = ("qkv", "o", "gate_up", "down")
    for i in range(cores):
        layer = i * (layers + 6) // cores
        is_head = layer >= layers
        kind = "lm_head" if is_head else f"layers.{layer}.{kinds[i % 4]}"
        fill = rng.uniform(0.93, 0.995) if rng.random() < 0.86 else rng.uniform(0.35, 0.9)
        label = f"{kind} rows {i % 7 * 192}-{i % 7 * 192 + 191}"
        rows.append((i // per_chip, i % per_chip, label, None if is_head else layer, round(fill, 5)))
        fills.append(fill)
    names = ("chip", "core", "label", "layer", "used_fraction")
    columns: dict[str, Any] = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    share = zip(RESOURCES, (1.0, 0.03, 0.14, 0.05, 0.11), strict=True)
    fractions = {name: [round(fill * part, 5) for fill in fills] for name, part in share}
    limits = {"synapse_bytes": CORE_BYTES, "neurons": 8192, "in_axons": None, "out_axons": None, "state_bytes": 65_536}
    size = {"synapse_bytes": CORE_BYTES, "neurons": 8192, "in_axons": 4096, "out_axons": 4096, "state_bytes": 65_536}
    utilisation = {
        name: {
            "mean": sum(values) / cores if limits[name] else None, "max": max(values) if limits[name] else None,
            "mean_used": sum(values) / cores * size[name], "max_used": max(values) * size[name], "limit": limits[name],
        }
        for name, values in fractions.items()
    }  # fmt: skip
    return {
        "system": system, "chip": "loihi2", "fits": chips <= available, "host_islands": 0, "chips_used": chips,
        "chips_available": available, "cores_used": cores, "cores_lower_bound": round(cores * 0.963),
        "cores_per_chip": 120, "binding_resource": "synapse_bytes", "violations": [],
        "unknown_limits": ["in_axons", "out_axons"], "utilisation": utilisation,
        "cores": columns | {"resource_fractions": fractions},
        "mesh": {"columns": 8, "rows": 4, "cores_per_router": 4},
    }  # fmt: skip


#: `count` per token, `costs` low, nominal and high in J
_COLUMNS = ("component", "event", "boundary", "count", "costs", "basis", "source")
_EVENTS: tuple[tuple[Any, ...], ...] = (
    ("synapses", "synaptic operation", "rails", 131e6, (3e-12, 5e-12, 13e-12), "derived", "published block energy"),
    ("neurons", "neuron update", "rails", 215e3, (50e-12, 81e-12, 245e-12), "published", "first generation, Table 2"),
    ("messages", "graded spike", "rails", 141e3, (100e-12, 180e-12, 250e-12), "published", "first generation, fit"),
    ("core steps", "active core step", "rails", 1080, (3e-9, 4.5e-9, 20e-9), "derived", "two published systems"),
    ("mesh", "hop of a message", "rails", 640e3, (2.5e-12, 3.5e-12, 5e-12), "published", "first generation, Table 2"),
    ("chip links", "bit between chips", "chip", 1.2e6, (1e-12, 5e-12, 10e-12), "guessed", "analogy with serial links"),
)
#: Likewise; `count` follows from the time, `costs` are in W.
_STATIC: tuple[tuple[Any, ...], ...] = (
    ("static power", "chip-second", "chip", 0, (0.23, 0.25, 0.28), "measured", "chip rails, three published boards"),
    ("board", "chip-second", "board", 0, (0.44, 0.75, 1.56), "derived", "board power less chip rails"),
    ("host", "second", "wall", 0, (2.0, 4.0, 7.5), "guessed", "embedded processor, not measured"),
)


def phase(seconds: float, scale: float, chips: int, layers: int, bound_by: str) -> dict[str, Any]:
    """A phase whose boundary figures are the sums of its entries; `seconds` per token sets the static part."""
    ledger: list[dict[str, Any]] = []
    for row in (*_EVENTS, *_STATIC):
        entry: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
        cost, entry["device"] = dict(zip(("low", "nominal", "high"), entry.pop("costs"), strict=True)), "chip"
        if row in _STATIC:
            entry["device"] = {"static power": "chip"}.get(entry["component"], entry["component"])
            entry["count"] = seconds * (1 if entry["boundary"] == "wall" else chips)
        else:
            entry["count"] *= scale
        joules = {key: value * entry["count"] for key, value in cost.items()}
        ledger.append(entry | {"unit_cost": cost | {"unit": "W" if row in _STATIC else "J"}, "joules": joules})
    order = ("rails", "chip", "board", "wall")
    totals = {
        name: add([e["joules"] for e in ledger if order.index(str(e["boundary"])) <= i]) for i, name in enumerate(order)
    }
    dynamic = totals["rails"]["nominal"]
    rng = random.Random(7)
    by_layer = {str(n): band(dynamic * 0.78 / layers * rng.uniform(0.9, 1.12), 0.6, 2.2) for n in range(layers)}
    by_layer["lm_head"] = band(dynamic * 0.22, 0.6, 2.2)
    by_layer["static"] = add([e["joules"] for e in ledger if e["unit_cost"]["unit"] == "W"])
    names = dict.fromkeys(str(e["component"]) for e in ledger)
    return {
        "joules_per_token": totals, "seconds_per_token": band(seconds, 0.6, 2.1), "tokens_per_s": 1 / seconds,
        "bound_by": bound_by, "entries": ledger, "by_layer": by_layer,
        "by_component": {name: add([e["joules"] for e in ledger if e["component"] == name]) for name in names},
        "assumptions": [
            "All chips of the mapping are powered for the whole time; spare chips of the board are off.",
            "Tokens are processed one at a time; layers do not overlap.",
        ],
        "not_modelled": ["Temperature and supply voltage", "Start-up and loading of weights"],
    }  # fmt: skip


def sites(layers: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    made = []
    for n in range(layers):
        for name, level in (("qkv", 44.0), ("o", 41.0), ("gate_up", 43.0), ("down", 36.0)):
            odd = name == "down" and n in (11, 28)
            row = {"path": f"layers.{n}.{name}", "payload_bits": 16, "input_scale": rng.uniform(1e-4, 2e-3)}
            row |= {"wide_channels": 3 if odd else 0, "weight_sqnr_db": level + rng.uniform(-1.5, 1.5)}
            made.append(row | {"output_sqnr_db": level - 1.2 + rng.uniform(-2.5, 2.0) - (7.0 if odd else 0.0)})
    return made


def counts(layers: int, hidden: int, ffn: int, tokens: int) -> dict[str, Any]:
    rng = random.Random(5)
    populations: dict[str, Any] = {}
    projections: dict[str, Any] = {}
    for n in range(layers):
        widths = {"qkv": hidden * 5 // 3, "o": hidden, "gate_up": ffn * 2, "down": hidden}
        for name, rows in widths.items():
            columns, name = ffn if name == "down" else hidden, f"layers.{n}.{name}"
            density = rng.uniform(0.94, 0.995)
            events, sent = int(columns * tokens * density), rows * tokens
            for own, size, sends in ((f"{name}.input", columns, events), (name, rows, sent)):
                row = {"layer": n, "neurons": size, "steps": tokens, "messages": sends, "rate": sends / size / tokens}
                row |= {"model": "input", "updates": 0} if own != name else {"model": "graded_affine", "updates": sent}
                populations[own] = row | {"saturated": 3 * (own == "layers.11.down"), "wrapped": 0}
            projections[name] = {
                "source": f"{name}.input", "target": name, "layer": n, "events": events, "density": density,
                "synops": events * rows, "wrapped": 0,
            }  # fmt: skip
    host: dict[str, Any] = {"host_work": {"flops": 5, "bytes": 7}, "on_host": {}, "saturations": 3, "wraps": 0}
    return {"populations": populations, "projections": projections, **host}


def smollm() -> dict[str, Any]:
    """Nine chips, 1 080 cores, 30 layers, every section."""
    return {
        "model": {
            "name": "SmolLM2-135M-Instruct", "family": "llama", "source": "smollm2-135m-instruct.gguf",
            "licence": "Apache-2.0", "layers": 30, "hidden_size": 576, "vocab_size": 49_152, "neurons": 300_000,
            "populations": 240, "synapses": 134_479_872, "projections": 120, "dt_s": None, "weight_bytes": 134_479_872,
        },
        "conversion": {
            "preset": {"name": "graded-16", "payload_bits": 16, "weight_bits": 8},
            "calibration": {"text": "encyclopaedia article", "tokens": 2048},
            "sites": sites(30, 3), "warnings": [], "errors": [],
        },
        "map": make_map("alia-point", 9, 32, 1080, 30, 1),
        "explain": llama_ops(30, 576),
        "accuracy": {
            "text": "a technical article", "tokens": 4096,
            "float": {"bits_per_byte": 0.9884, "perplexity": 9.712, "tokens_per_s": 812.0},
            "chip": {"bits_per_byte": 0.9902, "perplexity": 9.771, "tokens_per_s": 214.0},
            "kl_per_token": 0.0018, "top1_agreement": 0.946, "saturations": 455,
        },
        "energy": {
            "generate": phase(0.0031, 1.0, 9, 30, "host_link"),
            "prefill": phase(0.00042, 1.0, 9, 30, "busiest_core"),
        },
        "run": {"input": "prose", "runner": "fast", "unit": "token", "steps": 4096, "samples": 1, "notes": []},
        **counts(30, 576, 1536, 4096),
        "experts": None,
        "traffic": {
            "unit": "token", "if": "", "on_chip_bytes": 4.1e6, "inter_chip_bytes": 152_000.0, "crossings": 242.0,
            "to_host_bytes": 742_000.0, "to_chip_bytes": 239_000.0,
        },
        "sample": {
            "prompt": "The capital of France is",
            "text": " Paris, a city on the Seine known for its museums, its cafes and the tower that was meant "
            "to stand for twenty years.\n\nIt has been the seat of government, for a thousand years.",
        },
        "provenance": {
            "tool_version": "0.1.0", "created": "2025-01-02T03:04:05Z", "seed": 0, "bundle": "smollm2.nd",
            "hashes": {"program": "9f2c" * 16, "mapping": "07ab" * 16},
        },
    }  # fmt: skip


def tiny_moe() -> dict[str, Any]:
    """A small routed model on one chip: experts, two energy figures that are not known, no prompt phase."""
    data = smollm()
    rng = random.Random(11)
    data["model"] |= {"name": "tiny-moe", "family": "llama4", "layers": 4, "hidden_size": 128, "synapses": 3_400_000}
    data["model"]["weight_bytes"] = 3_400_000
    data["map"] = make_map("oheo-gulch", 1, 1, 31, 4, 2)
    data["explain"] = llama_ops(4, 128)
    for n in range(4):
        for expert in range(8):
            for name in ("gate_proj", "up_proj", "down_proj"):
                data["explain"].append(on_chip(f"layers.{n}.experts.{expert}.{name}"))
    data["experts"] = {str(n): [int(rng.expovariate(1 / 120)) for _ in range(8)] for n in range(4)}
    data["experts"]["2"][5] = 0
    data["conversion"]["sites"] = sites(4, 9)
    data["energy"] = {"generate": phase(0.0002, 0.02, 1, 4, "host_link"), "prefill": None}
    data["energy"]["generate"]["joules_per_token"]["wall"] = None
    data |= counts(4, 128, 256, 512)
    data["traffic"]["inter_chip_bytes"] = 0.0
    return data


def hala(cores: int = 136_000) -> dict[str, Any]:
    """A large model on 1 152 chips: the map is drawn chip by chip."""
    data = smollm()
    data["model"] |= {"name": "a large model", "layers": 48, "hidden_size": 5120, "synapses": 17_100_000_000}
    data["model"]["weight_bytes"] = 17_100_000_000
    data["map"] = make_map("hala-point", -(-cores // 120), 1152, cores, 48, 4)
    data["accuracy"] = None
    return data


def many(chips: int = 83) -> dict[str, Any]:
    """About ten thousand cores, drawn one by one."""
    data = smollm()
    data["map"] = make_map("hala-point", chips, 1152, chips * 120, 30, 6)
    return data


def unfit() -> dict[str, Any]:
    """A mapping that breaks budgets."""
    data = smollm()
    section = make_map("kapoho-point", 9, 8, 1080, 30, 1)
    section["violations"] = [f"chip 8 core {n}: synapse_bytes needs 140 000, has 131 072" for n in range(20)]
    for i in range(1060, 1080):
        section["cores"]["used_fraction"][i] = 1.068
        section["cores"]["resource_fractions"]["synapse_bytes"][i] = 1.068
    section["utilisation"]["synapse_bytes"] |= {"max": 140_000 / CORE_BYTES, "max_used": 140_000}
    return data | {"map": section}


def bare() -> dict[str, Any]:
    """Converted and nothing else: most sections null, some absent."""
    data = smollm()
    keep = {"model", "conversion", "provenance"}
    return {key: (value if key in keep else None) for key, value in data.items() if key != "sample"}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    **{make.__name__: make for make in (smollm, tiny_moe, hala, many, unfit, bare)}, "nothing": dict
}  # fmt: skip


def main(folder: str) -> Iterator[Path]:
    from neurodeploy.reporting.render import render

    for name, make in CASES.items():
        yield render(make(), Path(folder) / f"{name}.html")[0]


if __name__ == "__main__":
    for written in main(sys.argv[1]):
        print(written, written.stat().st_size)
