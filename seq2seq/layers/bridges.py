"""Bridges: how the encoder's final state becomes the decoder's first.

A state here is a tuple with one `LSTMState` (or `RNNState`) a layer; its *sizes* are the same
structure with integers for tensors.
"""

import keras
from keras import ops, tree

from seq2seq.layers.base import Layer
from seq2seq.layers.projection import projection
from seq2seq.layers.stack import States


def describe(sizes: States) -> str:
    """`sizes` in words, as in `2 layers of 128 units`, and what a state without a cell holds."""
    units = [layer[0] for layer in sizes]
    layers = f"{len(units)} layer{'s' if len(units) > 1 else ''}"
    kind = "" if "cell" in sizes[0]._fields else " (hidden only)"
    return f"{layers} of {' and '.join(map(str, sorted(set(units))))} units{kind}"


def batch_of(state: States):
    """How many examples `state` is of."""
    return ops.shape(tree.flatten(state)[0])[0]


class Bridge(Layer):
    """What bridges share: they are connected once, and then called on states.

    A subclass implements `call(state)`, and `connect` where it has a condition or weights.
    `passes` says whether the decoder learns anything of the source through it.
    """

    passes = True

    def __init__(self, name: str = "bridge", dtype: str | None = None, trainable: bool = True):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.encoder_sizes = self.decoder_sizes = None

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """Learn the sizes of both sides, before the first call.

        Raises:
            ValueError: this bridge cannot join them; it names both sides and the bridge that can.
        """
        if self.decoder_sizes is not None:
            raise ValueError(f"this {type(self).__name__} joins two sides already; make a new one")
        self.encoder_sizes, self.decoder_sizes = encoder_sizes, decoder_sizes
        self.built = True  # a subclass creates its weights right after

    def refusal(
        self, encoder_sizes: States, decoder_sizes: States, why: str, others: str = ""
    ) -> ValueError:
        """The error of a bridge that can't join two sides: both, why, and Dense and others can."""
        return ValueError(
            f"the encoder has {describe(encoder_sizes)}, the decoder {describe(decoder_sizes)}: "
            f"the bridge {type(self).__name__} {why}; use the bridge Dense (bridge=dense), which "
            f"joins any depth and width{others}"
        )

    def call(self, state: States) -> States:
        """The decoder's first state from the encoder's final state."""
        raise NotImplementedError

    def get_build_config(self) -> None:
        """Nothing: `connect`, not `build`, creates the weights."""
        return None


