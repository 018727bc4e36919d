"""Bridges: the decoder's initial state from the encoder's final state.

A state here is a tuple with one `LSTMState` (or `RNNState`) per layer; its *sizes* are the same
structure with integers in place of tensors.
"""

import keras
from keras import ops, tree

from seq2seq.layers.base import Layer
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.projection import projection
from seq2seq.layers.stack import States


def describe(sizes: States) -> str:
    """Describe `sizes`, as in `2 layers of 128 units (hidden only)`."""
    units = [layer[0] for layer in sizes]
    layers = f"{len(units)} layer{'s' if len(units) > 1 else ''}"
    kind = "" if "cell" in sizes[0]._fields else " (hidden only)"
    return f"{layers} of {' and '.join(map(str, sorted(set(units))))} units{kind}"


def batch_size(state: States) -> Tensor:
    """Number of examples of a state."""
    return ops.shape(tree.flatten(state)[0])[0]


class Bridge(Layer):
    """Base class of bridges: connected once, then called on states.

    A subclass implements `call(state)`, and `connect` where it has a condition or weights.
    `passes_information` is False where the result does not depend on the source.
    """

    passes_information = True

    def __init__(self, name: str = "bridge", dtype: str | None = None, trainable: bool = True):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.encoder_sizes = self.decoder_sizes = None

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """Set the sizes of both sides, before the first call.

        Raises:
            ValueError: this bridge does not fit the sizes; the message names them and a bridge
                that fits.
        """
        if self.decoder_sizes is not None:
            raise ValueError(
                f"this {type(self).__name__} belongs to another model already; make a new one"
            )
        self.encoder_sizes, self.decoder_sizes = encoder_sizes, decoder_sizes
        self.mark_built()  # a subclass creates its weights right after

    @property
    def output_shape(self) -> tuple:
        """Shapes of the decoder's initial state, which a summary shows."""
        return tuple((None, size) for size in tree.flatten(self.decoder_sizes))

    def size_error(
        self, encoder_sizes: States, decoder_sizes: States, reason: str, alternative: str = ""
    ) -> ValueError:
        """Error of a bridge that does not fit: both sizes, the reason, and bridges that fit."""
        return ValueError(
            f"the encoder has {describe(encoder_sizes)}, the decoder {describe(decoder_sizes)}: "
            f"the bridge {type(self).__name__} {reason}; use the bridge Dense (bridge=dense), "
            f"which accepts any depth and width{alternative}"
        )

    def call(self, state: States) -> States:
        """Compute the decoder's initial state from the encoder's final state."""
        raise NotImplementedError

    def get_build_config(self) -> None:
        """None: `connect`, not `build`, creates the weights."""
        return None


