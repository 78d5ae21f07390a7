"""Fugue's collections."""