@keras.saving.register_keras_serializable("seq2seq")
class Copy(Bridge):
    """Hidden and cell of every layer, unchanged (Sutskever et al. 2014)."""

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """See `Bridge.connect`; both sides must be alike."""
        if encoder_sizes != decoder_sizes:
            why = "hands states over unchanged and needs both alike"
            halves = tree.map_structure(lambda size: size // 2, encoder_sizes)
            joined = ", or Joined (bridge=joined) for the two directions of an encoder"
            others = joined if halves == decoder_sizes else ""
            raise self.refusal(encoder_sizes, decoder_sizes, why, others)
        super().connect(encoder_sizes, decoder_sizes)

    def call(self, state: States) -> States:
        """The same state."""
        return state


@keras.saving.register_keras_serializable("seq2seq")
class Hidden(Bridge):
    """The hidden state of every layer, unchanged; cells start from zeros.

    What a decoder loses that is not told the cell: compare with `Copy`.
    """

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """See `Bridge.connect`; depth and width must be alike, kinds may differ."""
        hidden = [[layer.hidden for layer in sizes] for sizes in (encoder_sizes, decoder_sizes)]
        if hidden[0] != hidden[1]:
            why = "hands hidden states over unchanged and needs depth and width alike"
            raise self.refusal(encoder_sizes, decoder_sizes, why)
        super().connect(encoder_sizes, decoder_sizes)

    def call(self, state: States) -> States:
        """The hidden states, with zeros for cells."""
        zeros = [ops.zeros_like(layer.hidden) for layer in state]
        return tuple(
            type(sizes)(layer.hidden, *[zero] * (len(sizes) - 1))
            for sizes, layer, zero in zip(self.decoder_sizes, state, zeros, strict=True)
        )


class Projection(Bridge):
    """What bridges of learned projections share: `tanh(W s + b)` for hidden, `W s + b` for cell.

    A hidden state is bounded by 1, a cell is not.
    """

    def make_projections(self, sizes: list[int]) -> None:
        """Create the projections to each decoder layer, which read vectors of `sizes`."""
        self.projections = []
        for number, (size, layer) in enumerate(zip(sizes, self.decoder_sizes, strict=True)):
            for field, units in zip(layer._fields, layer, strict=True):
                activation = "tanh" if field == "hidden" else None
                name, dtype = f"layer_{number}_{field}", self.dtype_policy
                with keras.name_scope(self.name):
                    layer_projection = projection(units, size, name, dtype, activation=activation)
                self.projections.append(layer_projection)

    def pack(self, states: list) -> States:
        """Projected states in the decoder's structure."""
        return tree.pack_sequence_as(self.decoder_sizes, states)


@keras.saving.register_keras_serializable("seq2seq")
class Dense(Projection):
    """Every decoder state is a learned function of all encoder states, of any depth and width.

    `tanh(W s + b)` for the hidden, which is bounded by 1 in an LSTM, and `W s + b` for the cell,
    where s is all of the encoder's states side by side (Cho et al. 2014 start their decoder through
    such a tanh layer).
    """

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """See `Bridge.connect`; any two sides can be joined."""
        super().connect(encoder_sizes, decoder_sizes)
        total = sum(tree.flatten(encoder_sizes))
        self.make_projections([total] * len(decoder_sizes))

    def call(self, state: States) -> States:
        """Project the joined encoder states (batch, all units) to each decoder state."""
        joined = ops.concatenate(tree.flatten(state), axis=-1)
        return self.pack([project(joined) for project in self.projections])


@keras.saving.register_keras_serializable("seq2seq")
class Joined(Projection):
    """Each decoder layer from its own encoder layer: joins the two directions of an encoder.

    `tanh(W [forwards; backwards] + b)` for hidden from hidden, `W [...] + b` for cell from cell.
    Needs as many layers on both sides, of any width.
    """

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """See `Bridge.connect`; depth and kind of state must be alike."""
        if [len(layer) for layer in encoder_sizes] != [len(layer) for layer in decoder_sizes]:
            why = "goes layer by layer and needs as many of the same kind"
            raise self.refusal(encoder_sizes, decoder_sizes, why)
        super().connect(encoder_sizes, decoder_sizes)
        self.make_projections([layer.hidden for layer in encoder_sizes])

    def call(self, state: States) -> States:
        """Project each layer's states by themselves."""
        flat = tree.flatten(state)
        return self.pack(
            [project(one) for project, one in zip(self.projections, flat, strict=True)]
        )


@keras.saving.register_keras_serializable("seq2seq")
class Top(Bridge):
    """The encoder's top layer starts every layer of the decoder."""

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """See `Bridge.connect`; widths must be alike, depths may differ."""
        if set(decoder_sizes) != {encoder_sizes[-1]}:
            why = "hands the top layer's state to every layer and needs one width and kind"
            raise self.refusal(encoder_sizes, decoder_sizes, why)
        super().connect(encoder_sizes, decoder_sizes)

    def call(self, state: States) -> States:
        """The top layer's state, once a decoder layer."""
        return (state[-1],) * len(self.decoder_sizes)


@keras.saving.register_keras_serializable("seq2seq")
class Zero(Bridge):
    """Zeros: the decoder learns nothing of the source through its state, only by attention."""

    passes = False

    def call(self, state: States) -> States:
        """Zeros of the decoder's sizes."""
        batch = batch_of(state)
        return tree.map_structure(
            lambda size: ops.zeros((batch, size), self.compute_dtype), self.decoder_sizes
        )


@keras.saving.register_keras_serializable("seq2seq")
class Learned(Bridge):
    """One learned start for every source: no state is passed, attention must say all."""

    passes = False

    def connect(self, encoder_sizes: States, decoder_sizes: States) -> None:
        """See `Bridge.connect`; the encoder's sizes play no part."""
        super().connect(encoder_sizes, decoder_sizes)
        with keras.name_scope(self.name):
            self.starts = [
                self.add_weight(shape=(size,), initializer="zeros", name=f"layer_{number}_{field}")
                for number, layer in enumerate(decoder_sizes)
                for field, size in zip(layer._fields, layer, strict=True)
            ]

    def call(self, state: States) -> States:
        """The learned start, repeated for the batch."""
        batch = batch_of(state)
        starts = [
            ops.broadcast_to(ops.cast(start, self.compute_dtype), (batch, start.shape[0]))
            for start in self.starts
        ]
        return tree.pack_sequence_as(self.decoder_sizes, starts)
