"""Joules and seconds of a run, from exact counts, a mapping and coefficients with bands (`account.account`)."""
