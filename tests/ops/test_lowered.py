"""Operations as populations against torch in float64: the acceptance tests of norms, curves and gates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from neurodeploy.ops.host import pieces
from tests.ops.lowered import off, run_lowered

WIDTHS = (64, 128, 256, 1152, 4096)
#: Bits of the inputs -> error of a norm.
NORM_ERRORS = {24: 5e-5, 16: 2e-4, 12: 2e-3, 8: 3e-2}


def students(tokens: int, width: int) -> np.ndarray:
    return np.random.default_rng(width).standard_t(4, (tokens, width))


def gains(width: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).uniform(0.2, 3.0, width))


@pytest.mark.parametrize("bits", NORM_ERRORS)
@pytest.mark.parametrize("width", WIDTHS)
def test_rms_norm(width: int, bits: int) -> None:
    x, gain = students(1, width), gains(width)
    expected = functional.rms_norm(torch.from_numpy(x), (width,), gain, 1e-6).numpy()
    attrs = {"weights": {"weight": gain.numpy()}, "eps": 1e-6, "group": width}
    found = run_lowered("rmsnorm", [x], [expected], bits, **attrs)
    assert off(found.values[0], expected) <= NORM_ERRORS[bits]
    assert bits < 16 or found.clipped == 0
    assert [population.model for population in found.network.populations.values()][1:] == [
        "graded_square", "graded_root", "graded_product",
    ]  # fmt: skip


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("heads", [3, 1])
def test_norm_by_heads_without_weights_and_with_a_large_epsilon(heads: int, binary: bool) -> None:
    """QK-norm; an epsilon as large as the values is the bias of the root."""
    x = students(3, 64 * heads) * 0.01
    rows = torch.from_numpy(x.reshape(-1, 64))
    expected = functional.rms_norm(rows, (64,), None, 1e-4).numpy().reshape(x.shape)
    found = run_lowered("rmsnorm", [x], [expected], binary=binary, eps=1e-4, group=64)
    assert off(found.values[0], expected) <= 5e-5


def test_gemmas_norm_with_one_plus_w() -> None:
    """Against the module of transformers; the frontend adds the 1."""
    gemma = pytest.importorskip("transformers.models.gemma3.modeling_gemma3")
    x, width = students(2, 256), 256
    norm = gemma.Gemma3RMSNorm(width, eps=1e-6)
    with torch.no_grad():
        norm.weight.copy_(gains(width) - 1)
        expected = norm(torch.from_numpy(x).float()).double().numpy()
        weight = (1 + norm.weight.double()).numpy()
    found = run_lowered("rmsnorm", [x], [expected], 16, weights={"weight": weight}, eps=1e-6, group=width)
    assert off(found.values[0], expected) <= 2e-4


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("mean", [0.0, 3.0])
def test_layer_norm(width: int, mean: float) -> None:
    """Of channels in units of their own, some a thousand times others; the mean as large as the spread."""
    loud = np.where(np.arange(width) % 29 == 3, 1000.0, 1.0)
    x, gain, bias = students(3, width) * loud + mean * np.sqrt(width), gains(width), gains(width) - 1
    expected = functional.layer_norm(torch.from_numpy(x), (width,), gain, bias, 1e-5).numpy()
    weights = {"weight": gain.numpy(), "bias": bias.numpy()}
    found = run_lowered("layernorm", [x], [expected], 24, 16, binary=True, weights=weights, eps=1e-5, group=width)
    assert off(found.values[0], expected) <= 1e-4
    assert found.clipped == 0


def test_what_is_clipped_is_counted() -> None:
    """Calibration saw a tenth: squares, or their sum, no longer fit, and the norm says so."""
    x = students(4, 64)
    expected = functional.rms_norm(torch.from_numpy(x), (64,), None, 1e-6).numpy()
    found = run_lowered("rmsnorm", [x], [expected], room=1.0, eps=1e-6, group=64)
    assert found.clipped == 0
    found = run_lowered("rmsnorm", [x], [expected], room=0.1, eps=1e-6, group=64)
    assert found.clipped > 0


#: Length of a piece -> error with it: h**2 / 8 times the curvature of 1 / 2 and 0.8.
CURVE_ERRORS = {"silu": {0.0625: 3e-4, 0.125: 1.1e-3}, "gelu_tanh": {0.0625: 5e-4, 0.125: 1.7e-3}}


def reference(act: str, x: np.ndarray) -> np.ndarray:
    value = torch.from_numpy(x)
    found = functional.silu(value) if act == "silu" else functional.gelu(value, approximate="tanh")
    return found.numpy()


@pytest.mark.parametrize("act", CURVE_ERRORS)
@pytest.mark.parametrize("piece", [0.0625, 0.125])
def test_curves(act: str, piece: float) -> None:
    """On -7.8..7.8, and beyond the table to the ends of 16 bits; pieces are as long as their unit makes them."""
    unit = piece / 128 * (1 + (1e-6 if piece == 0.0625 else -1e-6))
    x = np.arange(1 - 2**15, 2**15) * unit
    x = x[None]
    found = run_lowered("activation", [x], [reference(act, x)], 16, act=act)
    (curve,) = (p for p in found.network.populations.values() if p.model == "graded_curve")
    assert 2.0 ** float(curve.params["width"]) * unit == pytest.approx(piece, rel=1e-3)
    gap = np.abs(found.values[0] - reference(act, x))
    assert gap[np.abs(x) <= 7.8].max() <= CURVE_ERRORS[act][piece]
    assert np.abs(x).max() > 7.9 and gap.max() <= 4e-3
    assert found.clipped == 0


@pytest.mark.parametrize("act", ["silu", "gelu_tanh"])
@pytest.mark.parametrize(
    ("bits", "count", "most"), [(12, 256, 1.5e-3), (12, 1024, 1e-3), (16, 256, 6e-4), (16, 1024, 1e-4)]
)
def test_gates(act: str, bits: int, count: int, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root mean square of the error, Gaussian gate and factor."""
    monkeypatch.setattr(pieces, "PIECES", count)
    gate, up = (np.random.default_rng(seed).standard_normal((4, 500)) * 1.5 for seed in (0, 1))
    expected = reference(act, gate) * up
    found = run_lowered("glu", [gate, up], [expected], bits, act=act)
    assert off(found.values[0], expected) <= most
    assert found.clipped == 0


