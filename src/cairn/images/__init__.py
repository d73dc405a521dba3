"""Pixels and where they come from."""
