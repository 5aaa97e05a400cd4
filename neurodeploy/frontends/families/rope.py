"""Rotary frequencies: the rules that families share. Every frequency is in radians per token.

default  ``f_i = theta**(-2 i / D)``                                                    (Su et al., arXiv 2104.09864)
linear   ``f_i / factor``                                             (position interpolation, arXiv 2306.15595)
llama3   by wavelength ``w = 2 pi / f``: kept where ``w < L / high``, divided by `factor` where ``w > L / low``, and
         between them ``(1 - s) f / factor + s f``, ``s = (L / w - low) / (high - low)``      (Llama 3.1 reference code)
dynamic  ``f_i`` up to the model's positions, which is as far as a text may go here     (NTK by length, transformers)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import ModelError
from neurodeploy.frontends.families.changing import ROPE
from neurodeploy.frontends.families.fields import ANOTHER, Fields

#: Most neurons of a head: far above any model's, and its frequencies are made at once.
MOST_HEAD_DIM = 1 << 16

Frequencies = NDArray[np.float64]


def inverse_frequencies(
    parameters: Mapping[str, Any],
    head_dim: int,
    theta: float,
    max_positions: int,
    subject: object,
    around: Fields | None = None,
) -> tuple[float, ...]:
    """The D / 2 frequencies of a ``rope_parameters`` (or ``rope_scaling``) object.

    `theta` and `max_positions` are used where the object has no ``rope_theta`` or ``original_max_position_embeddings``.
    Raises ND1012 for an unknown type, or a field that matters and is not read; with `around` its `finish` says the latter.
    """
    fields = Fields(parameters, f"{subject}: rotary parameters")
    kind = fields.get("rope_type", None) or fields.get("type", "default")
    if not isinstance(kind, str) or kind not in SCALINGS:
        known = ", ".join(map(repr, SCALINGS))
        raise ModelError("ND1012", subject, f"rope_type = {kind!r:.80} is not supported: {known} are", ANOTHER)
    theta = fields.positive("rope_theta", theta)
    if head_dim % 2 or head_dim > MOST_HEAD_DIM:
        problem = f"head_dim = {head_dim} is not supported with RoPE: it must be even and at most {MOST_HEAD_DIM}"
        raise ModelError("ND1012", subject, problem, ANOTHER)
    plain = theta ** -(np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    scaled = SCALINGS[kind](plain, fields, max_positions)
    if around is None:
        fields.finish(ROPE)
    else:
        around.also([f"rotary {found}" for found in fields.unsupported(ROPE)])
    return tuple(float(frequency) for frequency in scaled)


def _default(plain: Frequencies, fields: Fields, max_positions: int) -> Frequencies:
    return plain


def _dynamic(plain: Frequencies, fields: Fields, max_positions: int) -> Frequencies:
    fields.positive("factor")
    return plain


def _linear(plain: Frequencies, fields: Fields, max_positions: int) -> Frequencies:
    return plain / fields.positive("factor")


def _llama3(plain: Frequencies, fields: Fields, max_positions: int) -> Frequencies:
    factor = fields.positive("factor")
    low, high = fields.positive("low_freq_factor"), fields.positive("high_freq_factor")
    length = fields.positive("original_max_position_embeddings", max_positions)
    wavelength = 2.0 * np.pi / plain
    # Where high = low no frequency lies between the two, and the smooth part is never used.
    smooth = (length / wavelength - low) / (high - low) if high != low else np.zeros_like(plain)
    between = (1.0 - smooth) * plain / factor + smooth * plain
    return np.where(wavelength < length / high, plain, np.where(wavelength > length / low, plain / factor, between))


SCALINGS: Mapping[str, Callable[[Frequencies, Fields, int], Frequencies]] = {
    "default": _default,
    "dynamic": _dynamic,
    "linear": _linear,
    "llama3": _llama3,
}