def test_sum_of_streams_with_units_of_their_own() -> None:
    """One channel 30 000 times the others: each is exact to half a unit of the coarsest of its own three."""
    loud = np.where(np.arange(96) == 7, 3e4, 1.0)
    a, b = (np.random.default_rng(seed).standard_normal((5, 96)) * loud for seed in (0, 1))
    found = run_lowered("add", [a, b], [a + b], binary=True)
    (total,) = found.values
    peak = np.maximum.reduce([np.abs(x).max(axis=0) for x in (a, b, a + b)])
    assert (np.abs(total - (a + b)) <= 3 * peak / 2**22).all()
    assert found.clipped == 0


def test_values_one_after_another() -> None:
    """Parts in units of their own, some finer and some coarser than the whole's."""
    parts = [students(3, width) * size for width, size in ((5, 1.0), (64, 40.0), (3, 1e-3))]
    whole = np.concatenate(parts, axis=1)
    found = run_lowered("concat", parts, [whole], binary=True)
    assert np.abs(found.values[0] - whole).max() <= np.abs(whole).max() * 2.0**-22
    assert [population.model for population in found.network.populations.values()][3:] == ["graded_sum"]


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_route(top_k: int) -> None:
    """The experts of torch's stable sort, the lower of equals; their sigmoids to 3e-4."""
    logits = np.rint(np.random.default_rng(2).standard_normal((200, 5)) * 4)  # many are equal
    chosen = torch.from_numpy(logits).sort(dim=1, descending=True, stable=True).indices[:, :top_k]
    expected = torch.zeros(200, 5, dtype=torch.float64).scatter(1, chosen, 1.0) * torch.from_numpy(logits).sigmoid()
    found = run_lowered("moe_route", [logits], [expected.numpy()], top_k=top_k)
    np.testing.assert_array_equal(found.values[0] != 0, expected.numpy() != 0)
    assert np.abs(found.values[0] - expected.numpy()).max() <= 3e-4


