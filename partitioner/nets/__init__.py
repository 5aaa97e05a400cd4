"""The messages between tiles, cores and chips."""
