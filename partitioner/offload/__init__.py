"""What does not fit the chips goes to the host."""
