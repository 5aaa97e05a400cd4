"""neurodeploy: convert a model, map it to Loihi 2 cores, run it bit for bit, account for every joule."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: One function per verb, loaded when first used: `import neurodeploy` stays fast.
_VERBS = ("convert", "map", "run", "generate", "eval", "energy", "explain", "report", "verify", "doctor", "demo")
__all__ = [*_VERBS, "__version__"]

if TYPE_CHECKING:
    from neurodeploy.pipeline import (
        convert,
        demo,
        doctor,
        energy,
        eval,
        explain,
        generate,
        map,
        report,
        run,
        verify,
    )

    _TYPED = (convert, demo, doctor, energy, eval, explain, generate, map, report, run, verify)


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(import_module("neurodeploy.pipeline"), name)
    raise AttributeError(f"module 'neurodeploy' has no attribute {name!r}")
