"""Losses: means over real tokens (or values) only, or over examples.

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
    """Cross-entropy with label smoothing (Szegedy et al. 2016).

    Args:
        label_smoothing: fraction of the target distribution that is spread over all tokens.
    """

    def __init__(self, label_smoothing: float, name: str = "cross_entropy"):
        super().__init__(name=name, reduction="mean_with_sample_weight")
        self.label_smoothing = check_rate("label_smoothing", label_smoothing)

    def call(self, y_true, y_pred):
        """Losses (batch, time) of tokens (batch, time), from logits (batch, time, vocabulary)."""
        log_probs = ops.log_softmax(y_pred, axis=-1)
        tokens = ops.cast(y_true, "int32")
        true_log_prob = ops.take_along_axis(log_probs, tokens[..., None], axis=-1)[..., 0]
        uniform_loss = ops.mean(log_probs, axis=-1)
        return -(1 - self.label_smoothing) * true_log_prob - self.label_smoothing * uniform_loss

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return {"label_smoothing": self.label_smoothing, "name": self.name}


def cross_entropy(label_smoothing: float = 0.0) -> keras.losses.Loss:
    """Mean of -log p(token) over real tokens, from logits.

    Args:
        label_smoothing: fraction of the target distribution that is spread over all tokens.
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
    """Loss summed over the real steps of each example, averaged over examples.

    A long target weighs more than a short one, also in batches of one, where a mean over tokens
    makes both equal.

    Args:
        loss: loss of a step.
    """

    def __init__(self, loss: keras.losses.Loss, name: str = "per_example"):
        super().__init__(name=name, reduction="sum")
        self.loss = loss

    def call(self, y_true, y_pred):
        """Losses (batch, time)."""
        return self.loss.call(y_true, y_pred)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """Mean over examples; see `keras.losses.Loss`."""
        total = super().__call__(y_true, y_pred, sample_weight)
        return total / self.normalizer(y_true, sample_weight)

    def normalizer(self, targets: Tensor, weights: Tensor | None) -> Tensor:
        """Divisor of the sum: the number of examples."""
        return ops.cast(ops.shape(targets)[0], "float32")

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return {"loss": keras.saving.serialize_keras_object(self.loss), "name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> "PerExample":
        """Make the loss that `get_config` described."""
        return cls(keras.saving.deserialize_keras_object(config["loss"]), config["name"])
