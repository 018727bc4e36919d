"""Export: a trained model outside of Keras."""
