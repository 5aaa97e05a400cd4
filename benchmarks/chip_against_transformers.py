"""Tokens per second of the bit-accurate chip simulation against transformers' float32 forward on SmolLM2-135M.

Both run in this process, on the same text, with the same threads, in windows of 512 tokens (batch 1), alternating window by
window, all logits computed. The rival is `LlamaForCausalLM` of transformers with eager attention, built from the same
weights. The figure is the ratio of the total times without each side's first window; the spread over windows is printed.

    python benchmarks/chip_against_transformers.py [--threads N] [--windows N] [--text FILE] [--attention eager|sdpa]
    python benchmarks/chip_against_transformers.py --on-chip projections block all    one after the other
    python benchmarks/chip_against_transformers.py --isa avx2         both programs as on a processor without VNNI
    python benchmarks/chip_against_transformers.py --isa all avx2     one after the other, and the ratio of the two ratios

OpenMP's wait policy decides how torch's second thread waits: `passive` (what the command line sets) lets our own threads
have its core, `active` (OpenMP's default) spins and suits torch alone. Both sides run under the same policy; try both.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.machine import instructions  # before torch: limits are passed on to it


def transformers_model(path: Path, attention: str) -> Any:
    """`LlamaForCausalLM` in float32 with the weights of the GGUF, read by our own frontend."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from neurodeploy.frontends.families import read_graph
    from neurodeploy.ir.graph import Projection

    graph = read_graph(path)
    info = graph.info
    attend = next(op for op in graph.ops if getattr(op, "op", "") == "attention")
    rope = next(op for op in graph.ops if getattr(op, "op", "") == "rope")
    gate = next(op for op in graph.ops if isinstance(op, Projection) and op.role == "gate")
    norm = next(op for op in graph.ops if getattr(op, "op", "") == "rmsnorm")
    dim = int(attend.attrs["head_dim"])
    theta = float(1.0 / np.asarray(rope.attrs["inv_freq"])[1]) ** (dim / 2)
    config = LlamaConfig(
        vocab_size=info.vocab_size, hidden_size=info.hidden_size, intermediate_size=gate.out_features,
        num_hidden_layers=info.layers, num_attention_heads=attend.attrs["heads"],
        num_key_value_heads=attend.attrs["kv_heads"], head_dim=dim, rms_norm_eps=norm.attrs["eps"],
        rope_parameters={"rope_type": "default", "rope_theta": round(theta)}, tie_word_embeddings=True,
        max_position_embeddings=info.max_positions, attn_implementation=attention,
    )  # fmt: skip
    model = LlamaForCausalLM(config).float().eval()
    names = {}
    for op in graph.ops:
        if isinstance(op, Projection):
            names["lm_head" if op.role == "lm_head" else f"model.{op.path}"] = op.weight
        elif op.weights:
            names["model.embed_tokens" if op.op == "embedding" else f"model.{op.path}"] = op.weights["weight"]
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            tensor.copy_(torch.from_numpy(graph.weights.get(names[key.removesuffix(".weight")])))
    return model


