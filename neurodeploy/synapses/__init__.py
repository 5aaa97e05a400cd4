"""Synapses of a spiking network: the integers that Lava makes of weights, builders of every kind, and their structure.

weights.py    what Lava's `clip_weights` and `truncate_weights` make of a matrix
build.py      Dense, Sparse and Conv from arrays: pooling, unpooling, transposed convolutions, foreign kernel layouts
structure.py  counts that a mapper needs, by row range, without a matrix; conversion to coordinates; bounds of sums
"""
