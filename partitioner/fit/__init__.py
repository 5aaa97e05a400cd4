"""A plan from an outline, without weights."""
