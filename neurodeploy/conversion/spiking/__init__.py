"""Spiking networks in real numbers to the chip's integers, and back.

`quantize.quantize` makes a `Network` from a `FloatNetwork` and says what rounding changed; `compat.quantize` does it with
the truncations of the published bridge from NIR to Lava; `compare.compare_spikes` sets two runs beside each other;
`to_nir.to_float` goes the other way.

Codes: ND1240 options, ND1241 a loop without a neuron, ND1242 a threshold below the reset, ND1243 delays, ND1244 too many
paths or synapses, ND1245 what the published bridge refuses, ND1246 nothing to send, ND1250 what NIR cannot say.
"""