def test_experts_get_their_share() -> None:
    """Score times value; nothing where the score is nothing, and the sum of all parts."""
    rng = np.random.default_rng(3)
    x, scores = rng.standard_normal((20, 32)), rng.uniform(0.1, 1, (20, 3)) * (rng.random((20, 3)) < 0.4)
    expected = [x * scores[:, [expert]] for expert in range(3)]
    given = run_lowered("moe_dispatch", [x, scores], expected)
    for part, right in zip(given.values, expected, strict=True):
        assert off(part, right) <= 4e-5
        assert not part[right == 0].any()
    parts = [x, x[::-1], -3 * x[::2].repeat(2, 0) / 3]  # of the same units where their channels have the same peaks
    parts[2] = np.where(np.abs(x) == np.abs(x).max(axis=0), x, parts[2])
    total = run_lowered("moe_combine", [scores, *parts], [sum(parts)], binary=True)
    assert off(total.values[0], sum(parts)) <= 1e-6 and total.clipped == 0


def turned(x: np.ndarray, positions: np.ndarray, inv_freq: np.ndarray, style: str, factor: float = 1.0) -> np.ndarray:
    """Pairs as complex numbers, turned in float64 by the angles in float32 that models are published with."""
    half = inv_freq.size
    pairs = (np.arange(half), np.arange(half, 2 * half)) if style == "half" else np.arange(2 * half).reshape(half, 2).T
    angle = (positions.astype(np.float32)[:, None] * inv_freq.astype(np.float32)).astype(np.float64)
    z = (x[..., pairs[0]] + 1j * x[..., pairs[1]]) * factor * np.exp(1j * angle)[:, None]
    out = x.copy()
    out[..., pairs[0]], out[..., pairs[1]] = z.real, z.imag
    return out


#: Neurons of a head, those that are turned, base, style, factor of cosine and sine, first position.
ROTARY = {
    "gemma, far": (256, 256, 1e6, "half", 1.0, 131_072 - 6),
    "gemma, windows": (256, 256, 1e4, "half", 1.0, 500),
    "phi, a part": (24, 18, 1e4, "half", 1.19, 4000),
    "llama 4": (128, 128, 5e5, "interleaved", 1.0, 9),
    "yarn by more than two": (32, 32, 1e4, "half", 2.3, 70),
}


@pytest.mark.parametrize("name", ROTARY)
def test_rotary_positions(name: str) -> None:
    """Cosines and sines of 14 bits; what is not turned passes."""
    dim, rotated, base, style, factor, first = ROTARY[name]
    inv_freq = base ** -(np.arange(0, rotated, 2) / rotated)
    x = np.random.default_rng(5).standard_normal((6, 2, dim))
    expected = turned(x, np.arange(first, first + 6), inv_freq, style, factor).reshape(6, -1)
    attrs = {"head_dim": dim, "inv_freq": tuple(inv_freq.tolist()), "style": style}
    attrs |= {"rotated": rotated} if rotated < dim else {}
    attrs |= {"factor": factor} if factor != 1.0 else {}
    found = run_lowered("rope", [x.reshape(6, -1)], [expected], position=first, **attrs)
    assert off(found.values[0], expected) <= 5e-5
    assert found.clipped == 0


def test_scores_depend_on_distance() -> None:
    """Of a query and a key so far apart, wherever they are, to 1e-4 of their lengths."""
    inv_freq = 1e6 ** -(np.arange(0, 256, 2) / 256)
    attrs = {"head_dim": 256, "inv_freq": tuple(inv_freq.tolist()), "style": "half"}
    q, k = np.random.default_rng(6).standard_normal((2, 1, 256))
    limits = [np.full((1, 256), 6.0)]
    query, key = np.concatenate([q, limits[0]]), np.concatenate([k, limits[0]])  # the same units wherever they are
    scores = []
    for shift in (0, 1, 100, 1000):
        turned_q, turned_k = (
            run_lowered("rope", [x], [np.full((2, 256), 9.0)], position=at + shift, **attrs).values[0][0]
            for x, at in ((query, 7), (key, 3))
        )
        scores.append(float(turned_q @ turned_k))
    assert np.abs(np.array(scores) - scores[0]).max() <= 1e-4 * np.linalg.norm(q) * np.linalg.norm(k)


@pytest.mark.parametrize("position", [0, 8190, 200_000])
def test_temperature(position: int) -> None:
    x = students(4, 64)
    factor = 1 + 0.1 * np.log1p(np.floor((np.arange(position, position + 4) + 1) / 8192))
    expected = x * factor[:, None]
    found = run_lowered("temperature", [x], [expected], position=position, scale=0.1, floor_scale=8192)
    assert off(found.values[0], expected) <= 5e-5
