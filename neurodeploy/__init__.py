"""neurodeploy: convert a model, map it to Loihi 2 cores, run it bit for bit, account for every joule."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from neurodeploy.machine import instructions
from neurodeploy.version import __version__

instructions.apply()
#: Who listens to it decides what is shown: nothing is, unless a program asks for it.
logging.getLogger(__name__).addHandler(logging.NullHandler())

#: One function per verb and what opens a bundle, loaded when first used: `import neurodeploy` stays fast.
__all__ = [
    "Bundle", "__version__", "calibrate", "convert", "demo", "diff", "doctor", "energy", "eval", "explain", "explore",
    "export", "fit", "generate", "map", "open", "report", "run", "verify",
]  # fmt: skip

if TYPE_CHECKING:
    from neurodeploy.pipeline import (
        Bundle,
        calibrate,
        convert,
        demo,
        diff,
        doctor,
        energy,
        eval,
        explain,
        explore,
        export,
        fit,
        generate,
        map,
        open,
        report,
        run,
        verify,
    )  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("neurodeploy.pipeline"), name)
    raise AttributeError(f"module 'neurodeploy' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
