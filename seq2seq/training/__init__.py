"""Training: losses, the run directory, the artefact, and the trainer."""
