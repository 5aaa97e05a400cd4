"""One function per verb, each a few calls in a row. The command line and `import neurodeploy as nd` call the same.

A verb's file is loaded when the verb is first used: a spiking network needs nothing of what a language model does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurodeploy.pipeline.calibrating import calibrate as calibrate
    from neurodeploy.pipeline.checking import verify as verify
    from neurodeploy.pipeline.converting import convert as convert
    from neurodeploy.pipeline.diffing import diff as diff
    from neurodeploy.pipeline.evaluating import eval as eval
    from neurodeploy.pipeline.exploring import explore as explore
    from neurodeploy.pipeline.exporting import export as export
    from neurodeploy.pipeline.fitting import fit as fit
    from neurodeploy.pipeline.fitting import fit_models as fit_models
    from neurodeploy.pipeline.generating import generate as generate
    from neurodeploy.pipeline.mapping import explain as explain
    from neurodeploy.pipeline.mapping import map as map
    from neurodeploy.pipeline.opening import Bundle as Bundle
    from neurodeploy.pipeline.opening import open as open
    from neurodeploy.pipeline.pricing import energy as energy
    from neurodeploy.pipeline.reporting import report as report
    from neurodeploy.pipeline.running import run as run
    from neurodeploy.pipeline.this_machine import doctor as doctor
    from neurodeploy.pipeline.whole_chain import demo as demo

#: The file of each verb, and of what opens a bundle, below this package.
_FILES = {
    "convert": "converting", "map": "mapping", "explain": "mapping", "run": "running", "generate": "generating",
    "eval": "evaluating", "energy": "pricing", "calibrate": "calibrating", "report": "reporting", "verify": "checking",
    "export": "exporting", "doctor": "this_machine", "fit": "fitting", "fit_models": "fitting", "demo": "whole_chain",
    "open": "opening", "Bundle": "opening",
    "explore": "exploring", "diff": "diffing",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _FILES:
        return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_FILES)
