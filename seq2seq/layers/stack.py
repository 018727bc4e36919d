"""A stack of recurrent layers: the part that encoder and decoder share."""

from typing import NamedTuple

import keras
from keras import ops, tree

from seq2seq.layers.backend import draw_mask
from seq2seq.layers.base import Layer
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.recurrent import Cell, State, follow, run
from seq2seq.runtime.validation import check_count, check_flag

States = tuple  # of one state a layer
MAX_LAYERS = 100  # building more takes minutes, and nothing that was published has a fifth of them


class Noise(NamedTuple):
    """Dropout masks for one batch: 0 where dropped, else 1 / (1 - rate).

    Attributes:
        read: for what each layer reads, (batch, features), the same at every step, or (batch, time,
            features); empty without dropout.
        said: for what the top layer says, (batch, units) or (batch, time, units); empty without
            dropout.
        kept: (batch, units) for what each layer's gates see of its hidden state, directions one
            after the other; empty without recurrent dropout.
    """

    read: tuple = ()
    said: tuple = ()
    kept: tuple = ()

    def by_step(self) -> "Noise":
        """The masks that differ from step to step, (batch, time, size)."""
        return Noise(*(tuple(m for m in masks if len(m.shape) == 3) for masks in self))

    def at(self, now: "Noise") -> "Noise":
        """The masks of one step, (batch, size) each, where `now` are those of `by_step`."""
        return Noise(*(own or masks for own, masks in zip(now, self, strict=True)))


class Followed(NamedTuple):
    """One layer in one direction, while a sequence was read.

    Attributes:
        states: after each step, (batch, time, units) each.
        gates: of each step, the same shape; nothing, `()`, of a simple RNN.
    """

    states: State
    gates: tuple


def drop(values: Tensor, masks: tuple, number: int = 0) -> Tensor:
    """`values` (batch, [time,] size) times mask `number`, if there are masks."""
    if not masks:
        return values
    mask = masks[number]
    return values * (mask if len(values.shape) == len(mask.shape) else ops.expand_dims(mask, 1))


def reverse(sequence: Tensor, mask: Tensor | None) -> Tensor:
    """The real steps of `sequence` (batch, time, size) from last to first; padding stays behind.

    Args:
        sequence: padded on the right.
        mask: (batch, time), True for real steps; None: all are.
    """
    if mask is None:
        return ops.flip(sequence, axis=1)
    batch, time = ops.shape(sequence)[:2]
    steps = ops.arange(time, dtype="int32")
    lengths = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    places = ops.where(mask, lengths - 1 - steps, steps)  # (batch, time)
    rows = ops.arange(batch, dtype="int32")[:, None] * time
    flat = ops.reshape(sequence, (batch * time, sequence.shape[-1]))
    return ops.reshape(ops.take(flat, rows + places, axis=0), ops.shape(sequence))


