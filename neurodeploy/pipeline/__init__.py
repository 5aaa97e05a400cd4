"""One function per verb, each a few calls in a row. The command line and `import neurodeploy as nd` call the same."""

from __future__ import annotations

from neurodeploy.pipeline.checking import doctor, verify
from neurodeploy.pipeline.converting import convert
from neurodeploy.pipeline.fitting import fit, fit_models
from neurodeploy.pipeline.mapping import explain, map
from neurodeploy.pipeline.pricing import energy
from neurodeploy.pipeline.reporting import report
from neurodeploy.pipeline.running import eval, generate, run
from neurodeploy.pipeline.spiking import (
    convert_network,
    energy_network,
    eval_network,
    export_network,
    is_network,
    is_spiking_file,
    report_network,
    run_network,
)
from neurodeploy.pipeline.whole_chain import demo

__all__ = [
    "convert",
    "convert_network",
    "demo",
    "doctor",
    "energy",
    "energy_network",
    "eval",
    "eval_network",
    "explain",
    "export_network",
    "fit",
    "fit_models",
    "generate",
    "is_network",
    "is_spiking_file",
    "map",
    "report",
    "report_network",
    "run",
    "run_network",
    "verify",
]
