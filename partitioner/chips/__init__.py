"""Cores that share a chip."""
