"""Arrays in, arrays out: no paths, no network, no clock, no hidden randomness."""
