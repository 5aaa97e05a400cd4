"""The frozen types that the stages hand to one another. The type is the phase."""
