"""The version, for whoever writes it into a file: it imports nothing."""

__version__ = "0.1.0"
