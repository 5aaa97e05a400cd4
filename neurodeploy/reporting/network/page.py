"""The page of a spiking network."""

from __future__ import annotations

from collections.abc import Callable

from neurodeploy.reporting.html import Html
from neurodeploy.reporting.network import sections
from neurodeploy.reporting.network.schema import NetworkReport
from neurodeploy.reporting.page import document
from neurodeploy.reporting.sections.chips import chips
from neurodeploy.reporting.sections.notes import provenance
from neurodeploy.reporting.sections.quality import quality

#: anchor, title, maker
_PARTS: tuple[tuple[str, str, Callable[[NetworkReport], Html | None]], ...] = (
    ("raster", "Activity in time", sections.rasters),
    ("states", "States", sections.states),
    ("counts", "Counts", sections.counts),
    ("comparison", "Float against integers", sections.comparison),
    ("map", "Chip map", lambda data: chips(data["map"])),
    ("quality", "Mapping quality", lambda data: quality(data["map"])),
    ("energy", "Energy", sections.energy),
    ("conversion", "Conversion", sections.conversion),
    ("neurobench", "NeuroBench metrics", sections.neurobench),
)


def network_page(data: NetworkReport, beside: dict[str, str]) -> str:
    """The whole page as text; equal data give equal bytes."""
    made = [(anchor, title, part(data)) for anchor, title, part in _PARTS]
    contents = [(anchor, title) for anchor, title, body in made if body is not None]
    bodies = [body for _, _, body in made] + [provenance(data["provenance"], beside)]
    return document(
        f"{data['network']['name']}, spiking network",
        sections.hero(data),
        [*contents, ("provenance", "Provenance")],
        bodies,
    )
