"""Where parts of the work run."""
