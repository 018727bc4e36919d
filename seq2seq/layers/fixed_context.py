"""The encoder's final hidden state as the context of every step, without attention weights."""

import keras
from keras import ops

from seq2seq.layers.attention import Attention
from seq2seq.layers.lstm import Tensor


@keras.saving.register_keras_serializable("seq2seq")
class FixedContext(Attention):
    """The encoder's final hidden state as context of every step (Cho et al. 2014).

    There are no attention weights (Bahdanau et al. 2015, appendix A.2.2, call the context fixed).
    The context is an input of the step beside the token, and of the readout.
    """

    is_recurrent = False
    has_weights = False

    def __init__(self, name: str = "attention", dtype: str | None = None, trainable: bool = True):
        super().__init__(before=True, name=name, dtype=dtype, trainable=trainable)

    def keys(self, values: Tensor, state: tuple) -> Tensor:
        """Final hidden state of the top layer, (batch, 1, memory_size)."""
        return ops.expand_dims(state[-1].hidden, 1)

    def call(self, query, keys, values, mask, coverage=None) -> tuple[Tensor, None]:
        """Return the same context for every query, and no weights."""
        batch, queries = ops.shape(query)[:2]
        return ops.broadcast_to(keys, (batch, queries, keys.shape[-1])), None

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        config = super().get_config()
        del config["before"], config["input_feeding"]
        return config


@keras.saving.register_keras_serializable("seq2seq")
class RepeatVector(FixedContext):
    """The encoder's final hidden state as the only input of every step (Keras's `RepeatVector`).

    The decoder reads no tokens, not even its own previous output: its position in the target is in
    its state alone (Keras's example `addition_rnn`).
    """

    replaces_inputs = True
