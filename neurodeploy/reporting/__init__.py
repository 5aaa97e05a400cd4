"""The report: one HTML page that loads nothing, with JSON and CSV beside it; tables and progress in the terminal."""