def float32_speed() -> float:
    """10^9 multiply-adds a second of the rival's matrix product: 512 tokens through its largest projection, one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    left, right = torch.ones(512, 576), torch.ones(1536, 576)
    times = []
    for _ in range(5):
        began = time.thread_time()
        torch.nn.functional.linear(left, right)
        times.append(time.thread_time() - began)
    torch.set_num_threads(before)
    return left.numel() * right.shape[0] / min(times) / 1e9


def one_by_one(options: argparse.Namespace, limits: list[str], places: list[str]) -> None:
    """This script for each of what is on the chip and under each limit of the instructions, each in its own process."""
    given = ("threads", "windows", "text", "attention", "bundle", "wait")
    arguments = [f"--{name}={value}" for name in given if (value := getattr(options, name)) is not None]
    ratios: dict[tuple[str, str], float] = {}
    for place in places:
        for limit in limits:
            variables = {
                name: value for name, value in os.environ.items() if name != instructions.VARIABLE or not limit
            }
            variables |= {} if limit in ("", "all") else {instructions.VARIABLE: limit}
            command = [sys.executable, __file__, *arguments, f"--on-chip={place}"]
            printed = subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout
            print(printed, flush=True)
            ratio = float(next(line for line in printed.splitlines() if line.startswith("ratio")).split()[1])
            ratios[place, limit] = ratio
            if limit != limits[0]:
                print(f"{place}: ratio with {limit} / with {limits[0]}: {ratio / ratios[place, limits[0]]:.2f}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--attention", choices=("eager", "sdpa"), default="eager")
    parser.add_argument("--bundle", type=Path, help="a bundle of smollm2-135m, to save converting one")
    parser.add_argument(
        "--on-chip", nargs="+", default=["projections"], choices=("projections", "block", "all"),
        help="what of the model is populations, as of `neurodeploy convert`; several, each in its own process",
    )  # fmt: skip
    parser.add_argument("--wait", choices=("passive", "active"), default="passive", help="OpenMP's wait policy")
    parser.add_argument(
        "--isa", nargs="+", choices=("all", *instructions.LIMITS), help="limits, each in its own process"
    )
    options = parser.parse_args()
    if options.isa or len(options.on_chip) > 1:
        one_by_one(options, options.isa or [""], options.on_chip)
        return
    (place,) = options.on_chip
    os.environ["OMP_WAIT_POLICY"] = options.wait  # before torch is loaded

    import torch

    torch.set_num_threads(options.threads)
    from benchmarks.texts import fetched
    from neurodeploy.frontends.packaged import resolve
    from neurodeploy.pipeline import convert
    from neurodeploy.pipeline import texts as opening
    from simulators.products.choice import choose

    path = resolve("smollm2-135m")
    text = (options.text or fetched("britannica")).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        bundle_path = options.bundle or Path(folder) / "smollm2.nd"
        if options.bundle is None:
            # the preset changes the integers, not their number
            convert("smollm2-135m", bundle_path, preset="quick", on_chip=place)
        bundle, tokenizer = opening.open_model(bundle_path)
        tokens = np.asarray(opening.encode_text(tokenizer, text, 512 * options.windows))
        chip, rival = opening.hybrid(bundle), transformers_model(path, options.attention)
        windows = [tokens[start : start + 512] for start in range(0, tokens.size - 511, 512)]
        seconds: dict[str, list[float]] = {"chip": [], "transformers": []}
        processor: dict[str, list[float]] = {"chip": [], "transformers": []}
        agree = []
        with torch.no_grad():
            for window in windows:
                began, used = time.perf_counter(), time.process_time()
                ours = chip.forward(window)
                between, used_between = time.perf_counter(), time.process_time()
                theirs = rival(torch.from_numpy(window)[None]).logits[0]
                seconds["chip"].append(between - began)
                seconds["transformers"].append(time.perf_counter() - between)
                processor["chip"].append(used_between - used)
                processor["transformers"].append(time.process_time() - used_between)
                agree.append(float((ours.argmax(1) == theirs.argmax(1)).float().mean()))
                del ours, theirs
    if len(windows) < 2:
        sys.exit("the text is too short: two windows of 512 tokens are needed")
    for name, times in seconds.items():
        rates = [512 / t for t in times[1:]]
        total = 512 * len(rates) / sum(times[1:])
        print(f"{name:13s} {total:8.1f} tokens/s   windows {min(rates):.1f} .. {max(rates):.1f}")
    ratios = [b / a for a, b in zip(seconds["chip"][1:], seconds["transformers"][1:], strict=True)]
    total = sum(seconds["transformers"][1:]) / sum(seconds["chip"][1:])
    spread = f"windows {min(ratios):.2f} .. {max(ratios):.2f}, median {statistics.median(ratios):.2f}"
    print(f"ratio         {total:8.2f}            {spread}")
    used = sum(processor["transformers"][1:]) / sum(processor["chip"][1:])
    print(f"processor     {used:8.2f}            ratio of processor time, which other work on the machine changes less")
    print(f"instructions  {instructions.chosen() or 'all'} (torch {torch.backends.cpu.get_cpu_capability()}), product "
          f"{choose(512, 16).name}, float32 {float32_speed():.1f} GMAC/s a thread")  # fmt: skip
    setting = f"on chip {place}, threads {options.threads}, {len(windows) - 1} windows of 512"
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB, of both together")
    print(f"{setting}, attention {options.attention}, wait {options.wait}, same next token {np.mean(agree):.4f}")


if __name__ == "__main__":
    main()
