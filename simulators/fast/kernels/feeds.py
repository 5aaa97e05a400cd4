"""How payloads reach the neurons of `kernels.registers`, in a walk and at the ports of a run.

`places` has a row (first, repeat, most) for each port: neuron i gets element ``first + i // repeat`` of what is there,
clipped to a register of -most..most, or as it is where no element can exceed it (0).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.machine.jit import jit


@jit
def kept(x: Any, most: Any) -> Any:
    """Clipped to -most..most."""
    return min(max(x, -most), most)


@jit
def take(source: Any, s: int, t: int, places: Any, port: int, row: Any) -> Any:
    """What arrives at a port in one step, in registers; how many did not fit."""
    first, repeat, most = places[port, 0], places[port, 1], places[port, 2]
    size, lost = row.shape[0], np.int64(0)
    if repeat > 1:
        for g in range(size // repeat):
            x = np.int64(source[s, t, first + g])
            held = kept(x, most) if most else x
            lost += repeat * np.int64(held != x)
            row[g * repeat : (g + 1) * repeat] = np.int32(held)
        return lost
    given = source[s, t, first : first + size]
    if most:
        for i in range(size):
            x = np.int64(given[i])
            held = kept(x, most)
            lost += np.int64(held != x)
            row[i] = held
        return lost
    for i in range(size):
        row[i] = given[i]
    return lost


@jit
def take_sums(source: Any, s: int, t: int, places: Any, port: int, low: int, row: Any) -> None:
    """What arrives in one step at a port of neurons from `low` on, as it is."""
    first, repeat, size = places[port, 0], places[port, 1], row.shape[0]
    if repeat == 1:
        given = source[s, t, first + low : first + low + size]
        for i in range(size):
            row[i] = given[i]
    else:
        given = source[s, t, first:]
        for i in range(size):
            row[i] = given[(low + i) // repeat]


@jit
def block_sums(stop: int, source: Any, fresh: bool, out: Any) -> None:
    """Sums of equal blocks of neurons: source (1, steps.., width) to out (1, steps.., blocks) int64, added unless
    `fresh`."""
    length = source.shape[2] // out.shape[2]
    for t in range(stop):
        for g in range(out.shape[2]):
            total = np.int64(0)
            for x in source[0, t, g * length : (g + 1) * length]:
                total += np.int64(x)
            out[0, t, g] = total if fresh else out[0, t, g] + total


@jit
def gathered(
    part: int, parts: int, stop: int, source: Any, order: Any, weight: Any, runs: Any, fresh: bool, out: Any
) -> None:
    """``out[.., i] = weight[i] * source[.., order[i]]``, int64, of the neurons of one part; added to what `out` has unless
    `fresh`. runs : ends of stretches in which the order rises by one and the weight stays, where these are long; none
    otherwise."""
    low, high = order.shape[0] * part // parts, order.shape[0] * (part + 1) // parts
    for t in range(stop):
        begin = low
        for n in range(np.searchsorted(runs, low, "right"), runs.shape[0]):
            end = min(np.int64(runs[n]), high)
            factor, to = np.int64(weight[begin]), out[0, t, begin:end]
            if fresh:
                to[:] = 0
            if factor != 0:
                first = np.int64(order[begin])
                given = source[0, t, first : first + end - begin]
                for i in range(end - begin):
                    to[i] += factor * np.int64(given[i])
            begin = end
            if begin == high:
                break
        for i in range(begin, high):
            found = np.int64(weight[i]) * np.int64(source[0, t, order[i]])
            out[0, t, i] = found if fresh else out[0, t, i] + found


@jit
def taken(part: int, parts: int, stop: int, source: Any, first: int, repeat: int, fresh: bool, out: Any) -> None:
    """``out[.., i] = source[.., first + i // repeat]``, int64, of the neurons of one part; added unless `fresh`."""
    low, high = out.shape[2] * part // parts, out.shape[2] * (part + 1) // parts
    for t in range(stop):
        given, to = source[0, t, first:], out[0, t]
        if repeat == 1 and fresh:
            for i in range(low, high):
                to[i] = given[i]
        elif repeat == 1:
            for i in range(low, high):
                to[i] += given[i]
        else:
            for i in range(low, high):
                to[i] = np.int64(given[i // repeat]) + (0 if fresh else to[i])


@jit
def narrowed(stop: int, source: Any, out: Any) -> None:
    """Payloads (1, steps.., width) to int16 (steps.., width), which holds them."""
    for t in range(stop):
        given, row = source[0, t], out[t]
        for i in range(row.shape[0]):
            row[i] = given[i]


@jit
def count_events(stop: int, payload: Any, fired: Any) -> None:
    """`fired` += how often each neuron of (1, steps.., width) sent what is not zero."""
    for t in range(stop):
        row = payload[0, t]
        for i in range(row.shape[0]):
            fired[i] += np.int64(row[i] != 0)
