"""Collects what the report can say, and keeps its translations up to date."""
