"""Runs: their directories, checkpoints, environments and results, and how they compare."""
