"""What no mapper can fall below."""
