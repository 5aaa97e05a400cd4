"""Tiles that share a core."""
