"""Presets of narrow payloads and weights with whole blocks on the chip: what a preset promises is in the program, and every
runner gives the same bits. No tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy import pipeline
from neurodeploy.bundle import Bundle, open_bundle
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.network import Projection
from neurodeploy.ir.population import INPUT, Population
from neurodeploy.ir.program import Program
from neurodeploy.ir.run import ActivityCounts, Runner
from neurodeploy.neurons.registry import payload_bits
from neurodeploy.pipeline.texts import float_model
from partitioner.mapper import map_model
from partitioner.verify.violations import verify
from simulators import get_runner
from simulators.fast.lane import Lane, Room
from simulators.partitioned import PartitionedRunner
from targets.systems import get_system
from tests import models
from tests.conversion.test_block import STAYS
from tests.conversion.test_narrow import quantised
from tests.hybrid.test_blocks import same
from tests.hybrid.test_identity import small_system

#: Every preset with families that have what could get in its way: norms behind layers, experts, offsets.
CASES = [
    ("a12", "gemma3"), ("a12", "gpt2"), ("a8", "llama"), ("a8", "llama4"), ("w4", "gemma3"), ("w4", "llama4"),
    ("keep", "llama"),
]  # fmt: skip
TOKENS = np.random.default_rng(7).integers(3, 256, 12)
#: Least agreement with float, as a correlation of logits.
LIKE_FLOAT = {"a12": 0.999, "a8": 0.99, "w4": 0.9, "keep": 0.999}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@lru_cache(maxsize=len(CASES))
def converted(folder: Path, preset: str, family: str) -> Bundle:
    path, out = folder / f"{family}-{preset}", folder / f"{family}-{preset}.nd"
    source = quantised(path.with_suffix(".gguf")) if preset == "keep" else models.save(family, path)
    pipeline.convert(source, out, preset=preset, on_chip="block", calibration_tokens=256)
    return open_bundle(out)


def run(bundle: Bundle, runner: Runner, parts: int = 1) -> tuple[torch.Tensor, ActivityCounts]:
    """All tokens at once, or in so many parts with the state between them."""
    assert bundle.host_weights is not None
    hybrid = Hybrid(bundle.program, bundle.host_weights, runner)
    state = hybrid.begin()
    found = torch.cat([hybrid.forward(part, state) for part in np.array_split(TOKENS, parts)])
    return found, hybrid.take_counts()


@lru_cache(maxsize=len(CASES))
def expected(folder: Path, preset: str, family: str) -> tuple[torch.Tensor, ActivityCounts]:
    return run(converted(folder, preset, family), get_runner("reference"))


def layers(program: Program) -> Iterator[tuple[Population, Projection]]:
    """Linear layers, on the chip from both sides or not: what sends to each, and its synapses."""
    network, sites = program.network, {site["path"] for site in program.conversion["sites"]}
    for p in network.projections:
        if sites & {part.path for part in network.populations[p.target].sections}:
            yield network.populations[p.source], p


@pytest.mark.parametrize(("preset", "family"), CASES)
def test_nothing_of_a_preset_is_given_up_silently(folder: Path, preset: str, family: str) -> None:
    """Operations are on the chip, payloads that populations make have the bits and exponents of their site, weights their
    groups, and the fast runner multiplies them as matrices."""
    program = converted(folder, preset, family).program
    network, sites = program.network, {site["path"]: site for site in program.conversion["sites"]}
    assert {op.op for op in program.operations} == STAYS[family]
    assert bool(program.info.prefix) == preset.startswith("a")
    found, grouped, fed = 0, 0, set[str]()
    for source, p in layers(program):
        site = sites[network.populations[p.target].sections[0].path]
        found += len(network.populations[p.target].sections)
        assert payload_bits(source) == site["payload_bits"]
        grouped += p.synapse.kind == "grouped"
        assert np.count_nonzero(0 if p.axon_exp is None else p.axon_exp) == site["wide_channels"]
        if source.model == INPUT:
            fed.add(site["path"].rpartition(".")[2])
        lane = Lane.of(network, p.target, Room())
        assert lane is not None and type(lane).__name__ == ("GroupedLane" if p.synapse.kind == "grouped" else "Lane")
    assert found == len(sites)
    assert len(fed) == 1  # the context alone comes from the host
    widths = [site["payload_bits"] for site in sites.values()]
    if preset == "a12":
        assert set(widths) == {12}
    if preset == "a8":
        assert min(widths) == 8 and np.mean(widths) < 11
    bits = program.conversion["bits_a_weight"]
    if preset == "w4":
        assert grouped >= len(sites) // 4 and bits["body"] <= 4.5 and bits["with_head"] <= 5.0
    if preset == "keep":
        kept = {site["path"].rpartition(".")[2] for site in sites.values() if site["rounding"].startswith("kept")}
        assert grouped and kept == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "lm_head"}


@pytest.mark.parametrize(("preset", "family"), CASES)
def test_the_same_bits_at_once_in_parts_and_token_by_token(folder: Path, preset: str, family: str) -> None:
    wanted = expected(folder, preset, family)
    for parts in (1, 3, TOKENS.size):
        same(wanted, run(converted(folder, preset, family), get_runner("fast"), parts))


@pytest.mark.parametrize(("preset", "family"), CASES)
def test_the_same_bits_over_chips(folder: Path, preset: str, family: str) -> None:
    bundle = converted(folder, preset, family)
    one = small_system(get_system("oheo-gulch"), 1, 48)
    cores = map_model(bundle.program, one).cores_used
    few = replace(one, chips=8, grid=(8, 1), chip=replace(one.chip, cores=cores // 8 + 2))
    mapping = map_model(bundle.program, few)
    assert verify(mapping, bundle.program, few) == [] and mapping.chips_used > 4
    same(expected(folder, preset, family), run(bundle, PartitionedRunner(mapping, few.chip)))


@pytest.mark.parametrize(("preset", "family"), CASES)
def test_logits_are_those_of_float_behind_the_same_beginning(folder: Path, preset: str, family: str) -> None:
    real = float_model(converted(folder, preset, family)).forward(TOKENS)
    found = expected(folder, preset, family)[0]
    assert float(np.corrcoef(found.numpy().ravel(), real.numpy().ravel())[0, 1]) > LIKE_FLOAT[preset]
