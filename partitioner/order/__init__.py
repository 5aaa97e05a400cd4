"""Orders of the neurons of a network that lower cores or traffic."""
