"""SANA-FE (GPL-3.0, a process of its own) on folders that `partitioner.files.sanafe` wrote: joules and spikes of each.

    python rival_sanafe_price.py STEPS FOLDER ...

One line of JSON: a list of {"total", "network", "synapse", "soma" (J), "packets", "fired", "seconds"} in order.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import sanafe


def price(folder: Path, steps: int) -> dict[str, float]:
    arch = sanafe.load_arch(str(folder / "arch.yaml"))
    chip = sanafe.SpikingChip(arch)
    chip.load(sanafe.load_net(str(folder / "network.yaml"), arch))
    found = chip.sim(steps, processing_threads=1, scheduler_threads=0)
    joules = {name: found["energy"][name] for name in ("total", "network", "synapse", "soma")}
    return {
        **joules, "packets": found["packets_sent"], "fired": found["neurons_fired"], "seconds": found["sim_time"]
    }  # fmt: skip


rows = [price(Path(folder), int(sys.argv[1])) for folder in sys.argv[2:]]
print("\n" + json.dumps({"version": version("sanafe"), "rows": rows}))
