"""Weights of a matrix or a convolution in integers: a scale for each row, rounded to the nearest, or so that errors
compensate each other in what calibration has shown of the inputs (`conversion.rounding`)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from neurodeploy.conversion.rounding import round_compensated, row_scales
from neurodeploy.conversion.tensors.sites import Site
from neurodeploy.ir.fixedpoint import signed_max
from neurodeploy.ir.payloads import Floats
from neurodeploy.ops.tensors.asking import BIAS_BITS, WIDEST, RoundedRows, Value

#: A tenth of the power of each input is taken to be noise: samples are few (docs/modules.md).
DAMPING = 0.1


def rows_of(weight: NDArray[np.floating], bias: Floats | None, bits: int, x: Value, site: Site | None) -> RoundedRows:
    """Weights (rows, ..) of a value in integers of so many bits; bias : the largest that is added, by row.

    To the nearest each row's step is ``max |w| / (2**(bits - 1) - 1)``; where `site` has seen enough, it is the shorter one
    with the least error, and rounding is compensated. A row whose bias dwarfs its weights, such as a dead channel of a batch
    norm, has larger steps: all rows of a population shift their sums alike, and would lose their bits.
    """
    top = min(signed_max(bits), WIDEST)
    flat = np.asarray(weight, np.float64).reshape(len(weight), -1)
    known = site is not None and site.enough and bits <= 8
    if known:
        assert site is not None and site.moments is not None
        power = torch.cat([block.diagonal() for block in site.moments.blocks])
        real = torch.from_numpy(flat.astype(np.float32))
        step = row_scales(real, top, power).double().numpy()
    else:
        largest = np.abs(flat).max(axis=1, initial=0.0)
        step = np.where(largest > 0, largest, 1.0) / top
    if bias is not None:
        step = np.maximum(step, np.abs(bias) / (x.unit * 2.0 ** (x.largest.bit_length() + 1 + BIAS_BITS)))
    if known:
        assert site is not None
        blocks = site.blocks(DAMPING)
        whole = round_compensated(real, torch.from_numpy(step).float(), top, blocks).numpy().astype(np.int64)
    else:
        whole = np.rint(flat / step[:, None]).clip(-top, top).astype(np.int64)
    scale = step * x.unit
    reach = np.abs(whole.astype(np.float64)).sum(axis=1) * x.largest
    reach += 0.0 if bias is None else np.abs(bias) / scale
    return RoundedRows(whole.reshape(weight.shape), scale, reach)
