"""A model with islands on the host: the same bits, complete counts, and work of the host in place of events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.errors import BundleError, InternalError
from neurodeploy.ir.run import ActivityCounts
from neurodeploy.ops.host.kvcache import State
from neurodeploy.pipeline.session import read_mapping
from neurodeploy.pipeline.texts import hybrid, left_to_host
from targets.hosts import get_host
from tests.islands import islands_of
from tests.networks.equality import same_result
from tests.offload.conftest import Pair
from tests.prices import token_ledger
from tests.tiny import Cli

TOKENS = np.random.default_rng(3).integers(3, 128, 40)
PROSE = "It was a bright cold day in April, and the clocks were striking thirteen. " * 3


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "prose.txt"
    path.write_text(PROSE)
    return path


def counted(path: Path, runner: str = "fast") -> tuple[torch.Tensor, ActivityCounts]:
    model = hybrid(open_bundle(path), runner)
    return model.forward(TOKENS), model.take_counts()


def test_the_fixture_is_mixed(pair: Pair) -> None:
    bundle = open_bundle(pair.offloaded)
    left = left_to_host(bundle)
    assert 0 < len(left) < len(islands_of(bundle.program))
    assert {islands_of(bundle.program)[name].neurons.expert is None for name in left} == {True, False}
    assert left_to_host(open_bundle(pair.resident)) == frozenset()


@pytest.mark.parametrize("runner", ["fast", "reference", "partitioned"])
def test_same_bits_and_complete_counts(pair: Pair, runner: str) -> None:
    wanted, everything = counted(pair.resident)
    found, counts = counted(pair.offloaded, runner)
    assert torch.equal(wanted, found)
    left = left_to_host(open_bundle(pair.offloaded))
    assert set(counts.host) == left
    assert set(counts.segments) == set(everything.segments) - left
    assert (counts.tokens, counts.saturations) == (everything.tokens, everything.saturations)
    assert (counts.host_flops, counts.host_bytes) == (everything.host_flops, everything.host_bytes)
    for name, activity in counts.everywhere().items():
        same_result(activity, everything.segments[name])


def test_weights_are_read_once_a_call(pair: Pair) -> None:
    """40 tokens at once, then one by one: the same operations, but 40 times the weights."""
    _, at_once = counted(pair.offloaded)
    model, state = hybrid(open_bundle(pair.offloaded)), State()
    for token in TOKENS:
        model.forward(token[None], state)
    single = model.take_counts()
    program = open_bundle(pair.offloaded).program
    for name, work in at_once.host.items():
        island, other = islands_of(program)[name], single.host[name]
        tokens = work.activity.ticks
        assert other.activity.ticks == work.ticks == tokens
        assert other.calls == tokens
        assert work.calls == (1 if tokens else 0)
        assert (
            work.flops
            == other.flops
            == tokens
            * (2 * island.neurons.size * island.source.size + 4 * island.source.size + 10 * island.neurons.size)
        )
        once = island.neurons.size * island.source.size + 3 * island.neurons.size + island.source.size
        assert work.bytes == work.calls * once + tokens * 4 * (island.neurons.size + island.source.size)
        assert other.bytes - work.bytes == (other.calls - work.calls) * once


def test_the_ledger_moves_their_work_to_the_host(pair: Pair) -> None:
    cpu = get_host("cpu-generic")
    ledgers = {}
    for path in pair:
        bundle = open_bundle(path)
        mapping, system = read_mapping(bundle)
        counts = counted(path)[1]
        ledgers[path.stem] = token_ledger(mapping, counts, islands_of(bundle.program), system, cpu, "generate"), counts
    (whole, everything), (mixed, counts) = ledgers["resident"], ledgers["offloaded"]

    def of(ledger: Any, event: str) -> float:
        return sum(entry.count for entry in ledger.entries if entry.event == event)

    islands = islands_of(open_bundle(pair.offloaded).program)
    gone = sum(
        int(everything.segments[n].fired[f"{n}.input"]["s"].sum()) * islands[n].neurons.size for n in counts.host
    )
    total = of(whole, "synaptic operation") * counts.tokens
    assert of(mixed, "synaptic operation") * counts.tokens == pytest.approx(total - gone)
    layers = {islands[name].neurons.layer for name, work in counts.host.items() if work.ticks}
    entries = [entry for entry in mixed.entries if entry.component == "host islands"]
    assert {entry.layer for entry in entries} == layers
    seconds = sum(
        max(work.flops / cpu.peak_flops.nominal, work.bytes / cpu.bandwidth.nominal) for work in counts.host.values()
    )
    assert sum(entry.count for entry in entries) == pytest.approx(seconds / counts.tokens)
    assert sum(e.joules.nominal for e in entries) == pytest.approx(cpu.active_power.nominal * seconds / counts.tokens)
    assert mixed.time_split["host islands"] == pytest.approx(seconds / counts.tokens)
    assert sum(mixed.time_split.values()) == pytest.approx(mixed.seconds.nominal)
    assert "host islands" not in whole.by_component()
    assert mixed.by_component()["host link"].nominal < whole.by_component()["host link"].nominal
    assert any("populations are computed by the host" in sentence for sentence in mixed.assumptions)


def test_prefill_adds_them_to_the_host(pair: Pair) -> None:
    bundle = open_bundle(pair.offloaded)
    mapping, system = read_mapping(bundle)
    counts = counted(pair.offloaded)[1]
    slow = replace(get_host("cpu-generic"), bandwidth=replace(get_host("cpu-generic").bandwidth, nominal=1e6))
    ledger = token_ledger(mapping, counts, islands_of(bundle.program), system, slow, "prefill")
    assert ledger.bound_by.startswith("host")
    assert ledger.time_split["host islands"] > 0
    assert sum(ledger.time_split.values()) == pytest.approx(ledger.seconds.nominal)


def test_counts_of_another_mapping_are_not_priced(pair: Pair) -> None:
    bundle = open_bundle(pair.resident)
    mapping, system = read_mapping(bundle)
    counts = counted(pair.offloaded)[1]
    with pytest.raises(InternalError, match="ND9031"):
        token_ledger(mapping, counts, islands_of(bundle.program), system, get_host("cpu-generic"), "generate")


def test_the_mapping_is_executed_by_users(pair: Pair, text: Path, experts_bundle: Path, cli: Cli) -> None:
    """Core by core, on the chip's islands; the host's run beside. Same tokens, same score, same counts."""
    mapping, _ = read_mapping(open_bundle(pair.offloaded))
    done = {
        "system": mapping.system, "shards": len(mapping.shards), "cores": mapping.cores_used, "chips": mapping.chips_used
    }  # fmt: skip
    results: dict[str, list[dict[str, Any]]] = {
        runner: [
            pipeline.run(pair.offloaded, text, max_tokens=40, runner=runner),
            pipeline.generate(pair.offloaded, "hello", 4, runner=runner),
            pipeline.eval(pair.offloaded, text, max_tokens=40, with_float=False, runner=runner),
        ]
        for runner in ("partitioned", "fast")
    }
    for found, wanted in zip(*results.values(), strict=True):
        assert found.pop("executed") == done
        for one in (found, wanted):
            one.get("chip", {}).pop("tokens_per_s", None)
        assert found | {"runner": "fast"} == wanted | {"runner": "fast"}
    extent = f"{len(mapping.shards)} shards on {mapping.cores_used} cores of {mapping.system}"
    asked = ["run", str(pair.offloaded), "--text", str(text), "--max-tokens", "9", "--runner", "partitioned"]
    assert cli(*asked).out.startswith(f"experts: 9 tokens on partitioned, {extent}\n")
    first = f"{pair.offloaded}: sound; its mapping was executed, {extent}: the same bits\n"
    assert cli("verify", pair.offloaded).out.startswith(first)
    vectors = pipeline.verify(pair.offloaded)
    on_chip = len(mapping.by_island())
    assert vectors["executed"] == done and vectors["golden_vectors"]["partitioned"] == on_chip
    unmapped = cli("run", experts_bundle, "--text", text, "--runner", "partitioned")
    assert unmapped.status == 2 and "ND2005" in unmapped.err and "neurodeploy map" in unmapped.err


def test_verify_sees_a_core_that_computes_something_else(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from simulators.partitioned import PartitionedRunner

    real = PartitionedRunner.run
    name = max(read_mapping(open_bundle(pair.offloaded))[0].by_island())

    def run(self: Any, network: Any, *given: Any, **rest: Any) -> Any:
        found = real(self, network, *given, **rest)
        if name in found.outputs:
            found.outputs[name][-1, 0, 0] += 1
        return found

    monkeypatch.setattr(PartitionedRunner, "run", run)
    with pytest.raises(BundleError, match=f"ND5009 {name} on partitioned"):
        pipeline.verify(pair.offloaded)


def test_every_verb_works(pair: Pair, text: Path, tmp_path: Path) -> None:
    results = [pipeline.generate(path, "hello", 6) for path in pair]
    assert results[0]["tokens"] == results[1]["tokens"]
    assert results[0]["margins"] == results[1]["margins"]
    scores = [pipeline.eval(path, text, with_float=False)["chip"]["nats"] for path in pair]
    assert scores[0] == scores[1]
    ran = [pipeline.run(path, text) for path in pair]
    assert ran[1]["populations"] == ran[0]["populations"] and ran[1]["projections"] == ran[0]["projections"]
    assert ran[0]["on_host"] == {} and set(ran[1]["on_host"]) <= set(ran[1]["populations"])
    priced = pipeline.energy(pair.offloaded, text=text, prompt_tokens=16, tokens=4)
    assert priced["generate"]["by_component"]["host islands"]["nominal"] > 0
    every = pipeline.energy(pair.resident, text=text, prompt_tokens=16, tokens=4)
    assert priced["metrics"] == every["metrics"], "metrics of the algorithm do not depend on devices"
    assert pipeline.verify(pair.offloaded)["violations"] == []
    explained = pipeline.explain(pair.offloaded)
    assert sum(entry["op"] == "island" and entry["device"] == "host" for entry in explained) == len(ran[1]["on_host"])
    page = tmp_path / "page.html"
    data = pipeline.report(pair.offloaded, page, prompt_tokens=16, tokens=4)["data"]
    assert data["map"]["host_islands"] == len(ran[1]["on_host"])
    assert (
        f"fits only partly ({data['map']['host_islands']} islands run on the host, the rest on 1 of 1 chip)"
        in page.read_text()
    )
    assert "not-resident" in page.read_text()


def test_the_terminal_says_so(pair: Pair, text: Path, cli: Cli) -> None:
    said = cli("run", pair.offloaded, "--text", text).out
    assert "on the host beside" in said
    assert "on the host beside" not in cli("run", pair.resident, "--text", text).out


def test_all_islands_on_the_host(copy: Path, text: Path, cli: Cli, tmp_path: Path) -> None:
    """A baseline that people ask for: no chip is used, none is powered, everything still works."""
    names = list(islands_of(open_bundle(copy).program))
    expected = counted(copy)[0]
    found = pipeline.map(copy, pins=[f"{name}=device:host" for name in names])
    assert (found["chips_used"], found["cores_used"], found["violations"]) == (0, 0, [])
    assert torch.equal(counted(copy)[0], expected)
    priced = cli.json("energy", copy, "--text", text, "--tokens", "4")
    assert priced["generate"]["joules_per_token"]["board"]["nominal"] == 0
    assert priced["generate"]["joules_per_token"]["wall"]["nominal"] > 0
    assert cli("report", copy, "--out", tmp_path / "r.html").status == 0
    assert cli("explain", copy).status == 0
