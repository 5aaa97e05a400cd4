"""Host operations: one file each; `host` holds what they share, and the executor that runs them."""
