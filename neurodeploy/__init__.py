"""neurodeploy: convert a model, map it to Loihi 2 cores, run it bit for bit, account for every joule."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from neurodeploy import instructions
from neurodeploy.version import __version__

instructions.apply()

#: One function per verb, loaded when first used: `import neurodeploy` stays fast.
_VERBS = (
    "convert", "map", "run", "generate", "eval", "energy", "explain", "report", "verify", "doctor", "demo",
    "convert_network", "run_network", "eval_network", "energy_network", "report_network", "export_network",
    "fit",
)  # fmt: skip
__all__ = [*_VERBS, "__version__"]

if TYPE_CHECKING:
    from neurodeploy.pipeline import (
        convert,
        convert_network,
        demo,
        doctor,
        energy,
        energy_network,
        eval,
        eval_network,
        explain,
        export_network,
        fit,
        generate,
        map,
        report,
        report_network,
        run,
        run_network,
        verify,
    )

    _TYPED = (
        convert, demo, doctor, energy, eval, explain, fit, generate, map, report, run, verify,
        convert_network, energy_network, eval_network, export_network, report_network, run_network,
    )  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return getattr(import_module("neurodeploy.pipeline"), name)
    raise AttributeError(f"module 'neurodeploy' has no attribute {name!r}")
