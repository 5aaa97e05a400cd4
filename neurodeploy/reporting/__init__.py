"""The report: one HTML page that loads nothing, with JSON and CSV beside it; tables and progress in the terminal."""

from __future__ import annotations

from neurodeploy.reporting.files import render
from neurodeploy.reporting.schema import ReportData

__all__ = ["ReportData", "render"]
