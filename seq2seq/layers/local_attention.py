"""Attention to a window of the source around a predicted position."""

import keras
from keras import ops

from seq2seq.layers.attention import General, masked_softmax
from seq2seq.layers.lstm import Tensor
from seq2seq.runtime.validation import check_count


@keras.saving.register_keras_serializable("seq2seq")
class Local(General):
    """General attention around a predicted position (Luong et al. 2015, section 3.2, local-p).

        p = length * sigmoid(v . tanh(W q))       position, between the first and the last step
        weights = softmax(scores in [p - width, p + width]) * exp(-(step - p)^2 / (2 sigma^2))

    with sigma = width / 2.

    Args:
        width: steps of the window on each side; the paper's D is 10.
        before, input_feeding: see `Attention`.
    """

    def __init__(
        self,
        width: int = 10,
        before: bool = False,
        input_feeding: bool = False,
        name: str = "attention",
        dtype: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(before, input_feeding, name, dtype, trainable)
        self.width = check_count("attention.width", width)

    def make_weights(self) -> None:
        """Create the weights of the score, and those of the predicted position."""
        super().make_weights()
        self.hidden = self.project(self.query_size, self.query_size, "hidden")
        self.position = self.project(1, self.query_size, "position")

    def weigh(self, query: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
        """Softmax inside the window, times a Gaussian around its center."""
        steps = ops.arange(ops.shape(scores)[-1], dtype="float32")  # (time,)
        length = ops.sum(ops.cast(mask, "float32"), axis=1)[:, None, None]
        center = ops.cast(self.position(ops.tanh(self.hidden(query))), "float32")
        # Steps count from 0, so the last is length - 1; the window always holds a real step.
        center = (length - 1) * ops.sigmoid(center)  # (batch, queries, 1)
        distance = steps - center  # (batch, queries, time)
        in_window = ops.logical_and(ops.abs(distance) <= self.width, mask[:, None])
        gaussian = ops.exp(-ops.square(distance) / (2 * (self.width / 2) ** 2))
        return masked_softmax(scores, in_window) * gaussian

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return {**super().get_config(), "width": self.width}
