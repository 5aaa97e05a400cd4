"""NIR files: a tolerant reader and a strict writer.

`reader.read` takes what spikingjelly, snnTorch, sinabs, Norse, Rockpool and nir itself write, straight from HDF5: whatever
it repairs is listed in the network's `notes`, whatever it does not understand is an error that names the node.
`writer.write` gives pure NIR 1.0.8.

Codes: ND1200 not a NIR file, ND1201 unknown node type, ND1202 unknown field, ND1203 missing field, ND1204 a field's value,
ND1205 edges, ND1206 ports of a subgraph, ND1207 shapes disagree, ND1208 a shape that nothing says, ND1209 a cycle without a
neuron, ND1210 too large, ND1211 nothing to run, ND1212 the time step, ND1213 names, ND1214 a time step that contradicts the
file, ND1220 what NIR cannot say. Damaged files, declared sizes and links: `neurodeploy.frontends.hdf5_guard`.
"""
