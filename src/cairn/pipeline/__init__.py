"""The order of stages, the work folder, and what to skip."""
