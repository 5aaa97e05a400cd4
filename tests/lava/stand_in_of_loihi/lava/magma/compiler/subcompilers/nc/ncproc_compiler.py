"""Stand-in: in place of every model for neuro-cores, that of Lava's fixed-point simulation.

With ``STAND_IN_OF_LOIHI=refuses`` in the environment it takes no partitioning.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.compiler.subcompilers.py.pyproc_compiler import PyProcCompiler
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv


class CompilerOptions:
    verbose = False


class NcProcCompiler(PyProcCompiler):
    #: Processes that the compiler was told of, and where their neurons go.
    partitioning: ClassVar[dict[str, Any]] = {}

    def __init__(self, proc_group: Any, compile_config: Any = None) -> None:
        simulated = Loihi2SimCfg(select_tag="fixed_pt")
        for process in proc_group:
            if isinstance(process, Conv):  # as its process documents, and no model for a CPU does
                process.weight.init = process.weight.init.astype(np.int32) << int(process.weight_exp.init)
            process._model_class = simulated.select(process, ProcGroupDiGraphs._find_proc_models(process))
        super().__init__(proc_group, compile_config)

    def compile(self, channel_map: Any, partitioning: Any = None) -> Any:
        if partitioning and os.environ.get("STAND_IN_OF_LOIHI") == "refuses":
            raise KeyError("the stand-in takes no partitioning")
        NcProcCompiler.partitioning = partitioning or {}
        return super().compile(channel_map, partitioning)
