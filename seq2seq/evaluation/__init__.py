"""Evaluation: metrics, prediction, and judging on held-out examples."""
