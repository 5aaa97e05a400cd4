"""Rotary frequencies: the rules that families share. Every frequency is in radians per token.

default   ``f_i = theta**(-2 i / D)``                                                    (Su et al., arXiv 2104.09864)
linear    ``f_i / factor``                                             (position interpolation, arXiv 2306.15595)
llama3    by wavelength ``w = 2 pi / f``: kept where ``w < L / high``, divided by `factor` where ``w > L / low``, and
          between them ``(1 - s) f / factor + s f``, ``s = (L / w - low) / (high - low)``      (Llama 3.1 reference code)
dynamic   `default` for texts up to the model's positions, which are all that is read here (NTK-aware scaling)
yarn      ``(1 - r_i) f_i + r_i f_i / factor``, the ramp ``r_i = clip((i - low) / (high - low), 0, 1)`` between the pairs
          that turn `beta_fast` and `beta_slow` times in L tokens; cosine and sine times ``0.1 ln(factor) + 1``
                                                                                              (arXiv 2309.00071)
longrope  ``f_i / short_i`` for texts up to L tokens, which are all that is read here; cosine and sine times
          ``sqrt(1 + ln(factor) / ln(L))``                                                    (arXiv 2402.13753)

L is ``original_max_position_embeddings``. For longer texts transformers turns *all* keys by ``long_i`` at once: what a
token gets would then depend on how long the text becomes, and keys in a cache would be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.changing import ROPE
from neurodeploy.frontends.families.fields import ANOTHER, Fields
from neurodeploy.frontends.families.neutral import number
from neurodeploy.ir.graph import WeightStore

Frequencies = NDArray[np.float64]

#: Most neurons of a head that are rotated: a hundred times what the largest heads have, and a small table.
MOST_ROTATED = 1 << 16
#: Turns in L tokens between which YaRN mixes, where nothing is said (its paper; so transformers and llama.cpp).
YARN_TURNS = {"beta_fast": 32.0, "beta_slow": 1.0}
#: Tensors of a .gguf file: llama3's divisors of the frequencies, and those of LongRoPE for short and long texts.
DIVISORS, SHORT, LONG = "rope_freqs.weight", "rope_factors_short.weight", "rope_factors_long.weight"


class Rotary(NamedTuple):
    """Frequencies of a head's rotated pairs, the factor of cosine and sine, and the longest text that they hold for."""

    inv_freq: tuple[float, ...]
    factor: float = 1.0
    positions: int | None = None

    def part_of(self, head_dim: int) -> int | None:
        """How many of a head's neurons are rotated; None where all are."""
        rotated = 2 * len(self.inv_freq)
        return None if rotated == head_dim else rotated


class _Plain(NamedTuple):
    """What every rule starts from: unscaled frequencies, their base, and the positions of the model."""

    frequencies: Frequencies
    theta: float
    positions: int

    @property
    def dim(self) -> int:
        return 2 * self.frequencies.size


_Scaled = tuple[Frequencies, float, "int | None"]


