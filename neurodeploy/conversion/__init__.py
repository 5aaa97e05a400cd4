"""Conversion: a float `Graph` and a calibration text become a `Program` of integers.

`presets` names the choices, `calibrate` streams the text through the float model layer by layer, `rounding` turns a weight
matrix into int8, `quantize` puts islands together.
"""
