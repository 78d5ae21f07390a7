"""Fugue's functional interface; nothing of it is used without an engine."""
