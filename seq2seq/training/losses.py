"""Losses: averages over real tokens (or values) only, or over examples.

All take sample weights of shape (batch, time), 1 for real steps and 0 for padding, and divide by
the sum of the weights, or by the number of examples: extra padding changes nothing.
"""

import keras
from keras import ops

from seq2seq.layers.lstm import Tensor
from seq2seq.runtime.validation import check_rate

NORMALIZATIONS = ("tokens", "examples")


@keras.saving.register_keras_serializable("seq2seq")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy against a target that is spread a little over all tokens (Szegedy et al. 2016).

    Args:
        label_smoothing: the share that is spread.
    """

    def __init__(self, label_smoothing: float, name: str = "cross_entropy"):
        super().__init__(name=name, reduction="mean_with_sample_weight")
        self.label_smoothing = check_rate("label_smoothing", label_smoothing)

    def call(self, y_true, y_pred):
        """Losses (batch, time) of tokens (batch, time), from logits (batch, time, vocabulary)."""
        log_probabilities = ops.log_softmax(y_pred, axis=-1)
        tokens = ops.cast(y_true, "int32")
        right = ops.take_along_axis(log_probabilities, tokens[..., None], axis=-1)[..., 0]
        uniform_loss = ops.mean(log_probabilities, axis=-1)
        return -(1 - self.label_smoothing) * right - self.label_smoothing * uniform_loss

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"label_smoothing": self.label_smoothing, "name": self.name}


def cross_entropy(label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Mean of -log p(token) over real tokens, from logits.

    Args:
        label_smoothing: share of the target that is spread over all tokens.
    """
    if label_smoothing:
        return SmoothedCrossEntropy(label_smoothing)
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight", name="cross_entropy"
    )


def squared_error() -> keras.losses.Loss:
    """Mean squared error over real steps."""
    return keras.losses.MeanSquaredError(reduction="mean_with_sample_weight", name="squared_error")


@keras.saving.register_keras_serializable("seq2seq")
class PerExample(keras.losses.Loss):
    """A loss summed over the real steps of each example, averaged over examples.

    A long target weighs more than a short one, also in batches of one, where an average over
    tokens makes both the same.

    Args:
        loss: of each step.
    """

    def __init__(self, loss: keras.losses.Loss, name: str = "per_example"):
        super().__init__(name=name, reduction="sum")
        self.loss = loss

    def call(self, y_true, y_pred):
        """Losses (batch, time)."""
        return self.loss.call(y_true, y_pred)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The average; see `keras.losses.Loss`."""
        total = super().__call__(y_true, y_pred, sample_weight)
        return total / ops.cast(ops.shape(y_true)[0], total.dtype)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {"loss": keras.saving.serialize_keras_object(self.loss), "name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> "PerExample":
        """What `get_config` described."""
        return cls(keras.saving.deserialize_keras_object(config["loss"]), config["name"])


def divisor(loss: keras.losses.Loss, weights: Tensor) -> Tensor:
    """What `loss` divides by: examples, or real steps; `weights` (batch, time)."""
    if isinstance(loss, PerExample):
        return ops.cast(ops.shape(weights)[0], weights.dtype)
    return ops.sum(weights)
