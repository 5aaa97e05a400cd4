"""Neuron models, one per file: an equation in integers and in real numbers, state bits. Runners step the integers."""
