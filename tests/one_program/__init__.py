"""Every verb over every kind of model."""
