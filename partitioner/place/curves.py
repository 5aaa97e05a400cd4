"""Orders of sites: lines through a mesh along which a sequence of items is laid down. Each is a permutation of the sites.

All start at the corner (least x, least y). Sites that are missing (a dead core) are skipped, several on one router follow
one another.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints


def strips(sites: Ints, height: int, *, upright: bool, zigzag: bool) -> Ints:
    """Strips of `height` rows, passed to and fro; in a strip column after column, in each all `height` rows.

    upright : strips stand instead (columns and rows change places).
    zigzag : every second column of a strip runs backwards, so that the line jumps at most between strips.

    ``height = 1`` is the snake; the whole height is column-major (or, `upright`, row-major) order. A network of layers of
    `height` cores laid along it has layer beside layer all the way, also around the turns.
    """
    across, along = (sites[:, 0], sites[:, 1]) if upright else (sites[:, 1], sites[:, 0])
    across, along = across - across.min(), along - along.min()
    strip, inner = np.divmod(across, height)
    length = int(along.max()) + 1
    column = np.where(strip % 2 == 1, length - 1 - along, along)
    if zigzag:
        inner = np.where((strip * length + column) % 2 == 1, height - 1 - inner, inner)
    return np.lexsort((np.arange(len(sites)), inner, column, strip))


def hilbert(sites: Ints) -> Ints:
    """Along the Hilbert curve of the smallest square of 2**k that holds all sites (Hilbert 1891; bits as in Lam &
    Shapiro 1994)."""
    x, y = (sites - sites.min(0)).T.copy()
    side = 1 << int(max(x.max(), y.max(), 1)).bit_length()
    key = np.zeros(len(sites), np.int64)
    half = side >> 1
    while half:
        right, up = (x & half) > 0, (y & half) > 0
        key += half * half * ((3 * right) ^ up)
        flip = ~up & right
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        x, y = np.where(up, x, y), np.where(up, y, x)
        half >>= 1
    return np.lexsort((np.arange(len(sites)), key))


def curves(sites: Ints, heights: tuple[int, ...] = ()) -> dict[str, Ints]:
    """The named orders of a set of sites; `heights` adds block-snakes of those heights (widths of layers, say).

    row-major, column-major, snake, column-snake, hilbert, block-snake of 2, 4, ... rows and columns, straight and zigzag.
    """
    extent = sites.max(0) - sites.min(0) + 1
    found: dict[str, Ints] = {}
    for upright, name, turned, size in (
        (True, "row-major", "snake", extent[0]),
        (False, "column-major", "column-snake", extent[1]),
    ):
        full = int(size)
        found[name] = strips(sites, full, upright=upright, zigzag=False)
        found[turned] = strips(sites, full, upright=upright, zigzag=True)
        tall = {2 << k for k in range(16)} | set(heights)
        for height in sorted(h for h in tall if 1 < h < full):
            label = f"block-snake {height} {'columns' if upright else 'rows'}"
            found[label] = strips(sites, height, upright=upright, zigzag=False)
            found[label + " zigzag"] = strips(sites, height, upright=upright, zigzag=True)
    found["hilbert"] = hilbert(sites)
    return found
