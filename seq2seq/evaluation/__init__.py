"""Evaluation: metrics of predictions on held-out examples."""
