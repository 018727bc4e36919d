"""Runs: their directories, checkpoints and environments, compared and told apart."""
