"""An independent check of a mapping: nothing is shared with the code that made it."""
