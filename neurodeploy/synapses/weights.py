"""The integers that Lava really multiplies with: weights clipped to 8 bits and cut to their stored bits.

Lava's `Dense`, `Sparse` and their variants with delays do this in their first time step (lava-nc 0.10.0,
``proc/dense/models.py``), by ``utils/weightutils.py``::

    clip      mixed -256..255      excitatory 0..255      inhibitory -255..0
    truncate  w = floor(w / 2**n) * 2**n     n = 8 - num_weight_bits, one more if mixed; of |w| if inhibitory

So 8 bits of mixed weights are the even numbers -256..254, rounded down. Lava's `Conv` does neither, whatever its
arguments say.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurodeploy.errors import InternalError
from neurodeploy.ir.network import SIGN_MODES
from neurodeploy.ir.synapse import WEIGHT_TYPES

#: Bits of a stored weight in Lava's fixed-point model; `num_weight_bits` is at most this.
WEIGHT_BITS = 8
#: What clipping leaves, by sign mode.
RANGES = {"mixed": (-(2**WEIGHT_BITS), 2**WEIGHT_BITS - 1), "excitatory": (0, 255), "inhibitory": (-255, 0)}


def infer_sign_mode(weight: NDArray[Any]) -> str:
    """Lava's `determine_sign_mode`: excitatory if no weight is negative, else inhibitory if none is positive, else mixed.

    All zeros, and no weights at all (where Lava stops with an error), are excitatory.
    """
    if not weight.size or int(weight.min()) >= 0:
        return "excitatory"
    return "inhibitory" if int(weight.max()) <= 0 else "mixed"


def smallest_type(values: NDArray[Any]) -> np.dtype[Any]:
    """The narrowest of int8, int16, int32 that holds all values. ND9013 where none does."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for dtype in WEIGHT_TYPES:
        info = np.iinfo(dtype)
        if info.min <= low and high <= info.max:
            return dtype
    raise InternalError("ND9013", "weights", f"range {low}..{high} does not fit 32 bits")


def lava_weights(
    weight: NDArray[Any], num_weight_bits: int = WEIGHT_BITS, sign_mode: str | None = None
) -> tuple[NDArray[np.signedinteger], str]:
    """Effective weights of Lava's `Dense` and `Sparse`, in the narrowest type and the same shape, and the sign mode.

    Parameters
    ----------
    weight : integers of any shape (the stored ones of a sparse matrix). Lava casts real numbers towards zero; do that
        before, and say so.
    num_weight_bits : 1..8, bits of a stored mantissa.
    sign_mode : None infers it as Lava does.

    Raises ND9013 for other types, bits or modes: frontends check what a user's file says.
    """
    given: NDArray[Any] = np.asarray(weight)
    if given.dtype.kind not in "iu":
        raise InternalError("ND9013", "weights", f"are of type {given.dtype}, not integers")
    if not 1 <= num_weight_bits <= WEIGHT_BITS:
        raise InternalError("ND9013", "weights", f"have {num_weight_bits} bits, 1..{WEIGHT_BITS} are possible")
    mode = infer_sign_mode(given) if sign_mode is None else sign_mode
    if mode not in SIGN_MODES:
        raise InternalError("ND9013", "weights", f"have the sign mode {mode!r}, one of {SIGN_MODES} is possible")
    clipped = np.clip(given.astype(np.int64), *RANGES[mode])
    cut = WEIGHT_BITS - num_weight_bits + (mode == "mixed")
    if mode == "inhibitory":
        effective = -((-clipped >> cut) << cut)
    else:
        effective = (clipped >> cut) << cut
    return effective.astype(smallest_type(effective)), mode
