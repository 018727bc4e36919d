"""Losses: averages over real tokens (or values) only.

Both take sample weights of shape (batch, time), 1 for real steps and 0 for padding, and divide by
the sum of the weights: extra padding changes nothing.
"""

import keras


def cross_entropy() -> keras.losses.Loss:
    """Mean of -log p(token) over real tokens, from logits."""
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight", name="cross_entropy"
    )


def squared_error() -> keras.losses.Loss:
    """Mean squared error over real steps."""
    return keras.losses.MeanSquaredError(reduction="mean_with_sample_weight", name="squared_error")
