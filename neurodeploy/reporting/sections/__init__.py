"""The parts of the page, a file each: a part takes all data and returns its section, or None where it was not run."""
