"""From a `Program` to a `Mapping`: which device runs each step and why, and which core holds each shard.

classify (device and reason) -> split (tiles of at most one core) -> place (chips and cores) -> verify (recount).
"""

from __future__ import annotations

from .bounds import lower_bound
from .classify import assign
from .json_form import mapping_from_json, mapping_to_json
from .mapper import map_program
from .summary import explain, summary
from .traffic import Traffic, traffic
from .usage import core_usage
from .verify import verify

__all__ = [
    "Traffic",
    "assign",
    "core_usage",
    "explain",
    "lower_bound",
    "map_program",
    "mapping_from_json",
    "mapping_to_json",
    "summary",
    "traffic",
    "verify",
]
