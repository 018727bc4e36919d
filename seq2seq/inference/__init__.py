"""Inference: a trained model in a file, from text to text, and its states and traces."""
