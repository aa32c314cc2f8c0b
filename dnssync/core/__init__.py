"""The decisions: pure functions over frozen values. No I/O, clock, randomness or third-party import."""