def rotary(
    parameters: Mapping[str, Any],
    head_dim: int,
    theta: float,
    max_positions: int,
    around: Fields,
    partial: bool = False,
) -> Rotary:
    """The frequencies of a ``rope_parameters`` (or ``rope_scaling``) object.

    `theta` and `max_positions` are used where the object has no ``rope_theta`` or ``original_max_position_embeddings``;
    `partial` allows a ``partial_rotary_factor``: the share of a head's neurons that are rotated. Raises ND1012 for an
    unknown type; what else is not supported `around` is told, the settings that the object is part of.
    """
    subject = around.subject
    fields = Fields(parameters, f"{subject}: rotary parameters")
    kind = fields.get("rope_type", None) or fields.get("type", "default")
    if not isinstance(kind, str) or kind not in SCALINGS:
        known = ", ".join(map(repr, SCALINGS))
        raise ModelError("ND1012", subject, f"rope_type = {kind!r:.80} is not supported: {known} are", ANOTHER)
    share = fields.positive("partial_rotary_factor", 1.0)
    if share > 1 or (share < 1 and not partial):
        raise fields.refuse("partial_rotary_factor", "at most 1 is" if partial else "only 1 is, for this family")
    dim = int(head_dim * share)
    theta = fields.positive("rope_theta", theta)
    if dim % 2 or not 0 < dim <= MOST_ROTATED:
        what = "head_dim" if dim == head_dim else "the rotated part of head_dim"
        need = f"it must be even, and at most {MOST_ROTATED}"
        raise ModelError("ND1012", subject, f"{what} = {dim} is not supported with RoPE: {need}", ANOTHER)
    plain = theta ** -(np.arange(0, dim, 2, dtype=np.float64) / dim)
    with np.errstate(all="ignore"):  # what becomes of an absurd factor is checked below
        scaled, factor, positions = SCALINGS[kind](_Plain(plain, theta, max_positions), fields)
    around.also([f"rotary {found}" for found in fields.unsupported(ROPE)])
    if not (np.isfinite(scaled).all() and math.isfinite(factor)):
        raise fields.refuse("factor", "it gives frequencies that are not finite")
    return Rotary(tuple(float(frequency) for frequency in scaled), factor, positions)


def of_config(fields: Fields, head_dim: int) -> Rotary:
    """The rotary part of a config.json."""
    theta, positions = fields.positive("rope_theta"), fields.natural("max_position_embeddings")
    return rotary(table_of(fields), head_dim, theta, positions, fields)


def table_of(fields: Fields) -> dict[str, Any]:
    """``rope_parameters``, or ``rope_scaling`` of older files, which have ``rope_theta`` beside it."""
    found = fields.table("rope_scaling") or fields.table("rope_parameters")
    fields.ignore(("rope_parameters",))
    return found


def of_gguf(fields: Fields, store: WeightStore, rotated: int, theta: float) -> Rotary:
    """The rotary part of a .gguf file's settings, for `rotated` neurons of a head; `theta` where the file has none.

    Of the llama3 rule llama.cpp keeps the resulting divisors only, and of LongRoPE the two tables, both without a type.
    A factor without a type is linear; one of 1 leaves the frequencies as they are.
    """
    positions, names = fields.natural("max_position_embeddings"), set(store.names())
    now, once = (fields.get(key, None) for key in ("rope.scaling.factor", "rope.scale_linear"))
    scale = now or once
    kind = fields.get("rope.scaling.type", "linear" if scale else "none")
    if kind in ("linear", "yarn") and number(scale) and scale == 1:
        kind = "none"
    original = fields.natural("rope.scaling.original_context_length", positions)
    parameters: dict[str, Any] = {"rope_type": "default" if kind == "none" else kind}
    if SHORT in names or kind == "longrope":
        parameters = {
            "rope_type": "longrope", "short_factor": _divisors(store, SHORT, rotated), "attention_factor": 1.0,
            "long_factor": _divisors(store, LONG, rotated), "original_max_position_embeddings": original,
        }  # fmt: skip
    elif kind == "linear":
        parameters["factor"] = scale or fields.get("rope.scaling.factor")
    elif kind == "yarn":
        parameters.update(factor=scale or fields.get("rope.scaling.factor"), original_max_position_embeddings=original)
        for key in ("beta_fast", "beta_slow"):
            parameters[key] = fields.positive(f"rope.scaling.yarn_{key}", YARN_TURNS[key])
        # llama.cpp overwrites the first with what the factor gives; transformers would take it as it is.
        for key, neutral in (("attn_factor", ()), ("ext_factor", (1.0,)), ("log_multiplier", (0.0,))):
            fields.only(f"rope.scaling.yarn_{key}", *neutral)
    found = rotary(parameters, rotated, fields.positive("rope.freq_base", theta), positions, fields)
    factor = found.factor * fields.positive("rope.scaling.attn_factor", 1.0)
    frequencies = np.asarray(found.inv_freq)
    if DIVISORS in names:
        frequencies = frequencies / np.asarray(_divisors(store, DIVISORS, rotated))
    return Rotary(tuple(float(value) for value in frequencies), factor, found.positions)


