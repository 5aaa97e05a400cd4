"""One function per verb, each a few calls in a row. The command line and `import neurodeploy as nd` call the same."""

from __future__ import annotations

from neurodeploy.pipeline.checking import doctor, verify
from neurodeploy.pipeline.converting import convert
from neurodeploy.pipeline.mapping import explain, map
from neurodeploy.pipeline.pricing import energy
from neurodeploy.pipeline.reporting import report
from neurodeploy.pipeline.running import eval, generate, run
from neurodeploy.pipeline.whole_chain import demo

__all__ = ["convert", "demo", "doctor", "energy", "eval", "explain", "generate", "map", "report", "run", "verify"]
