"""lava-dl's network files (`.net`, HDF5): every layer type that slayer exports, with the integers that netx makes of it.

reader.py   `read_net`: a file to a `Network`         writer.py   `write_net`: a chain of layers to a file
fields.py   one group of the file, each field checked, none left unread
weights.py  netx's optimisation of weight bits        neurons.py  a `neuron` group to a model and its parameters
flow.py     what runs from layer to layer             layers.py   one builder a layer type

Where lava-dl's own reader (`lava.lib.dl.netx`, lava-dl 0.6.0) runs a layer, its integers are reproduced, oddities
included. Where it stops (recurrent, pooling, unpooling, transposed, average, concatenation, ALIF) or drops something
without a word (delays of convolutions, adaptive resonators, activations), the meaning is that of the block in
`lava.lib.dl.slayer.block`, or an error. Everything that was changed, ignored or left to the host is listed in the
`provenance` of the network.

Errors: ND1001, ND1280..ND1283 (`hdf5_guard`); ND1284 unknown layer type, ND1285 a neuron that has no exact model here,
ND1286 fields that contradict one another, ND1287 unknown fields, ND1288 values that are not integers or that netx would
turn into others, ND1289 options; writing: ND1290 a population that the format cannot express, ND1291 the system refuses,
ND5004 no such folder.
"""

from neurodeploy.frontends.lavadl.reader import read_net
from neurodeploy.frontends.lavadl.writer import write_net

__all__ = ["read_net", "write_net"]
