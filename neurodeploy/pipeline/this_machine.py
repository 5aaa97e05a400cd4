"""`doctor`: is this machine sound?"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from importlib import metadata
from typing import Any

from neurodeploy.errors import TargetUnavailable
from neurodeploy.pipeline.verbs import verb

PACKAGES = ("numpy", "torch", "numba", "h5py", "nir", "safetensors", "tokenizers", "gguf", "typer", "rich")


@verb
def doctor() -> dict[str, Any]:
    """What is here: versions, processor, exactness of the integer products, boards and packaged models."""
    import torch

    from neurodeploy.frontends.packaged import PACKAGED
    from simulators import lava
    from simulators.products import choice
    from targets.power import nvml_counter, rapl_domains

    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    domains, why = rapl_domains()
    card, no_card = nvml_counter()
    return {
        "neurodeploy": metadata.version("neurodeploy-toolkit") if _installed() else "run from a checkout",
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "cuda": torch.cuda.is_available(),
        "versions": versions,
        **choice.report(),
        "power_counters": [domain.name for domain in domains] or why,
        "card_counter": card.name if card else no_card,
        "boards": {"loihi2": _board()},
        "simulators": {"lava": lava.describe().removeprefix("lava: ")},
        "models": {
            name: "installed" if importlib.util.find_spec(entry.parts[0][0]) else f"not installed: {entry.install}"
            for name, entry in PACKAGED.items()
        },
    }


def _board() -> str:
    from simulators.lava.board import require_board

    try:
        lava = require_board()
    except TargetUnavailable as error:
        return str(error)
    return f"what drives one is here ({lava.python}); whether a board answers shows in a run"


def _installed() -> bool:
    try:
        metadata.version("neurodeploy-toolkit")
    except metadata.PackageNotFoundError:
        return False
    return True
