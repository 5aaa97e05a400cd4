"""The verbs for spiking networks: what `pipeline` offers where a model is a .nir or .net file, or a bundle of one."""

from __future__ import annotations

from neurodeploy.pipeline.spiking.converting import convert_network, is_spiking_file
from neurodeploy.pipeline.spiking.evaluating import eval_network
from neurodeploy.pipeline.spiking.exporting import export_network
from neurodeploy.pipeline.spiking.opening import is_network
from neurodeploy.pipeline.spiking.pricing import energy_network
from neurodeploy.pipeline.spiking.reporting import report_network
from neurodeploy.pipeline.spiking.running import run_network

__all__ = [
    "convert_network",
    "energy_network",
    "eval_network",
    "export_network",
    "is_network",
    "is_spiking_file",
    "report_network",
    "run_network",
]
