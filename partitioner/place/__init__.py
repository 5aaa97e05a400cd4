"""Placement of communicating cores on a mesh, and of chips on a grid."""
