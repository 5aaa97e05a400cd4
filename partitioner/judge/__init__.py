"""How good a mapping is, beside bounds and null models."""
