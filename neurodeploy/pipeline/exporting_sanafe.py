"""`export --format sanafe`: a mapped spiking network for SANA-FE, which prices it from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.bundle import AnyPath
from neurodeploy.errors import BundleError, some
from neurodeploy.ir.fixedpoint import Ints
from neurodeploy.pipeline.session import read_mapping
from neurodeploy.pipeline.streams import first_sample, open_spiking, refuse_hosted
from neurodeploy.reporting.files import write_all


def export_sanafe(
    bundle: AnyPath,
    out: str | Path,
    *,
    input: str | Path | None = None,
    steps: int | None = None,
    layout: str | None = None,
) -> dict[str, Any]:
    """Write ``arch.yaml`` and ``network.yaml`` into the folder `out`; the dictionary is what ``export --json`` prints.

    `input` gives the spikes of the inputs: its first sample, `steps` of it. Without it they are silent.

    Raises ND2005 where the bundle is not mapped, ND2080, ND2081 and ND2083 for what SANA-FE cannot say
    (`partitioner.files.sanafe.export`), ND5004 where the folder cannot be written.
    """
    from partitioner.files.sanafe import export

    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise BundleError("ND5004", folder, "is a file, the export is a folder", f"name one: {folder}.sanafe")
    opened = open_spiking(bundle)
    network = opened.program.network
    mapping, system = read_mapping(opened)
    refuse_hosted(opened, mapping, "SANA-FE")
    spikes: dict[str, Ints] = {}
    notes = ["inputs are silent: give their spikes with --input FILE"]
    if input is not None:
        spikes, notes = first_sample(input, opened, steps, layout)
    texts = {folder / name: text for name, text in export(mapping, network, system, spikes).items()}
    write_all(texts)
    shifted = [p.name for p in network.projections if p.weight_exp < 0]
    if shifted:
        notes.append(f"{', '.join(shifted)}: sums are shifted without rounding, SANA-FE computes in real numbers")
    notes.append("SANA-FE knows no chip borders: all chips are one flat mesh, priced as Loihi 1")
    return {
        "file": str(folder), "format": "sanafe", "what": f"{some(len(texts), 'file')} for SANA-FE",
        "bytes": sum(path.stat().st_size for path in texts), "notes": notes,
    }  # fmt: skip
