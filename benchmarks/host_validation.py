"""Hosts as rooflines against published measurements: small language models, one sequence at a time.

The time and the joules of a token of a model on a host alone, from its shapes, beside what Abreu et al. 2025 (arXiv
2503.18002) measured on a Jetson Orin Nano and an H100 with 16-bit weights, and smolhub.com ("Tiny LLM Benchmark", 2026) with
llama.cpp. The joules are those of the module or the card, not of a supply or a server around it. Rows set the ends of
`launch`, `launch_power` and the low end of `peak_flops` of both profiles (`targets/hosts.py`): they are `fit`, and
agreement proves little. Prints the table of docs/machines.md:

    python benchmarks/host_validation.py
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from neurodeploy.accounting.account import account
from neurodeploy.accounting.band import Band, total
from neurodeploy.accounting.outlines import Assumed, host_load, outline_loads
from neurodeploy.frontends.outlines import read_hollow
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.fit_pricing import everything
from targets.hosts import HOSTS
from targets.systems import SYSTEMS

#: Shapes of the models. Qwen2-500M is published; of Transformer++ 370M the paper's block sizes and a vocabulary of 32 000.
MODELS: dict[str, dict[str, object]] = {
    "Qwen2-500M": {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
        "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936,
        "max_position_embeddings": 32768, "rope_theta": 1e6, "rms_norm_eps": 1e-6, "tie_word_embeddings": True,
        "hidden_act": "silu",
    },
    "SmolLM2-135M": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536,
        "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152,
        "max_position_embeddings": 8192, "rope_theta": 1e5, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
        "hidden_act": "silu",
    },
    "Transformer++ 370M": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1024, "intermediate_size": 2816,
        "num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 16, "vocab_size": 32000,
        "max_position_embeddings": 32768, "rope_theta": 1e4, "rms_norm_eps": 1e-6, "tie_word_embeddings": False,
        "hidden_act": "silu",
    },
}  # fmt: skip
#: Tokens before the one that is generated, or of the prompt.
LENGTHS = (500, 1000, 4000, 8000, 16000)
#: (tokens a second, joules a token) at each length.
QWEN_GENERATES = ((13.4, 0.791), (14.0, 0.785), (14.1, 0.912), (15.4, 0.839), (12.6, 1.2))
QWEN_READS = ((627, 0.0179), (909, 0.0139), (2639, 0.0067), (3861, 0.0044), (3617, 0.0053))
#: Bytes of a weight; of SmolLM2 those of its file, 101 MB of 134.5 M weights.
WEIGHT_BYTES = {"Qwen2-500M": 2.0, "Transformer++ 370M": 2.0, "SmolLM2-135M": 101 / 134.5}


@dataclass(frozen=True, slots=True)
class HostRow:
    """A published figure of a model on a host beside ours."""

    model: str
    host: str
    what: str
    length: int
    unit: str
    published: float
    computed: Band

    @property
    def error(self) -> float:
        return self.computed.nominal / self.published - 1.0

    @property
    def covered(self) -> bool:
        return self.computed.low <= self.published <= self.computed.high


@cache
def outline(model: str) -> Program:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(MODELS[model]), encoding="utf-8")
        return read_hollow(path)


def alone(model: str, host: str, phase: str, length: int) -> tuple[Band, Band]:
    """Joules at the module or the card, and seconds, of a token."""
    program, system, device = outline(model), SYSTEMS["oheo-gulch"], replace(HOSTS[host], around=None)
    prompt, token = host_load(program, everything(program), length, weight_bytes=WEIGHT_BYTES[model])
    loads = outline_loads((), token, prompt, system, Assumed(1.0, "no chip", length), chips=0, cores=0)
    ledger = account(loads, system, device, phase)
    return total(entry.joules for entry in ledger.entries if entry.device == device.name), ledger.seconds


def validate() -> list[HostRow]:
    return [*_jetson(), *_llama_cpp(), *_h100()]


def _jetson() -> Iterator[HostRow]:
    for phase, figures in (("generate", QWEN_GENERATES), ("prefill", QWEN_READS)):
        for length, (rate, joules) in zip(LENGTHS, figures, strict=True):
            energy, seconds = alone("Qwen2-500M", "jetson-orin-nano", phase, length)
            of = "generated token" if phase == "generate" else "prompt token"
            yield HostRow("Qwen2-500M", "jetson-orin-nano", f"time of a {of}", length, "s", 1 / rate, seconds)
            yield HostRow("Qwen2-500M", "jetson-orin-nano", f"energy of a {of}", length, "J", joules, energy)


def _llama_cpp() -> Iterator[HostRow]:
    """165.2 tokens a second behind prompts of up to 2 048 tokens; its joules are of one rail, and stand beside none."""
    _, seconds = alone("SmolLM2-135M", "jetson-orin-nano", "generate", 2048)
    what = "time of a generated token, llama.cpp"
    yield HostRow("SmolLM2-135M", "jetson-orin-nano", what, 2048, "s", 1 / 165.2, seconds)


def _h100() -> Iterator[HostRow]:
    """About 22 tokens a second, 5.5 to 9.0 J a token, over all lengths: both ends, at the shortest and the longest."""
    for length, joules in ((LENGTHS[0], 5.5), (LENGTHS[-1], 9.0)):
        energy, seconds = alone("Transformer++ 370M", "h100", "generate", length)
        yield HostRow("Transformer++ 370M", "h100", "time of a generated token", length, "s", 1 / 22, seconds)
        yield HostRow("Transformer++ 370M", "h100", "energy of a generated token", length, "J", joules, energy)


def table(rows: list[HostRow]) -> str:
    lines = [
        "| Model | Host | Figure | Tokens before, or of the prompt | Published | Model (low to high) | Error | In band |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        band = f"{row.computed.nominal:.3g} {row.unit} ({row.computed.low:.2g} to {row.computed.high:.2g})"
        published = f"{row.published:.3g} {row.unit}"
        inside = "yes" if row.covered else "**no**"
        lines.append(
            f"| {row.model} | {row.host} | {row.what} | {row.length} | {published} | {band} | {row.error:+.0%} | {inside} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(validate()))
