"""Values in other bases: the same function, the second moments that are asked for, and events that are worth less."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.conversion import bases, thresholds
from neurodeploy.conversion.bases import Moments, Place, places
from neurodeploy.conversion.prefix import with_prefix
from neurodeploy.conversion.quantize import group_projections
from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import Graph, Projection
from neurodeploy.ops.host.executor import Executor
from tests import models

TEXT = np.random.default_rng(1).integers(3, 256, 300)


def layers_of(graph: Graph) -> list[list[Projection]]:
    return [unit for unit in group_projections(graph) if isinstance(unit, list)]


def logits(graph: Graph) -> torch.Tensor:
    sizes = {name: population.size for name, population in graph.populations.items()}
    executor = Executor(graph.ops, graph.weights, sizes, input=graph.input, output=graph.output)
    return executor.forward(TEXT[:64]).double()


@pytest.mark.parametrize("begins", [[], [5, 9]])
@pytest.mark.parametrize("family", ["llama", "gemma3", "qwen3", "gpt2", "llama4"])
def test_the_function_is_the_same(
    family: str, begins: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GPT-2 has biases of v, Llama and Qwen heads that share values; those of a prefix are in the basis too. The head's
    basis is a layer before it."""
    monkeypatch.setattr(bases, "WORTH", 1)
    graph = read_graph(models.save(family, tmp_path / "m"))
    graph = with_prefix(graph, begins) if begins else graph
    chosen = thresholds.thresholds(graph, layers_of(graph), TEXT, 100, 0.8)
    chosen.graph.check()
    new = {p.path for p in chosen.graph.projections()} - {p.path for p in graph.projections()}
    assert len(new) == 1
    assert {layer[0].path for layer in layers_of(chosen.graph)} == set(chosen.limits)
    turned = [p for p in chosen.graph.projections() if p.weight.endswith(".turned.weight")]
    assert len(turned) >= 1 + 2 * graph.info.layers
    before, after = logits(graph), logits(chosen.graph)
    assert float((after - before).abs().max()) < 2e-3 * float(before.std())
    assert float((after - before).abs().max()) > 0


def test_a_vocabulary_that_is_small_has_no_basis(tmp_path: Path) -> None:
    graph = read_graph(models.save("llama", tmp_path / "m"))
    assert "lm_head" not in places(graph) and len(places(graph)) == graph.info.layers


def test_coordinates_are_uncorrelated_and_their_gradients_equal() -> None:
    """Against numpy on samples; two parts of two groups each."""
    rng = np.random.default_rng(0)
    x, g = (rng.normal(size=(4000, 24)) @ rng.normal(size=(24, 24)) for _ in range(2))
    groups = [torch.from_numpy(t).reshape(-1, 4, 6).transpose(0, 1) for t in (x, g)]
    moments = Moments(Place(4, 2, 0.0), *(t.mT @ t for t in groups))
    basis = moments.basis()
    assert basis is not None
    there = basis.there_of(torch.from_numpy(x)).numpy().reshape(-1, 2, 2, 6)
    back = np.repeat(basis.back.numpy(), 2, axis=0)
    slopes = np.einsum("tgk,gkj->tgj", g.reshape(-1, 4, 6), back)
    assert basis.squares(moments.slopes).numpy() == pytest.approx(np.square(slopes).sum(0).reshape(-1), rel=1e-6)
    for part in (0, 1):
        own = there[:, part].reshape(-1, 6)
        spread = own.T @ own
        assert np.abs(spread - np.diag(np.diag(spread))).max() < 1e-6 * spread.max()
        there_slopes = slopes.reshape(-1, 2, 2, 6)[:, part].reshape(-1, 6)
        assert there_slopes.T @ there_slopes == pytest.approx(np.eye(6), abs=0.01)


def test_what_has_no_gradient_has_no_basis() -> None:
    zero = torch.zeros(1, 4, 4).double()
    assert Moments(Place(1, 1, 0.0), torch.eye(4).double()[None], zero).basis() is None


def test_the_same_events_are_worth_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs of the head that lie near a plane: the loss of half of the events, in the basis and as they are."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2000, 3)) @ rng.normal(size=(3, 32)) + 0.05 * rng.normal(size=(2000, 32))
    weight = rng.normal(size=(512, 32))
    slopes = torch.from_numpy(weight.T @ weight)[None]
    moments = Moments(Place(1, 1, 0.0), torch.from_numpy(x.T @ x)[None], slopes)
    basis = moments.basis()
    assert basis is not None

    def lost(values: np.ndarray, s: np.ndarray) -> float:
        worth = np.sort((values**2 * s).ravel())
        return float(worth[: worth.size // 2].sum())

    plain = lost(x, np.diag(slopes[0].numpy()))
    turned = lost(basis.there_of(torch.from_numpy(x)).numpy(), basis.squares(slopes).numpy())
    assert turned < 0.1 * plain
