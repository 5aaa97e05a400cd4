"""Spiking modules of torch frameworks as NIR files: what a layer's attributes say becomes nodes and options of the reader.

`frameworks` has the one table, `running` runs a module on an example as its framework does, `tracing` follows which layer
feeds which, `export` writes the file. No framework is imported here: a module that exists has loaded its own.
"""