@keras.saving.register_keras_serializable("seq2seq")
class Copy(Bridge):
    """Hidden and cell state of every layer, unchanged (Sutskever et al. 2014)."""

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """Set the sizes, which must be equal; see `Bridge.connect`."""
        if encoder_sizes != decoder_sizes:
            reason = "passes states unchanged and needs equal depth, width and kind of cell"
            halves = tree.map_structure(lambda size: size // 2, encoder_sizes)
            by_layer = (
                ", or LayerwiseDense (bridge=layerwise_dense) for the two directions of an encoder"
            )
            alternative = by_layer if halves == decoder_sizes else ""
            raise self.size_error(encoder_sizes, decoder_sizes, reason, alternative)
        super().connect(encoder_sizes, decoder_sizes)

    def call(self, state: States) -> States:
        """Return the same state."""
        return state


@keras.saving.register_keras_serializable("seq2seq")
class HiddenOnly(Bridge):
    """Hidden state of every layer, unchanged; cell states start from zeros.

    Compare with `Copy` to see what the cell state carries.
    """

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """Set the sizes; depth and width must be equal, kinds may differ. See `Bridge.connect`."""
        hidden = [[layer.hidden for layer in sizes] for sizes in (encoder_sizes, decoder_sizes)]
        if hidden[0] != hidden[1]:
            reason = "passes hidden states unchanged and needs equal depth and width"
            raise self.size_error(encoder_sizes, decoder_sizes, reason)
        super().connect(encoder_sizes, decoder_sizes)

    def call(self, state: States) -> States:
        """Return the hidden states, with zeros for cell states."""
        zeros = [ops.zeros_like(layer.hidden) for layer in state]
        return tuple(
            type(sizes)(layer.hidden, *[zero] * (len(sizes) - 1))
            for sizes, layer, zero in zip(self.decoder_sizes, state, zeros, strict=True)
        )


class Projection(Bridge):
    """Base class of bridges with learned projections.

    `tanh(W s + b)` for the hidden state, which is bounded by 1; `W s + b` for the cell state.
    """

    def make_projections(self, sizes: list[int]) -> None:
        """Create the projections to each decoder layer from vectors of `sizes`."""
        self.projections = []
        for number, (size, layer) in enumerate(zip(sizes, self.decoder_sizes, strict=True)):
            for field, units in zip(layer._fields, layer, strict=True):
                activation = "tanh" if field == "hidden" else None
                name, dtype = f"layer_{number}_{field}", self.dtype_policy
                with keras.name_scope(self.name):
                    layer_projection = projection(units, size, name, dtype, activation=activation)
                self.projections.append(layer_projection)

    def pack(self, states: list) -> States:
        """Pack projected states in the structure of the decoder's state."""
        return tree.pack_sequence_as(self.decoder_sizes, states)


@keras.saving.register_keras_serializable("seq2seq")
class Dense(Projection):
    """Projection of all encoder states to every decoder state, of any depth and width.

    `tanh(W s + b)` for the hidden state and `W s + b` for the cell state, where s is the
    concatenation of all encoder states (Cho et al. 2014 start their decoder through such a tanh
    layer).
    """

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """Create the projections; any sizes fit. See `Bridge.connect`."""
        super().connect(encoder_sizes, decoder_sizes)
        total = sum(tree.flatten(encoder_sizes))
        self.make_projections([total] * len(decoder_sizes))

    def call(self, state: States) -> States:
        """Project the concatenated encoder states (batch, all units) to each decoder state."""
        joined = ops.concatenate(tree.flatten(state), axis=-1)
        return self.pack([project(joined) for project in self.projections])


@keras.saving.register_keras_serializable("seq2seq")
class LayerwiseDense(Projection):
    """Projection of each encoder layer to its decoder layer, for bidirectional encoders.

    `tanh(W [forward; backward] + b)` from hidden to hidden, `W [...] + b` from cell to cell state.
    Needs the same number of layers on both sides, of any width.
    """

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """Create the projections; depth and kind of state must be equal. See `Bridge.connect`."""
        if [len(layer) for layer in encoder_sizes] != [len(layer) for layer in decoder_sizes]:
            reason = "projects layer by layer and needs equal depth and kind of cell"
            raise self.size_error(encoder_sizes, decoder_sizes, reason)
        super().connect(encoder_sizes, decoder_sizes)
        self.make_projections([layer.hidden for layer in encoder_sizes])

    def call(self, state: States) -> States:
        """Project the state of each layer."""
        pairs = zip(self.projections, tree.flatten(state), strict=True)
        return self.pack([project(tensor) for project, tensor in pairs])


@keras.saving.register_keras_serializable("seq2seq")
class TopLayer(Bridge):
    """State of the encoder's top layer as initial state of every decoder layer."""

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """Set the sizes; widths must be equal, depths may differ. See `Bridge.connect`."""
        if set(decoder_sizes) != {encoder_sizes[-1]}:
            reason = "passes the top layer's state to every layer and needs equal width and kind"
            raise self.size_error(encoder_sizes, decoder_sizes, reason)
        super().connect(encoder_sizes, decoder_sizes)

    def call(self, state: States) -> States:
        """Return the top layer's state for each decoder layer."""
        return (state[-1],) * len(self.decoder_sizes)


@keras.saving.register_keras_serializable("seq2seq")
class Zero(Bridge):
    """Zeros: the decoder gets information about the source by attention only."""

    passes_information = False

    def call(self, state: States) -> States:
        """Return zeros of the decoder's sizes."""
        batch = batch_size(state)
        return tree.map_structure(
            lambda size: ops.zeros((batch, size), self.compute_dtype), self.decoder_sizes
        )


@keras.saving.register_keras_serializable("seq2seq")
class LearnedInitialState(Bridge):
    """One learned initial state for all sources; information passes by attention only."""

    passes_information = False

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """Create the state of the decoder's sizes; see `Bridge.connect`."""
        super().connect(encoder_sizes, decoder_sizes)
        with keras.name_scope(self.name):
            self.starts = [
                self.add_weight(shape=(size,), initializer="zeros", name=f"layer_{number}_{field}")
                for number, layer in enumerate(decoder_sizes)
                for field, size in zip(layer._fields, layer, strict=True)
            ]

    def call(self, state: States) -> States:
        """Return the learned state for each example."""
        batch = batch_size(state)
        starts = [
            ops.broadcast_to(ops.cast(start, self.compute_dtype), (batch, start.shape[0]))
            for start in self.starts
        ]
        return tree.pack_sequence_as(self.decoder_sizes, starts)
