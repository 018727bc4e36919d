"""Bridges: how the encoder's final state becomes the decoder's first.

A state here is a tuple with one `LSTMState` a layer; its *sizes* are the same structure with
integers for tensors.
"""

import keras
from keras import ops, tree

State = tuple  # of one named tuple a layer


def describe(sizes: State) -> str:
    """`sizes` in words, as in `2 layers of 128 units`."""
    units = [layer[0] for layer in sizes]
    layers = f"{len(units)} layer{'s' if len(units) > 1 else ''}"
    return f"{layers} of {' and '.join(map(str, sorted(set(units))))} units"


class Bridge(keras.layers.Layer):
    """What bridges share: they are connected once, and then called on states.

    A subclass implements `call(state)`, and `connect` where it has a condition or weights.
    """

    def __init__(self, name: str = "bridge", dtype: str | None = None):
        super().__init__(name=name, dtype=dtype)

    def connect(self, encoder_sizes: State, decoder_sizes: State) -> None:
        """Learn the sizes of both sides, before the first call.

        Raises:
            ValueError: this bridge cannot join them; it names both sides and the bridge that can.
        """
        self.encoder_sizes, self.decoder_sizes = encoder_sizes, decoder_sizes

    def call(self, state: State) -> State:
        """The decoder's first state from the encoder's final state."""
        raise NotImplementedError

    def get_build_config(self) -> None:
        """Nothing: `connect`, not `build`, creates the weights."""
        return None

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            "name": self.name,
            "dtype": self.dtype_policy.name,
        }


@keras.saving.register_keras_serializable("seq2seq")
class Copy(Bridge):
    """Hidden and cell of every layer, unchanged (Sutskever et al. 2014)."""

    def connect(self, encoder_sizes: State, decoder_sizes: State) -> None:
        """See `Bridge.connect`; both sides must be alike."""
        if encoder_sizes != decoder_sizes:
            raise ValueError(
                f"the encoder has {describe(encoder_sizes)}, the decoder "
                f"{describe(decoder_sizes)}: the bridge Copy hands states over unchanged and needs "
                "both alike; use the bridge Dense (bridge=dense), which joins any depth and width"
            )
        super().connect(encoder_sizes, decoder_sizes)

    def call(self, state: State) -> State:
        """The same state."""
        return state


@keras.saving.register_keras_serializable("seq2seq")
class Dense(Bridge):
    """Every decoder state is a learned function of all encoder states, of any depth and width.

    `tanh(W s + b)` for the hidden, which is bounded by 1 in an LSTM, and `W s + b` for the cell,
    where s is all of the encoder's states side by side (Luong et al.'s and Bahdanau's start is the
    hidden half of this).
    """

    def connect(self, encoder_sizes: State, decoder_sizes: State) -> None:
        """See `Bridge.connect`; any two sides can be joined."""
        super().connect(encoder_sizes, decoder_sizes)
        total = sum(tree.flatten(encoder_sizes))
        self.projections = []
        for number, layer in enumerate(decoder_sizes):
            for field, size in zip(layer._fields, layer, strict=True):
                projection = keras.layers.Dense(
                    size,
                    activation="tanh" if field == "hidden" else None,
                    name=f"layer_{number}_{field}",
                    dtype=self.dtype_policy,
                )
                projection.build((None, total))
                self.projections.append(projection)

    def call(self, state: State) -> State:
        """Project the joined encoder states (batch, all units) to each decoder state."""
        joined = ops.concatenate(tree.flatten(state), axis=-1)
        states = [projection(joined) for projection in self.projections]
        return tree.pack_sequence_as(self.decoder_sizes, states)


@keras.saving.register_keras_serializable("seq2seq")
class Zero(Bridge):
    """Zeros: the decoder learns nothing of the source through its state.

    A control experiment. Without attention such a decoder can only guess.
    """

    def call(self, state: State) -> State:
        """Zeros of the decoder's sizes."""
        batch = ops.shape(tree.flatten(state)[0])[0]
        return tree.map_structure(
            lambda size: ops.zeros((batch, size), self.compute_dtype), self.decoder_sizes
        )
