"""The verbs for spiking networks: what `pipeline` offers where a model is a .nir or .net file, or a bundle of one."""
