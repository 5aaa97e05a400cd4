"""The rows of lava-dl in `docs/interchange.md`: recorded .net files, run as integers here, against SLAYER's own spikes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from neurodeploy.frontends.lavadl.reader import read_net
from simulators.reference import ReferenceRunner
from tests.interchange.cells import FIXTURES, Reading

FOLDER = FIXTURES / "slayer"


def index() -> dict[str, Any]:
    """What the recording script wrote down."""
    found: dict[str, Any] = json.loads((FOLDER / "index.json").read_text())
    return found


def reading(entry: dict[str, Any]) -> Reading:
    """One network on the reference runner."""
    recorded = np.load(FOLDER / f"{entry['case']}.npz")
    network = read_net(FOLDER / entry["file"], **entry["options"])
    fed, wanted = (np.stack([_turned(sample) for sample in recorded[name]]) for name in ("input", "output"))
    result = ReferenceRunner().run(network, {network.inputs[0]: fed.astype(np.int64)}, wanted.shape[1])
    return Reading(differing=float((result.outputs[network.outputs[0]] != wanted).mean()))


def _turned(sample: Any) -> Any:
    """(C, steps) or (C, H, W, steps) -> (steps, neurons), in the order (x, y, channel) of a .net."""
    return sample.T.reshape(sample.shape[-1], -1)


def table() -> list[str]:
    """The lines of the page."""
    versions = ", ".join(f"{name} {version}" for name, version in index()["versions"].items() if name != "python")
    told = f"Recorded with {versions}. A .net has integers, and so has SLAYER: nothing is rounded."
    lines = ["", "### lava-dl", "", told, "", "| case | network | module given directly |", "|---|---|---|"]
    return lines + [f"| `{entry['case']}` | {entry['network']} | {reading(entry)} |" for entry in index()["cases"]]
