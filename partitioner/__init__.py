"""From a program or a network to a `Mapping`: which device runs each part and why, and which core holds each shard.

job (what gets cores, under which limits) -> cut (tiles of at most one core) -> pack (tiles that share a core) -> chips ->
place; `verify` recounts the result, `judge` sets it beside bounds and null models. `mapper.map_model` is the entry.
"""
