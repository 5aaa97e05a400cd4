"""The command line: arguments in, a pipeline function, text or JSON out, exit status by the kind of error."""

from __future__ import annotations

from neurodeploy.cli.entry import main

__all__ = ["main"]
