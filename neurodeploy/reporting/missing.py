"""What a section that was not run says instead of an empty chart: what it would show, and the command that runs it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

#: section -> (what it would show, the command; BUNDLE stands for the bundle's path)
MISSING: dict[str, tuple[str, str]] = {
    "conversion": ("Scales, payloads and their errors, site by site", "neurodeploy convert MODEL"),
    "map": ("Chips and cores in use, and how full they are", "neurodeploy map BUNDLE"),
    "explain": ("Each operation with its device and the reason", "neurodeploy map BUNDLE"),
    "accuracy": (
        "The integer model against the float model on a text",
        "neurodeploy report BUNDLE --out report.html --text FILE",
    ),
    "energy": ("Joules with their bands, at four boundaries", "neurodeploy energy BUNDLE"),
    "populations": ("Messages and synaptic operations of each population", "neurodeploy run BUNDLE --text FILE"),
    "experts": ("Tokens that each expert was given", "neurodeploy run BUNDLE --text FILE"),
    "traffic": ("Bytes on the chip, between chips and to the host", "neurodeploy map BUNDLE"),
    "sample": ("A text that the integer model wrote", "neurodeploy generate BUNDLE --prompt TEXT"),
}


def how_to(data: Mapping[str, Any], section: str) -> tuple[str, str]:
    """(what the section would show, the command that runs it), with the bundle's own name where it is known."""
    what, command = MISSING[section]
    given = (data.get("commands") or {}).get(section)
    provenance = data.get("provenance")
    bundle = provenance["bundle"] if provenance is not None else None
    return what, given or (command.replace("BUNDLE", shlex.quote(bundle)) if bundle else command)
