"""The kinds of synapses, one file each, and what frontends build them with.

dense.py, grouped.py, sparse.py, conv.py, direct.py   a kind: matrix, product, counts, bytes and axons, fields on disk
window.py     the geometry of a convolution
build.py      kinds from arrays: pooling, unpooling, transposed convolutions, foreign kernel layouts
weights.py    what Lava's `clip_weights` and `truncate_weights` make of a matrix
"""

from neurodeploy.ir.synapse import Synapse
from neurodeploy.synapses.conv import Conv
from neurodeploy.synapses.dense import Dense
from neurodeploy.synapses.direct import Direct
from neurodeploy.synapses.grouped import Grouped
from neurodeploy.synapses.sparse import Sparse

#: Every kind by its name in files and reports.
KINDS: dict[str, type[Synapse]] = {kind.kind: kind for kind in (Dense, Grouped, Sparse, Conv, Direct)}

__all__ = ["KINDS", "Conv", "Dense", "Direct", "Grouped", "Sparse"]
