"""From a `Program` to a `Mapping`: which device runs each step and why, and which core holds each shard.

classify (device and reason) -> split (tiles of at most one core) -> place (chips and cores) -> verify (recount).
"""
