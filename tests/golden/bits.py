"""Golden bits: digests of all integers that leave a run, the same for every runner.

- Every network of `networks.py`, on `reference`, `fast` and, where it is mapped, `partitioned`: payloads of its outputs, the
  final states of its neurons and what is under way in its synapses, events by neuron, wraps and clips. An error's code
  where the file is refused.
- ``islands/N``: random islands, whose payloads are extreme in one of three.
- ``demo``: the embedded model, converted with the preset "default" from 512 tokens, over 200 tokens of its held-out text
  and, token by token, 24 more: weights of its islands; payloads in, integers out and counts of each.
- ``block/demo``: the same with its blocks on the chip, over 40 tokens and 5 more: payloads in and out of each segment, and
  its counts.
- ``smollm2/TEXT``: SmolLM2-135M likewise, 2048 tokens of calibration, over 128 tokens of a text.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import quantize
from neurodeploy.embedded import CALIBRATION, TEXT
from neurodeploy.frontends.families import read_graph
from neurodeploy.frontends.packaged import resolve
from neurodeploy.frontends.tokenizer_choice import read_tokenizer
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.graph import WeightStore
from neurodeploy.ir.network import Network
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import Runner, RunResult
from neurodeploy.ir.segments import Segment
from neurodeploy.ops.host.kvcache import State
from neurodeploy.pipeline.checkpoint import DEFAULT_CALIBRATION
from neurodeploy.storage.cache import cache_folder
from neurodeploy.synapses.linear import program_of_layers
from partitioner.mapper import map_model
from partitioner.options import Options, Pin
from simulators import get_runner
from simulators.partitioned import PartitionedRunner
from targets.systems import get_system
from tests.golden.networks import NETS, mapped, net
from tests.golden.store import Case, case, digest
from tests.hybrid.test_random_mappings import INFO
from tests.hybrid.test_random_mappings import island as random_island
from tests.islands import exponents, islands_of, payload_max

RUNNERS = ("reference", "fast", "partitioned")
ISLANDS = 12


def network_bits(name: str, runner: str) -> Any:
    found = net(name)
    if isinstance(found, str):
        return found
    mapping = mapped(name) if runner == "partitioned" else None
    if mapping is not None:
        engine: Any = PartitionedRunner(mapping, found.system.chip)
    else:
        engine = get_runner("reference" if runner == "partitioned" else runner)
    result = engine.run(found.network, found.inputs, found.steps)
    return {
        "outputs": digest(result.outputs),
        "states": digest({"neurons": result.state.neurons, "pending": result.state.pending}),
        "fired": digest(result.activity.fired),
        "wrapped": sum(result.activity.wrapped.values()),
        "saturated": sum(result.activity.saturated.values()),
    }


# ---------------------------------------------------------------- islands


class Recorder:
    """A runner that keeps digests of what passes: of each island its payloads, its integers and its counts.

    What goes on from here is what `inner` decodes in its own pass, where it does that.
    """

    def __init__(self, inner: Runner) -> None:
        self.name, self.inner = inner.name, inner
        self.seen: dict[str, list[str]] = defaultdict(list)

    def run(self, network: Network, inputs: Any, steps: int, **rest: Any) -> RunResult:
        result = self.inner.run(network, inputs, steps, **rest)
        (source,), (name,), done = network.inputs, network.outputs, result.activity
        counts = {"events": done.fired[source]["s"], "messages": done.fired[name]["s"]}
        lost = [done.ticks, 0, done.saturated.get(name, 0), done.saturated.get(f"{name}.s", 0)]
        given, out = inputs[source][:, 0], result.outputs[name][:, 0]
        self.seen[name] += [digest(given), digest(out), digest({**counts, "lost": lost})]
        return result


class Decoder(Recorder):
    def decoding(self, segment: Segment) -> Any:
        return Recorded(self, segment)


class Recorded:
    """The pass of the inner runner, after the same payloads have been recorded."""

    def __init__(self, recorder: Decoder, segment: Segment) -> None:
        self.recorder, self.network = recorder, segment.network
        self.inner = recorder.inner.decoding(segment)  # type: ignore[attr-defined]
        self.take = self.inner.take

    def __call__(self, payload: NDArray[np.int16]) -> Any:
        if len(payload):
            self.recorder.run(self.network, {self.network.inputs[0]: payload[:, None]}, 1)
        return self.inner(payload)


def recorder(program: Program, runner: str) -> Recorder:
    """ "partitioned": rows cut in three, columns in two where they can be."""
    if runner == "fast":
        return Decoder(get_runner("fast"))
    if runner == "reference":
        return Recorder(get_runner("reference"))
    system = get_system("kapoho-point")
    islands = islands_of(program).values()
    pins = {
        island.name: Pin(rows=-(-island.neurons.size // 3), blocks=min(2, island.source.size)) for island in islands
    }
    return Recorder(PartitionedRunner(map_model(program, system, Options(pins=pins)), system.chip))


def island_bits(seed: int, runner: str) -> Any:
    rng = np.random.default_rng(seed)
    rows, columns, bits = int(rng.integers(1, 200)), int(rng.integers(1, 3000)), int(rng.choice([8, 12, 16]))
    made = random_island("i", rows, columns, bits, rng)
    limit = payload_max(made) if seed % 3 == 0 else 40
    payload = rng.integers(-limit, limit + 1, (5, columns)) * rng.integers(0, 2, (5, columns))
    if seed % 3 == 0:  # nearly all at one end: sums as large as can be
        payload = np.where(
            rng.random(payload.shape) < 0.9, np.where(made.synapses.synapse.weight[0] < 0, -limit, limit), payload
        )
    program = program_of_layers(INFO, [made], {}, "x", "i")
    run = recorder(program, runner)
    run.run(program.segments[0].network, {"i.input": payload.astype(np.int16)[:, None]}, 1)
    return run.seen["i"]


@lru_cache(maxsize=2)
def model(name: str, on_chip: str = "projections") -> tuple[Program, WeightStore, Any]:
    text, tokens = (CALIBRATION, 512) if name == "demo" else (DEFAULT_CALIBRATION, 2048)
    path = resolve(name)
    graph = read_graph(path)
    tokenizer = read_tokenizer(path, graph.info.vocab_size)
    known = np.array(tokenizer.encode(text.read_text(encoding="utf-8")[: 64 * tokens], bos=tokenizer.adds_bos)[:tokens])
    window = min(512, graph.info.max_positions)
    preset = get_preset("default", calibration_tokens=tokens, window=window, on_chip=on_chip)
    return quantize(graph, known, preset), graph.weights, tokenizer


def model_bits(name: str, text: Path, tokens: int, alone: int, runner: str) -> Any:
    """`tokens` at once, then `alone` further ones token by token with the state that they left."""
    program, weights, tokenizer = model(name)
    ids = np.array(tokenizer.encode(text.read_text(encoding="utf-8")[:10_000], bos=tokenizer.adds_bos))
    run, state = recorder(program, runner), State()
    hybrid = Hybrid(program, weights, run)
    hybrid.forward(ids[:tokens], state)
    for at in range(tokens, tokens + alone):
        hybrid.forward(ids[at : at + 1], state)
    return {"weights": weights_of(program), **{name: digest(" ".join(seen)) for name, seen in run.seen.items()}}


class Segments(Recorder):
    """Keeps digests of what passes each segment, of however many populations."""

    def run(self, network: Network, inputs: Any, steps: int, **rest: Any) -> RunResult:
        result = self.inner.run(network, inputs, steps, **rest)
        done = result.activity
        lost = {name: count for name, count in (done.saturated | done.wrapped).items() if count}
        outputs = {name: result.outputs[name].astype(np.int64) for name in network.outputs}
        given = {name: np.asarray(inputs[name], np.int64) for name in network.inputs}
        self.seen[network.name] += [digest(given), digest(outputs), digest({"fired": done.fired, "lost": lost})]
        return result


def block_bits(runner: str) -> Any:
    """40 tokens at once, then 5 token by token; "partitioned": at most 50 rows a shard."""
    program, weights, tokenizer = model("demo", "block")
    ids = np.array(tokenizer.encode(TEXT.read_text(encoding="utf-8")[:1000], bos=tokenizer.adds_bos))
    system = get_system("kapoho-point")
    inner: Any = get_runner("fast" if runner == "fast" else "reference")
    if runner == "partitioned":
        inner = PartitionedRunner(map_model(program, system, Options(max_rows=50)), system.chip)
    run, state = Segments(inner), State()
    hybrid = Hybrid(program, weights, run)
    hybrid.forward(ids[:40], state)
    for at in range(40, 45):
        hybrid.forward(ids[at : at + 1], state)
    return {name: digest(" ".join(seen)) for name, seen in run.seen.items()}


def weights_of(program: Program) -> str:
    islands = {}
    for name, island in islands_of(program).items():
        scales = [[s.mantissa, s.exponent] for s in (island.encode.scale, island.decode.scale)]
        synapses, params = island.synapses, island.neurons.params
        islands[name] = {
            "synapses": {
                "weight": synapses.synapse.weight,
                "axon_shift": exponents(island),
                "sums": synapses.block_sums,
            },
            "neurons": {name: params[name] for name in ("multiplier", "shift", "acc_shift")},
            "scales": scales,
        }
    return digest(islands)


def _cases() -> dict[str, Case]:
    made = {name: case(network_bits, name, variants=RUNNERS) for name in NETS}
    made |= {f"islands/{seed}": case(island_bits, seed, variants=RUNNERS) for seed in range(ISLANDS)}
    made["demo"] = case(model_bits, "demo", TEXT, 200, 24, variants=RUNNERS, float=True)
    made["block/demo"] = case(block_bits, variants=RUNNERS, float=True)
    for text in ("shakespeare", "britannica"):
        path = cache_folder() / "texts" / f"{text}.txt"
        made[f"smollm2/{text}"] = case(
            model_bits, "smollm2-135m", path, 128, 4, variants=("reference", "fast"), real=True, float=True
        )
    return made


CASES = _cases()
