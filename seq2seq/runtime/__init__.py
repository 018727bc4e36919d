"""Runtime: what needs NumPy at most, and every other folder may use."""
