"""Neuron models, one per file: equation, float step, integer step, state bits. Runners call the integer step."""
