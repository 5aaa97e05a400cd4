"""Experts that follow one another: counted on a text, brought together by the mapper, compared with another text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neurodeploy import pipeline
from neurodeploy.bundle import open_bundle
from neurodeploy.ir.affinity import Affinity
from neurodeploy.ir.graph import HostOp, ModelInfo
from neurodeploy.ir.program import Program
from neurodeploy.pipeline.following import chips_of
from partitioner.classify import group_of
from partitioner.files.json_form import mapping_from_json, mapping_to_json
from partitioner.mapper import map_model
from partitioner.options import Options
from targets.systems import get_system
from tests import models
from tests.islands import hollow_island, hollow_program, islands_of
from tests.tiny import Cli

LAYERS, EXPERTS, TOKENS = 4, 16, 4000


def mixture(hidden: int, inside: int) -> Program:
    islands, host = [], []
    for n in range(LAYERS):
        names = tuple(f"layers.{n}.experts.{e}" for e in range(EXPERTS))
        islands += [hollow_island(f"layers.{n}.qkv", 1024, hidden, layer=n)]
        for e, name in enumerate(names):
            islands += [hollow_island(f"{name}.up", inside, hidden, layer=n, expert=e)]
            islands += [hollow_island(f"{name}.down", hidden, inside, layer=n, expert=e)]
        routing = f"layers.{n}.routing"
        host.append(HostOp(f"layers.{n}.route", "moe_route", ("x",), (routing,), {"top_k": 1}, layer=n))
        host.append(HostOp(f"layers.{n}.dispatch", "moe_dispatch", ("x", routing), names, layer=n))
    return hollow_program(ModelInfo("mixture", "shapes", 1, 1, LAYERS, 1, "made up"), islands, host)


def planted(seed: int) -> Affinity:
    """Nine tokens of ten go on from an expert to one of the next layer, the tenth to any."""
    rng, pairs = np.random.default_rng(seed), []
    for n in range(LAYERS - 1):
        counts = np.full((EXPERTS, EXPERTS), TOKENS // 10 // EXPERTS**2)
        counts[np.arange(EXPERTS), rng.permutation(EXPERTS)] += TOKENS * 9 // 10 // EXPERTS
        for a, b in np.ndindex(counts.shape):
            pairs.append((f"layers.{n}.experts.{a}", f"layers.{n + 1}.experts.{b}", int(counts[a, b])))
    return Affinity(TOKENS, tuple(pairs))


@pytest.mark.parametrize(("hidden", "inside", "objective"), [(500, 600, "cores"), (640, 1000, "traffic")])
def test_planted_affinity_halves_what_passes_between_chips(hidden: int, inside: int, objective: str) -> None:
    program, affinity, system = mixture(hidden, inside), planted(0), get_system("hala-point")
    plain, drawn = (map_model(program, system, Options(objective=objective, affinity=a)) for a in (None, affinity))
    before, after = affinity.between(chips_of(plain)), affinity.between(chips_of(drawn))
    assert 2 * after < before
    assert (drawn.cores_used, drawn.chips_used) == (plain.cores_used, plain.chips_used)
    assert plain.affinity is None and "affinity" not in mapping_to_json(plain)
    assert mapping_from_json(json.loads(json.dumps(mapping_to_json(drawn)))).affinity == affinity


def test_drift_is_the_total_variation_of_the_worst_layer() -> None:
    def of(*counts: int) -> Affinity:
        groups = [("layers.0.experts.0", f"layers.1.experts.{e}") for e in range(2)]
        groups += [("layers.1.experts.0", f"layers.2.experts.{e}") for e in range(2)]
        return Affinity(10, tuple((*pair, n) for pair, n in zip(groups, counts, strict=True) if n))

    assert of(5, 5, 8, 2).drift(of(10, 10, 8, 2)) == 0.0
    assert of(5, 5, 8, 2).drift(of(5, 5, 2, 8)) == pytest.approx(0.6)
    assert of(10, 0, 10, 0).drift(of(0, 10, 10, 0)) == 1.0


def test_map_counts_a_text_and_eval_says_how_far_another_is(tmp_path: Path, cli: Cli) -> None:
    source = models.save("llama4", tmp_path / "m", vocab_size=128, eos_token_id=None, interleave_moe_layer_step=1)
    bundle, first, second = tmp_path / "m.nd", tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("a mapping is made for this text, " * 12)
    second.write_text("0123456789 + 9876543210 = ?\n" * 12)
    pipeline.convert(source, bundle, preset="quick", calibration_tokens=96)
    assert "affinity" not in pipeline.eval(bundle, second, with_float=False)
    found = cli.json("map", bundle, "--rates", first)
    run = pipeline.run(bundle, first, max_tokens=4096)
    assert found["rates"]["tokens"] == run["steps"] and 0 <= found["rates"]["between_chips"] <= 1
    opened = open_bundle(bundle)
    stored = mapping_from_json(opened.read_mapping()).affinity
    assert stored is not None and sum(n for *_, n in stored.pairs) == run["steps"]
    for name, island in islands_of(opened.program).items():
        if island.neurons.layer == 0 and island.neurons.expert is not None:
            assert run["populations"][name]["steps"] == sum(
                n for a, _, n in stored.pairs if a == group_of(island.neurons)
            )
    same, other = (pipeline.eval(bundle, text, with_float=False)["affinity"] for text in (first, second))
    assert same["tokens"] == run["steps"] - 1, "nothing follows the last token, so it is not evaluated"
    assert same["drift"] < 0.01 < other["drift"] <= 1
    assert "away from the mapping's text" in cli("eval", bundle, "--text", second, "--no-float").out
    pipeline.map(bundle)
    assert "affinity" not in pipeline.eval(bundle, second, with_float=False)