def _divisors(store: WeightStore, name: str, rotated: int) -> list[float]:
    if name not in store.names():
        raise ModelError("ND1006", name, "is not in the file, which needs it for LongRoPE", "convert the model again")
    divisors = store.get(name).astype(np.float64)
    if divisors.shape != (rotated // 2,) or not (divisors > 0).all():
        problem = f"has shape {divisors.shape}, {rotated // 2} positive numbers are needed"
        raise ModelError("ND1006", name, problem, "convert the model again")
    return [float(value) for value in divisors]


def _default(plain: _Plain, fields: Fields) -> _Scaled:
    return plain.frequencies, 1.0, None


def _linear(plain: _Plain, fields: Fields) -> _Scaled:
    return plain.frequencies / fields.positive("factor"), 1.0, None


def _dynamic(plain: _Plain, fields: Fields) -> _Scaled:
    fields.positive("factor")
    return plain.frequencies, 1.0, plain.positions


def _llama3(plain: _Plain, fields: Fields) -> _Scaled:
    factor, kept = fields.positive("factor"), plain.frequencies
    low, high = fields.positive("low_freq_factor"), fields.positive("high_freq_factor")
    length = fields.positive("original_max_position_embeddings", plain.positions)
    wavelength = 2.0 * np.pi / kept
    # Where high = low no frequency lies between the two, and the smooth part is never used.
    smooth = (length / wavelength - low) / (high - low) if high != low else np.zeros_like(kept)
    between = (1.0 - smooth) * kept / factor + smooth * kept
    scaled = np.where(wavelength < length / high, kept, np.where(wavelength > length / low, kept / factor, between))
    return scaled, 1.0, None


def _yarn(plain: _Plain, fields: Fields) -> _Scaled:
    factor = fields.positive("factor")
    length = fields.positive("original_max_position_embeddings", plain.positions)
    fast, slow = (fields.positive(key, usual) for key, usual in YARN_TURNS.items())
    if plain.theta <= 1:
        raise fields.refuse("rope_theta", "YaRN needs a base above 1")
    # The pair that turns n times in `length` tokens: length f_i = 2 pi n, solved for i.
    low, high = (
        plain.dim * math.log(length / (2.0 * math.pi * turns)) / (2.0 * math.log(plain.theta)) for turns in (fast, slow)
    )
    if fields.flag("truncate", True):
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, plain.dim - 1)
    high += 0.001 if low == high else 0.0
    ramp = np.clip((np.arange(plain.frequencies.size) - low) / (high - low), 0.0, 1.0)
    scaled = (1.0 - ramp) * plain.frequencies + ramp * plain.frequencies / factor

    def magnitude(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    above, below = (fields.get(key, None) for key in ("mscale", "mscale_all_dim"))
    usual = magnitude(1.0)
    if above and below:
        usual = magnitude(fields.positive("mscale")) / magnitude(fields.positive("mscale_all_dim"))
    return scaled, fields.positive("attention_factor", usual), None


def _longrope(plain: _Plain, fields: Fields) -> _Scaled:
    length = fields.natural("original_max_position_embeddings", plain.positions)
    factor = fields.positive("factor", plain.positions / length)
    short, _ = (fields.positives(key, plain.frequencies.size) for key in ("short_factor", "long_factor"))
    usual = math.sqrt(1.0 + math.log(factor) / math.log(length)) if factor > 1 and length > 1 else 1.0
    positions = length if length < plain.positions else None
    return plain.frequencies / np.asarray(short), fields.positive("attention_factor", usual), positions


SCALINGS: Mapping[str, Callable[[_Plain, Fields], _Scaled]] = {
    "default": _default,
    "linear": _linear,
    "dynamic": _dynamic,
    "llama3": _llama3,
    "yarn": _yarn,
    "longrope": _longrope,
}
