"""A head in groups of rows: the same predictions, sensitivities that add up, and one input for all on the chip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.conversion import gradients, thresholds
from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import group_projections, quantize
from neurodeploy.conversion.row_groups import groups, in_groups
from neurodeploy.frontends.families import read_graph
from neurodeploy.hybrid import Hybrid
from neurodeploy.ir.graph import Graph, Projection
from neurodeploy.ops.host.executor import Executor
from simulators import get_runner
from tests import models

TEXT = np.random.default_rng(1).integers(3, 256, 200)


def executor(graph: Graph) -> Executor:
    sizes = {name: population.size for name, population in graph.populations.items()}
    return Executor(graph.ops, graph.weights, sizes, input=graph.input, output=graph.output)


def head_of(graph: Graph) -> Projection:
    return next(p for p in graph.projections() if p.output == graph.output)


@pytest.mark.parametrize("rows", [3, 64, 100, 49152, 262144])
def test_groups_are_all_rows(rows: int) -> None:
    found = groups(rows)
    assert [row for start, stop in found for row in (start, stop)][1:-1:2] == [start for start, _ in found[1:]]
    assert found[0][0] == 0 and found[-1][1] == rows and all(start < stop for start, stop in found)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_predictions_are_the_same(family: str, tmp_path: Path) -> None:
    """Logits differ by one number a token; the head by itself is what follows the one value that all rows read."""
    graph = read_graph(models.save(family, tmp_path / "m"))
    head = head_of(graph)
    mean = np.random.default_rng(0).normal(size=head.in_features).astype(np.float32)
    cut, parts = in_groups(graph, head, mean)
    cut.check()
    assert sum(p.out_features for p in parts) == head.out_features and len(parts) == 4
    before, after = executor(graph).forward(TEXT[:40]), executor(cut).forward(TEXT[:40])
    hidden = executor(cut).forward_hidden(TEXT[:40])
    assert hidden.shape == (40, head.in_features)
    assert torch.allclose(before - after, (hidden @ torch.from_numpy(mean))[:, None].expand_as(before), atol=1e-4)
    assert torch.allclose(executor(cut).forward(TEXT[:40], last_only=True), after[-1:], atol=1e-5)


def test_moments_of_groups_by_hand(tmp_path: Path) -> None:
    """``sum_(v in r) p_v (w_v - m) (w_v - m)^T``, which add up to those of the whole head; and the mean row."""
    graph = read_graph(models.save("qwen3", tmp_path / "m"))
    run, head = executor(graph), head_of(graph)
    hidden, weight = run.forward_hidden(TEXT[:5]), run.weights.get(head.weight)
    last = gradients.Head(run, head)
    last.slopes(hidden)
    p = (hidden @ weight.T).softmax(-1)
    mean = p @ weight
    found = last.moments()
    for (start, stop), own in zip(groups(len(weight)), found, strict=True):
        apart = weight[None, start:stop] - mean[:, None]
        wanted = torch.einsum("tv,tvi,tvj->ij", p[:, start:stop], apart, apart)
        assert torch.allclose(own.float(), wanted, rtol=1e-3, atol=1e-5 * float(wanted.abs().max()))
    assert torch.allclose(last.mean().float(), mean.mean(0), atol=1e-6)


def test_each_group_has_thresholds_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One price: squared thresholds times sensitivities over synapses are the same in all groups."""
    monkeypatch.setattr(thresholds, "WORTH", 1)
    graph = read_graph(models.save("llama", tmp_path / "m"))
    layers = [unit for unit in group_projections(graph, apart=True) if isinstance(unit, list)]
    chosen = thresholds.thresholds(graph, layers, TEXT, 50, 0.8, turn=False, cut=True)
    names = [f"{head_of(graph).path}.{i}" for i in range(4)]
    assert head_of(graph).path not in chosen.limits and set(names) <= set(chosen.limits)
    assert {p.path for p in chosen.graph.projections()} == set(chosen.limits)
    run = executor(graph)
    last, (_, others) = gradients.Head(run, head_of(graph)), thresholds._pieces(TEXT, 50)
    for piece in others:
        last.slopes(run.forward_hidden(piece))
    prices = [
        np.median(chosen.limits[name].limit.astype(np.float64) ** 2 * own.diagonal().numpy()) / (stop - start)
        for name, own, (start, stop) in zip(names, last.moments(), groups(head_of(graph).out_features), strict=True)
    ]
    assert prices == pytest.approx([prices[0]] * 4, rel=1e-3)
    whole = thresholds.thresholds(graph, layers, TEXT, 50, 0.8, turn=False)
    assert whole.graph is graph and head_of(graph).path in whole.limits


def test_the_head_on_the_chip_reads_one_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All runners, all tokens and the last one alone; ids that the chip chooses are those of all logits."""
    monkeypatch.setattr(thresholds, "WORTH", 1)
    graph = read_graph(models.save("llama", tmp_path / "m"))
    preset = get_preset("quick", events=0.8, on_chip="block", window=50)
    program = quantize(graph, TEXT, preset)
    last = program.segments[-1]
    assert last.encodes == () and len(last.reads) == 1 and last.outputs == (program.output,)
    assert sum(name.startswith("lm_head.") and name.endswith(".input") for name in last.network.populations) == 4
    fast, slow = (Hybrid(program, graph.weights, get_runner(name)) for name in ("fast", "reference"))
    logits = fast.forward(TEXT[:24])
    assert torch.equal(logits, slow.forward(TEXT[:24]))
    assert torch.equal(fast.forward(TEXT[:24], last_only=True), logits[-1:])
    wanted = executor(graph).forward(TEXT[:24]).double().log_softmax(-1)
    kl = (wanted.exp() * (wanted - logits.double().log_softmax(-1))).sum(-1).mean()
    assert float(kl) < 0.02
    chosen = quantize(graph, TEXT, get_preset("quick", events=0.8, on_chip="block", window=50, head_top=1))
    found = Hybrid(chosen, graph.weights, get_runner("fast")).forward(TEXT[:24])
    assert torch.equal(found.argmax(1), logits.argmax(1))
