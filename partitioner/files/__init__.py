"""Mappings and plans on disk."""
