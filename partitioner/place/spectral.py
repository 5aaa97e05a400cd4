"""The smoothest vectors of a weighted graph, by Chebyshev-filtered subspace iteration in a fixed order of operations.

``S = D^-1/2 W D^-1/2`` has its eigenvalues in [-1, 1]; those next to 1, below the constant vector's, vary least along heavy
edges (Fiedler 1973; Hall 1970 for placement by two of them). A Chebyshev polynomial of S that is small on [-1, b] and grows
above b is applied to a block of vectors (Zhou & Saad 2007), which is then made orthogonal and rotated by Rayleigh-Ritz.

Sums run one after the other, without fast-math and without a linear-algebra library: additions, products, divisions and
square roots of IEEE 754 give the same bits on every machine. The sign is fixed: the entry of the largest size is positive.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.machine.jit import jit
from partitioner.place.problem import Problem

#: Vectors asked for are padded to this block, rounds of the filter, its degree.
BLOCK, ROUNDS, DEGREE = 5, 10, 24


@jit
def _product(indptr, index, value, x, out):  # type: ignore[no-untyped-def]
    """``out = S x`` for the columns of x."""
    n, block = x.shape
    for i in range(n):
        for c in range(block):
            out[i, c] = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            j = index[e]
            for c in range(block):
                out[i, c] += value[e] * x[j, c]


@jit
def _clean(x, kernel, group, groups):  # type: ignore[no-untyped-def]
    """Take out of each column its part along `kernel`, group by group: means by level where groups are levels."""
    n, block = x.shape
    norm = np.zeros(groups)
    for i in range(n):
        norm[group[i]] += kernel[i] * kernel[i]
    part = np.zeros((groups, block))
    for i in range(n):
        for c in range(block):
            part[group[i], c] += kernel[i] * x[i, c]
    for i in range(n):
        if norm[group[i]] > 0.0:
            for c in range(block):
                x[i, c] -= kernel[i] * part[group[i], c] / norm[group[i]]


@jit
def _orthonormal(x):  # type: ignore[no-untyped-def]
    """Gram-Schmidt, twice for each column."""
    n, block = x.shape
    for c in range(block):
        for _ in range(2):
            for d in range(c):
                dot = 0.0
                for i in range(n):
                    dot += x[i, c] * x[i, d]
                for i in range(n):
                    x[i, c] -= dot * x[i, d]
        norm = 0.0
        for i in range(n):
            norm += x[i, c] * x[i, c]
        norm = np.sqrt(norm)
        if norm > 1e-150:
            for i in range(n):
                x[i, c] /= norm


@jit
def _jacobi(a, q):  # type: ignore[no-untyped-def]
    """Eigenvectors of the small symmetric `a` into the columns of q, by cyclic Jacobi rotations; `a` becomes diagonal."""
    size = len(a)
    for _ in range(30):
        for r in range(size):
            for s in range(r + 1, size):
                if abs(a[r, s]) < 1e-300:
                    continue
                theta = (a[s, s] - a[r, r]) / (2.0 * a[r, s])
                t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                t = t if theta >= 0.0 else -t
                cosine = 1.0 / np.sqrt(t * t + 1.0)
                sine = t * cosine
                for k in range(size):
                    first, second = a[k, r], a[k, s]
                    a[k, r], a[k, s] = cosine * first - sine * second, sine * first + cosine * second
                for k in range(size):
                    first, second = a[r, k], a[s, k]
                    a[r, k], a[s, k] = cosine * first - sine * second, sine * first + cosine * second
                for k in range(size):
                    first, second = q[k, r], q[k, s]
                    q[k, r], q[k, s] = cosine * first - sine * second, sine * first + cosine * second


@jit
def _copy(source, target):  # type: ignore[no-untyped-def]
    """Loops take a tenth of the time that numba needs to compile a slice."""
    n, block = source.shape
    for i in range(n):
        for c in range(block):
            target[i, c] = source[i, c]


@jit
def _iterate(indptr, index, value, kernel, group, groups, x, rounds, degree):  # type: ignore[no-untyped-def]
    """Turn x into the smoothest vectors, smoothest first. Returns their eigenvalues."""
    n, block = x.shape
    low = 0.0
    before, now, after = np.zeros((n, block)), np.zeros((n, block)), np.zeros((n, block))
    ritz, order = np.zeros(block), np.zeros(block, np.int64)
    for _turn in range(rounds):
        half, middle = (low + 1.0) / 2.0, (low - 1.0) / 2.0
        _copy(x, before)
        _product(indptr, index, value, x, now)
        for i in range(n):
            for c in range(block):
                now[i, c] = (now[i, c] - middle * x[i, c]) / half
        for _ in range(degree - 1):
            _product(indptr, index, value, now, after)
            for i in range(n):
                for c in range(block):
                    after[i, c] = 2.0 * (after[i, c] - middle * now[i, c]) / half - before[i, c]
            before, now, after = now, after, before
        _copy(now, x)
        _clean(x, kernel, group, groups)
        _orthonormal(x)
        _product(indptr, index, value, x, after)
        small, turned = np.zeros((block, block)), np.zeros((block, block))
        for c in range(block):
            turned[c, c] = 1.0
            for d in range(c, block):
                dot = 0.0
                for i in range(n):
                    dot += x[i, c] * after[i, d]
                small[c, d] = dot
                small[d, c] = dot
        _jacobi(small, turned)
        for c in range(block):  # the largest eigenvalue first, of equals the first
            place = c
            while place > 0 and small[c, c] > small[order[place - 1], order[place - 1]]:
                order[place] = order[place - 1]
                place -= 1
            order[place] = c
        for i in range(n):
            for c in range(block):
                total = 0.0
                for d in range(block):
                    total += x[i, d] * turned[d, order[c]]
                now[i, c] = total
        _copy(now, x)
        for c in range(block):
            ritz[c] = small[order[c], order[c]]
        low = max(0.0, min(ritz[block - 1], 1.0 - 1e-9))
    return ritz


def smooth_vectors(problem: Problem, group: Ints | None = None) -> Ints:
    """(n, 2) the two smoothest vectors, scaled to unit-degree entries and rounded to integers of 40 bits.

    group : of each item; the vectors are made orthogonal to every function of the group (with levels as groups, they
        describe where items lie *within* a level). One group by default: only the constant is left out.

    Anchors are not part of the graph. Isolated items get 0.
    """
    n = problem.n
    inside = problem.index < n
    row = np.repeat(np.arange(n), np.diff(problem.indptr))[inside]
    index, weight = problem.index[inside], problem.weight[inside]
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=n), out=indptr[1:])
    degree = np.zeros(n, np.int64)
    np.add.at(degree, row, weight)
    root = np.sqrt(degree.astype(np.float64))
    value = weight.astype(np.float64) / (root[row] * root[index])
    block = min(BLOCK, n)
    # A start that touches every vector: splitmix-like hashes of the place, odd and without pattern, equal everywhere.
    seed = (np.arange(n * block, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    seed ^= seed >> np.uint64(29)
    seed *= np.uint64(0xBF58476D1CE4E5B9)
    x = ((seed >> np.uint64(32)).astype(np.float64) / 2.0**32 - 0.5).reshape(n, block)
    x[degree == 0] = 0.0
    groups = np.zeros(n, np.int64) if group is None else group
    _iterate(indptr, index, value, root, groups, int(groups.max(initial=0)) + 1, x, ROUNDS, DEGREE)
    result = np.zeros((n, 2), np.int64)
    for c in range(min(2, block)):
        vector = np.divide(x[:, c], root, out=np.zeros(n), where=root > 0)
        top = np.abs(vector).max(initial=0.0)
        if top > 0.0:
            sign = 1.0 if vector[int(np.argmax(np.abs(vector)))] > 0 else -1.0
            result[:, c] = np.rint(vector / top * sign * 2.0**40).astype(np.int64)
    return result
