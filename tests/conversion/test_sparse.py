"""Thresholds by predicted loss, and weights that make up for what is not sent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.conversion import gradients
from neurodeploy.conversion import thresholds as module
from neurodeploy.conversion.presets import get_preset
from neurodeploy.conversion.quantize import group_projections
from neurodeploy.conversion.sparse import Threshold, Thresholded
from neurodeploy.conversion.thresholds import thresholds
from neurodeploy.errors import UserError
from neurodeploy.frontends.families import read_graph
from neurodeploy.ir.graph import Graph, Projection
from neurodeploy.ops.host.executor import Executor
from tests import models

TEXT = np.random.default_rng(1).integers(3, 256, 300)


def layers_of(graph: Graph, *, apart: bool = False) -> list[list[Projection]]:
    return [unit for unit in group_projections(graph, apart=apart) if isinstance(unit, list)]


def test_what_the_head_loses_is_the_mean_over_all_draws(tmp_path: Path) -> None:
    """``E_y[g g^T]``, g = d log p(y) / dx, by autograd for every y."""
    graph = read_graph(models.save("qwen3", tmp_path / "m"))
    sizes = {key: population.size for key, population in graph.populations.items()}
    executor = Executor(graph.ops, graph.weights, sizes, input=graph.input, output=graph.output)
    hidden = executor.forward_hidden(TEXT[:3])
    head = next(op for op in graph.projections() if op.output == graph.output)
    last = gradients.Head(executor, head)
    last.slopes(hidden)
    wanted = torch.zeros(head.in_features, head.in_features)
    for row in hidden:
        x = row.clone().requires_grad_()
        logs = (x @ executor.weights.get(head.weight).T).log_softmax(-1)
        for y in range(head.out_features):
            (grad,) = torch.autograd.grad(logs[y], x, retain_graph=True)
            wanted += logs[y].exp().detach() * torch.outer(grad, grad)
    found = last.moments().sum(0).float()
    assert torch.allclose(found.diagonal(), wanted.diagonal(), rtol=1e-3)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-6 * float(wanted.abs().max()))


def test_gradients_are_those_of_the_whole_model(tmp_path: Path) -> None:
    """Squares of the gradients, of one window, against torch through the whole model with the head in one piece."""
    graph = read_graph(models.save("llama4", tmp_path / "m"))
    sites = module._sensed(graph, layers_of(graph), [TEXT[:90]], {})
    for name in ("layers.0.self_attn.q_proj", "layers.1.feed_forward.shared_expert.down_proj", "lm_head"):
        assert float(sites[name].squares.sum()) > 0 and sites[name].rows == 90
    chosen = [sites[f"layers.1.feed_forward.experts.{i}.gate_proj"].rows for i in range(4)]
    assert sum(chosen) == 90


def test_gradients_of_a_value_are_those_through_all_that_read_it(tmp_path: Path) -> None:
    """Apart, q, k, v each have their share of the gradient; together these are what the value has."""
    graph = read_graph(models.save("llama", tmp_path / "m"))
    every = {}
    for apart in (False, True):
        layers = layers_of(graph, apart=apart)
        assert tuple(p for layer in layers for p in layer) == graph.projections()
        every[apart] = gradients.Back(graph, layers).run(TEXT[:60]).read
    assert every[False].keys() < every[True].keys()
    for layer in layers_of(graph)[:-1]:  # of the head nothing is read
        whole = every[False][layer[0].path].grad
        parts = [every[True][p.path].grad for p in layer]
        assert whole is not None and all(part is not None and float(part.abs().max()) > 0 for part in parts)
        assert torch.allclose(
            torch.stack([part for part in parts if part is not None]).sum(0), whole, rtol=1e-4, atol=1e-6
        )


def test_apart_the_same_events_lose_less(tmp_path: Path) -> None:
    """Predicted at one share: with thresholds for q, k, v and for gate and up, each loses less where it is sensitive."""
    graph = read_graph(models.save("qwen3", tmp_path / "m"))
    limits = thresholds(graph, layers_of(graph, apart=True), TEXT, 50, 0.7, turn=False).limits
    assert limits.keys() == {p.path for p in graph.projections()}
    q, k, v = (limits[f"layers.0.self_attn.{name}_proj"].limit for name in "qkv")
    assert not np.allclose(q, k, rtol=0.05) and not np.allclose(k, v, rtol=0.05)
    lost = []
    for apart in (False, True):
        layers = layers_of(graph, apart=apart)
        sites = module._sensed(graph, layers, [TEXT], {})
        powers = {name: site.losses(graph.weights) for name, site in sites.items()}
        _, found = module._limits(sites, powers, 0.7)
        own, total = gradients.Back(graph, layers_of(graph, apart=True)), 0.0
        read = own.run(TEXT).read
        for layer in layers[:-1]:
            limit = torch.from_numpy(found[layer[0].path].limit)
            for p in layer:
                x, slope = read[p.path].detach(), read[p.path].grad
                assert slope is not None
                total += float((torch.where(x.abs() > limit, 0.0, x) * slope).double().sum(1).square().sum())
        lost.append(total)
    assert lost[1] < lost[0]


def test_a_change_of_an_input_costs_what_its_gradient_says(tmp_path: Path) -> None:
    """The KL from the model to itself with noise on the input of one layer, against half the noise times the squares."""
    graph = read_graph(models.save("llama", tmp_path / "m"))
    name = "layers.1.mlp.glu"
    tokens = TEXT[:200]
    squares = [module._sensed(graph, layers_of(graph), [tokens], {})["layers.1.mlp.down_proj"].squares / 200]
    sizes = {key: population.size for key, population in graph.populations.items()}
    noise = torch.randn(200, sizes[name], generator=torch.Generator().manual_seed(1)) * 1e-2
    executor = Executor(graph.ops, graph.weights, sizes, input=graph.input, output=graph.output)
    exact = executor.forward(tokens).double().log_softmax(-1)

    def project(op: Projection, values: dict[str, torch.Tensor]) -> None:
        x = values[op.input] + (noise if op.input == name else 0.0)
        bias = None if op.bias is None else executor.weights.get(op.bias)
        values[op.output] = torch.nn.functional.linear(x, executor.weights.get(op.weight), bias)

    executor._handlers[Projection] = project
    found = executor.forward(tokens).double().log_softmax(-1)
    kl = float((exact.exp() * (exact - found)).sum(-1).mean())
    expected = float((squares[0] * noise.double().square().mean(0)).sum()) / 2
    assert kl == pytest.approx(expected, rel=0.35)


def test_one_price_for_the_axons_of_a_site_and_the_share_of_synaptic_events(tmp_path: Path) -> None:
    """Sensitivities on half of the windows; events, and what is lost together at a site, on the others."""
    graph = read_graph(models.save("gemma3", tmp_path / "m"))
    layers = layers_of(graph)
    found = thresholds(graph, layers, TEXT, 50, 0.8, turn=False).limits
    known, others = module._pieces(TEXT, 50)
    sites, fresh = module._sensed(graph, layers, known, {}), module._sensed(graph, layers, others, {})
    prices, left, every = [], 0.0, 0.0
    for layer in layers:
        site, limit = sites[layer[0].path], found[layer[0].path].limit
        site.losses(graph.weights)
        price = limit.astype(np.float64) ** 2 * site.sensitive.numpy() / site.fan
        assert price == pytest.approx(price[0], rel=1e-4)
        prices.append(price[0])
        sample = torch.cat(fresh[layer[0].path].sample).float().abs().numpy()
        left, every = left + site.fan * (sample > limit).sum(), every + site.fan * (sample > 0).sum()
    assert left / every == pytest.approx(0.8, abs=0.005)
    assert 1.01 < max(prices) / min(prices) <= 16**2


def test_what_is_lost_together(tmp_path: Path) -> None:
    """The ratio of a site, by hand: squares of sums over sums of squares, at the price that it changes itself."""
    graph = read_graph(models.save("llama", tmp_path / "m"))
    layers, pieces = layers_of(graph), module._pieces(TEXT, 100)[0]
    sites = module._sensed(graph, layers, pieces, {})
    powers = {name: site.losses(graph.weights) for name, site in sites.items()}
    price, limits = module._limits(sites, powers, 0.7)
    for key, each in sites.items():  # one price for all axons of all layers before anything is lost together
        own = limits[key].limit.astype(np.float64) ** 2 * each.sensitive.numpy() / each.fan
        assert own == pytest.approx(price, rel=1e-4)
    module._check(graph, sites, limits, pieces)
    name = "layers.0.mlp.down_proj"
    site, back = sites[name], gradients.Back(graph, layers)
    together = predicted = 0.0
    for piece in pieces:
        read = back.run(piece).read[name]
        assert read.grad is not None
        lost = torch.where(read.detach().abs() > 2 * torch.from_numpy(limits[name].limit), 0.0, read.detach()).double()
        together += float((lost * read.grad).sum(1).square().sum())
        predicted += float((lost.square() * site.sensitive).sum())
    assert site.together[:, module.FACTORS.index(2.0)].tolist() == pytest.approx([together, predicted], rel=1e-4)
    for _ in range(40):
        site.refine(4.0)
    factor = float(np.sqrt(4.0 / site.ratio))
    ratios = np.log((site.together[0] / site.together[1]).numpy())
    assert np.log(site.ratio) == pytest.approx(np.interp(np.log(factor), np.log(module.FACTORS), ratios), abs=1e-3)


def test_weights_make_up_for_what_is_not_sent() -> None:
    """Inputs with a common cause: fresh inputs lose less with the changed weights. Inputs without one: no change."""
    rng = np.random.default_rng(0)
    cause, mixed = rng.normal(size=(3000, 4)), rng.normal(size=(4, 24))
    weight = torch.from_numpy(rng.normal(size=(16, 24))).float()
    power = weight.double().square().sum(0)
    for inputs, better in (
        (cause @ mixed + 0.3 * rng.normal(size=(3000, 24)), 0.7),
        (rng.normal(size=(3000, 24)), None),
    ):
        x = torch.from_numpy(inputs).float()
        sparse = Thresholded(Threshold(np.full(24, 0.8, np.float32), power), [x[:1000], x[1000:2000]], 24)
        fresh = x[2000:]
        sent = sparse.coded(fresh)
        assert bool((sent == torch.where(fresh.abs() > 0.8, fresh, 0)).all())
        before = float((fresh @ weight.T - sent @ weight.T).square().sum())
        after = float((fresh @ weight.T - sent @ sparse.weights(weight).T).square().sum())
        assert after < (1.05 if better is None else better) * before


def test_payload_thresholds_are_those_of_rounded_magnitudes() -> None:
    x = torch.linspace(-3, 3, 4001)[:, None]
    sparse = Thresholded(Threshold(np.array([1.05], np.float32), torch.ones(1).double()), [x, x], 8)
    (vth,) = sparse.payloads(np.array([0.1], np.float32))
    payload = (x / 0.1).round()
    assert vth == 10 and float(x[payload.abs() > int(vth)].abs().min()) == pytest.approx(1.05, abs=2e-3)


@pytest.mark.parametrize(
    "fields", [{"events": 0.0}, {"events": 1.5}, {"keep_of": "4:2"}, {"keep_of": "2"}, {"keep_of": "2:32"}]
)
def test_what_is_no_share(fields: dict[str, object]) -> None:
    with pytest.raises(UserError, match="ND1101") as caught:
        get_preset("default", **fields)
    assert next(iter(fields)) in str(caught.value)


def test_thresholds_and_choices_do_not_go_together() -> None:
    with pytest.raises(UserError, match="keep_of"):
        get_preset("sparse", keep_of="2:4")
