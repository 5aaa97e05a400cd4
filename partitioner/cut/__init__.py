"""From populations to tiles of at most one core."""