@keras.saving.register_keras_serializable("seq2seq")
class Stack(Layer):
    """Recurrent layers on top of each other; each hands its sequence to the next.

    A bidirectional stack has two layers at each place, one for each direction; what they say and
    what they end with is joined side by side, forwards first (Schuster and Paliwal 1997).

    Args:
        input_size: features of the inputs.
        units: size of the hidden state of every layer, in each direction.
        layers: how many.
        cell: what a layer is: a `Cell`, or its kind; None: a plain LSTM.
        bidirectional: whether the inputs are read in both directions; such a stack has no `step`.
        dtype, trainable: see `keras.layers.Layer`.
    """

    def __init__(
        self,
        input_size: int,
        units: int,
        layers: int = 1,
        cell: Cell | str | dict | None = None,
        bidirectional: bool = False,
        name: str = "stack",
        dtype: str | None = None,
        trainable: bool = True,
    ):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        self.input_size = check_count("input_size", input_size)
        self.units = check_count("units", units)
        self.num_layers = check_count("layers", layers, most=MAX_LAYERS)
        self.bidirectional = check_flag("bidirectional", bidirectional)
        self.cell = Cell.of(cell)
        if self.cell.residual and self.num_layers == 1:
            raise ValueError("cell.residual=true: a single layer has no layer below to add")
        self.seed = keras.random.SeedGenerator() if any(self._rates) else None
        self.recurrent, self.backward = [], []

    @property
    def _rates(self) -> tuple[float, float, float]:
        """The dropout of what the layers read, of what the top layer says, and of hidden states."""
        cell = self.cell
        said = cell.dropout if cell.output_dropout is None else cell.output_dropout
        return cell.dropout, said, cell.recurrent_dropout

    @property
    def output_size(self) -> int:
        """Features of what the top layer says."""
        return self.units * (2 if self.bidirectional else 1)

    @property
    def state_sizes(self) -> States:
        """The structure of the state, with sizes in place of tensors: one state a layer."""
        return tuple(self.cell.sizes(self.output_size) for _ in range(self.num_layers))

    def build(self, input_shape=None):
        """Create the weights; the sizes are known from the constructor."""
        size = self.input_size
        for number in range(self.num_layers):
            make = (self.units, size)
            self.recurrent.append(self.cell.make(*make, f"layer_{number}", self.dtype_policy))
            if self.bidirectional:
                name = f"backward_{number}"
                self.backward.append(self.cell.make(*make, name, self.dtype_policy))
            size = self.output_size
        self.freeze_weights()

    def call(
        self,
        inputs: Tensor,
        state: States | None = None,
        mask: Tensor | None = None,
        noise: Noise | None = None,
    ) -> tuple[Tensor, States]:
        """A whole sequence.

        Args:
            inputs: (batch, time, input_size).
            state: the state of each layer before the first step; None: zeros, the only start of a
                bidirectional stack.
            mask: (batch, time) bool, True for real steps, padding on the right; handed to every
                layer, since Keras's layers do not pass masks on.
            noise: from `draw`; None: no dropout.

        Returns:
            The top layer's sequence (batch, time, output_size), and each layer's state after its
            last real step (of the backward direction, after its first).
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        noise = Noise() if noise is None else noise
        sequence, states = inputs, []
        for number in range(self.num_layers):
            read = drop(sequence, noise.read, number)
            before = None if state is None else state[number]
            said, after = self._run(number, read, before, mask, noise)
            if self.cell.residual and number:
                said = said + sequence
            sequence = said
            states.append(after)
        return drop(sequence, noise.said), tuple(states)

    def _run(self, number: int, read: Tensor, before, mask, noise: Noise) -> tuple[Tensor, State]:
        """One layer over a whole sequence, in one direction or both."""
        layer = self.recurrent[number]
        if not self.bidirectional:
            return self._one_way(layer, read, before, mask, noise.kept[number : number + 1])
        kept = noise.kept[2 * number : 2 * number + 2]
        said, after = self._one_way(layer, read, None, mask, kept[:1])
        reader, reversed_read = self.backward[number], reverse(read, mask)
        back, back_after = self._one_way(reader, reversed_read, None, mask, kept[1:])
        joined = [ops.concatenate(pair, axis=-1) for pair in zip(after, back_after, strict=True)]
        said = ops.concatenate([said, reverse(back, mask)], axis=-1)
        return said, type(after)(*joined)

    def _one_way(self, layer, read, before, mask, kept: tuple) -> tuple[Tensor, State]:
        kind = type(self.cell.sizes(self.units))
        if not kept:
            start = None if before is None else list(before)
            said, *after = layer(read, initial_state=start, mask=mask)
            return said, kind(*after)
        if before is None:
            before = self._zeros(read)

        def step(inputs, state):
            return layer.step(inputs, state, kept[0])

        return run(step, read, before, mask)

    def follow(
        self, inputs: Tensor, state: States | None = None, mask: Tensor | None = None
    ) -> list[Followed]:
        """What `call` does without dropout, with everything on the way, for those who want to see.

        Args:
            inputs, state, mask: see `call`.

        Returns:
            One a layer, from the lowest; of a bidirectional stack two, forwards first. Both are
            in the order of `inputs`, and masked steps repeat the state before them.
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        sequence, followed = inputs, []
        for number, layer in enumerate(self.recurrent):
            ways = [self._follow(layer, sequence, state and state[number], mask)]
            if self.bidirectional:
                reader, back = self.backward[number], reverse(sequence, mask)
                there = self._follow(reader, back, None, mask)
                ways.append(tree.map_structure(lambda array: reverse(array, mask), there))
            said = ops.concatenate([way.states.hidden for way in ways], axis=-1)
            sequence = said + sequence if self.cell.residual and number else said
            followed += ways
        return followed

    def _follow(self, layer, read: Tensor, before: State | None, mask) -> Followed:
        if before is None:
            before = self._zeros(read)
        states = follow(layer.step, read, before, mask)
        seen = [
            ops.concatenate([first[:, None], after[:, :-1]], axis=1)
            for first, after in zip(before, states, strict=True)
        ]
        return Followed(states, layer.gates(read, type(before)(*seen)))

    def _zeros(self, read: Tensor) -> State:
        sizes = self.cell.sizes(self.units)
        return type(sizes)(*[ops.zeros((ops.shape(read)[0], self.units), read.dtype)] * len(sizes))

    def step(
        self, inputs: Tensor, state: States, noise: Noise | None = None
    ) -> tuple[Tensor, States]:
        """One step: inputs (batch, input_size) to what the top layer says (batch, units).

        Args:
            inputs: (batch, input_size).
            state: of each layer, before the step.
            noise: of this step, for a training that goes step by step; None: no dropout.
        """
        noise = Noise() if noise is None else noise
        said, states = inputs, []
        for number, (layer, before) in enumerate(zip(self.recurrent, state, strict=True)):
            kept = noise.kept[number] if noise.kept else None
            states.append(layer.step(drop(said, noise.read, number), before, kept))
            hidden = states[-1].hidden
            said = said + hidden if self.cell.residual and number else hidden
        return drop(said, noise.said), tuple(states)

    def draw(self, rows: Tensor, time: Tensor, training: bool, attended: int = 0) -> Noise:
        """Dropout masks for a batch.

        Args:
            rows: examples.
            time: steps.
            training: whether there are any; else the noise is empty.
            attended: how many of the lowest layer's inputs, the last ones, attention found. They
                are made of what a top layer said, and dropped as such.
        """
        if not training:
            return Noise()
        directions = 2 if self.bidirectional else 1
        axes = (rows,) if self.cell.variational else (rows, time)
        of_read, of_said, of_hidden = self._rates
        lowest = [(self.input_size - attended, of_read), (attended, of_said)]
        if not attended or of_read == of_said:
            lowest = [(self.input_size, of_read)]
        read = [lowest, *[[(self.output_size, of_read)]] * (self.num_layers - 1)]
        return Noise(
            self._masks(axes, read),
            self._masks(axes, [[(self.output_size, of_said)]]),
            self._masks((rows,), [[(self.units, of_hidden)]] * self.num_layers * directions),
        )

    def _masks(self, axes: tuple, wanted: list) -> tuple:
        """A mask for each of `wanted`, a list of parts (size, rate); none if all rates are 0."""
        if not any(rate for parts in wanted for _, rate in parts):
            return ()

        def draw(size: int, rate: float) -> Tensor:
            return draw_mask((*axes, size), rate, self.seed, self.compute_dtype)

        return tuple(ops.concatenate([draw(*part) for part in parts], axis=-1) for parts in wanted)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "input_size": self.input_size,
            "units": self.units,
            "layers": self.num_layers,
            "cell": self.cell.to_config(),
            "bidirectional": self.bidirectional,
        }
