"""Fugue's engines."""
