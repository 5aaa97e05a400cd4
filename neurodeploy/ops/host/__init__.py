"""Host operations in float32, and the executor that runs a graph or the host side of a program with them."""
