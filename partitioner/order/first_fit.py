"""First fit over the last cores, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit


@jit
def first_fit_loop(demand: Any, room: Any, window: int) -> int:
    """Cores that tiles with `demand` (tiles, resources) take in their order, each in the first that has room among the last
    `window`: core c lies at place ``c % window``. room : of an empty core."""
    free, cores = np.zeros((window, room.shape[0]), np.int64), 0
    for tile in range(demand.shape[0]):
        at = -1
        for place in range(window):
            fits = True
            for k in range(room.shape[0]):
                fits = fits and free[place, k] >= demand[tile, k]
            if fits:
                at = place
                break
        if at < 0:
            at = cores % window
            free[at] = room
            cores += 1
        free[at] -= demand[tile]
    return cores
