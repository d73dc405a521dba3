"""Measurements: a stage against its peers or its limit, in one run."""
