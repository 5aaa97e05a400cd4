"""`map` and `explain`: which device runs what, on which cores, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.bundle import open_bundle
from neurodeploy.pipeline.session import Progress, read_mapping


def map(
    bundle: str | Path,
    system: str = "kapoho-point",
    *,
    chips: int | None = None,
    max_rows: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Map a bundle to a system and store the mapping in it; the dictionary is what ``map --json`` prints.

    `chips` uses only so many chips of the system, `max_rows` caps the neurons of a core. Raises `DoesNotFit` (ND2001) with
    what the model needs and what would help; an older mapping then stays.
    """
    from partitioner.json_form import mapping_to_json
    from partitioner.mapper import map_program
    from partitioner.network_mapper import map_network
    from partitioner.network_summary import summary as network_summary
    from partitioner.summary import summary
    from targets.systems import SYSTEMS, get_system

    opened, target = open_bundle(bundle), get_system(system)
    if progress:
        progress("map", 0, 1)
    network, known = opened.program.network, tuple(SYSTEMS.values())
    if network is not None:
        mapping = map_network(network, target, chips=chips, max_rows=max_rows, alternatives=known)
        found = network_summary(mapping, network, target)
    else:
        mapping = map_program(opened.program, target, chips=chips, max_rows=max_rows, alternatives=known)
        found = summary(mapping, opened.program, target)
    if not found["violations"]:
        opened.write_mapping(mapping_to_json(mapping))
    if progress:
        progress("map", 1, 1)
    return found


def explain(bundle: str | Path) -> list[dict[str, Any]]:
    """Every step of the program: device, rule, reason, bytes per token over the host border."""
    from partitioner.summary import explain as explain_mapping

    mapping, _ = read_mapping(open_bundle(bundle))
    return explain_mapping(mapping)
