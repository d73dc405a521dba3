"""Scrub: what is doubtful about images, found from descriptors, pixels and matched points, each as a finding."""
