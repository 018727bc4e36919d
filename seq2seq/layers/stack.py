"""A stack of recurrent layers: the part that encoder and decoder share."""

from typing import NamedTuple

import keras
from keras import ops, tree

from seq2seq.layers.backend import draw_mask
from seq2seq.layers.base import Layer
from seq2seq.layers.cell import Cell
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.recurrent import State, unroll, unroll_states
from seq2seq.runtime.validation import check_count, check_flag

States = tuple  # of one state a layer
MAX_LAYERS = 100  # building more takes minutes, and nothing that was published has a fifth of them


class DropoutMasks(NamedTuple):
    """Dropout masks for one batch: 0 where dropped, else 1 / (1 - rate).

    Attributes:
        inputs: of each layer's inputs, (batch, features), the same at every step, or (batch, time,
            features); empty without dropout.
        outputs: of the top layer's outputs, (batch, units) or (batch, time, units); empty without
            dropout.
        recurrent: (batch, units), of each layer's hidden state as its gates read it, directions one
            after the other; empty without recurrent dropout.
    """

    inputs: tuple = ()
    outputs: tuple = ()
    recurrent: tuple = ()

    def per_step(self) -> "DropoutMasks":
        """The masks that differ from step to step, (batch, time, size)."""
        return DropoutMasks(*(tuple(m for m in masks if len(m.shape) == 3) for masks in self))

    def select(self, step_masks: "DropoutMasks") -> "DropoutMasks":
        """The masks of one step, (batch, size) each, where `step_masks` are those of `per_step`."""
        return DropoutMasks(
            *(step_mask or masks for step_mask, masks in zip(step_masks, self, strict=True))
        )


class LayerTrace(NamedTuple):
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
    positions = ops.where(mask, lengths - 1 - steps, steps)  # (batch, time)
    rows = ops.arange(batch, dtype="int32")[:, None] * time
    flat = ops.reshape(sequence, (batch * time, sequence.shape[-1]))
    return ops.reshape(ops.take(flat, rows + positions, axis=0), ops.shape(sequence))


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
        output_rate = cell.dropout if cell.output_dropout is None else cell.output_dropout
        return cell.dropout, output_rate, cell.recurrent_dropout

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
        dropout_masks: DropoutMasks | None = None,
    ) -> tuple[Tensor, States]:
        """A whole sequence.

        Args:
            inputs: (batch, time, input_size).
            state: the state of each layer before the first step; None: zeros, the only start of a
                bidirectional stack.
            mask: (batch, time) bool, True for real steps, padding on the right; handed to every
                layer, since Keras's layers do not pass masks on.
            dropout_masks: from `draw`; None: no dropout.

        Returns:
            The top layer's sequence (batch, time, output_size), and each layer's state after its
            last real step (of the backward direction, after its first).
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        dropout_masks = DropoutMasks() if dropout_masks is None else dropout_masks
        sequence, states = inputs, []
        for number in range(self.num_layers):
            dropped_inputs = drop(sequence, dropout_masks.inputs, number)
            initial_state = None if state is None else state[number]
            outputs, final_state = self._run(
                number, dropped_inputs, initial_state, mask, dropout_masks
            )
            if self.cell.residual and number:
                outputs = outputs + sequence
            sequence = outputs
            states.append(final_state)
        return drop(sequence, dropout_masks.outputs), tuple(states)

    def _run(
        self, number: int, inputs: Tensor, initial_state, mask, dropout_masks: DropoutMasks
    ) -> tuple[Tensor, State]:
        """One layer over a whole sequence, in one direction or both."""
        layer = self.recurrent[number]
        if not self.bidirectional:
            return self._run_direction(
                layer, inputs, initial_state, mask, dropout_masks.recurrent[number : number + 1]
            )
        recurrent_masks = dropout_masks.recurrent[2 * number : 2 * number + 2]
        outputs, final_state = self._run_direction(layer, inputs, None, mask, recurrent_masks[:1])
        backward_layer, reversed_inputs = self.backward[number], reverse(inputs, mask)
        backward_outputs, backward_state = self._run_direction(
            backward_layer, reversed_inputs, None, mask, recurrent_masks[1:]
        )
        joined = [
            ops.concatenate(pair, axis=-1) for pair in zip(final_state, backward_state, strict=True)
        ]
        outputs = ops.concatenate([outputs, reverse(backward_outputs, mask)], axis=-1)
        return outputs, type(final_state)(*joined)

    def _run_direction(
        self, layer, inputs, initial_state, mask, recurrent_masks: tuple
    ) -> tuple[Tensor, State]:
        kind = type(self.cell.sizes(self.units))
        if not recurrent_masks:
            keras_state = None if initial_state is None else list(initial_state)
            outputs, *final_state = layer(inputs, initial_state=keras_state, mask=mask)
            return outputs, kind(*final_state)
        if initial_state is None:
            initial_state = self._zeros(inputs)

        def step(inputs, state):
            return layer.step(inputs, state, recurrent_masks[0])

        return unroll(step, inputs, initial_state, mask)

    def trace(
        self, inputs: Tensor, state: States | None = None, mask: Tensor | None = None
    ) -> list[LayerTrace]:
        """What `call` does without dropout, with everything on the way, for those who want to see.

        Args:
            inputs, state, mask: see `call`.

        Returns:
            One a layer, from the lowest; of a bidirectional stack two, forwards first. Both are
            in the order of `inputs`, and masked steps repeat the state before them.
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        sequence, traces = inputs, []
        for number, layer in enumerate(self.recurrent):
            directions = [self._trace(layer, sequence, state and state[number], mask)]
            if self.bidirectional:
                backward_layer, reversed_sequence = self.backward[number], reverse(sequence, mask)
                backward_trace = self._trace(backward_layer, reversed_sequence, None, mask)
                directions.append(
                    tree.map_structure(lambda array: reverse(array, mask), backward_trace)
                )
            outputs = ops.concatenate(
                [direction.states.hidden for direction in directions], axis=-1
            )
            sequence = outputs + sequence if self.cell.residual and number else outputs
            traces += directions
        return traces

    def _trace(self, layer, inputs: Tensor, initial_state: State | None, mask) -> LayerTrace:
        if initial_state is None:
            initial_state = self._zeros(inputs)
        states = unroll_states(layer.step, inputs, initial_state, mask)
        previous_states = [
            ops.concatenate([first[:, None], later[:, :-1]], axis=1)
            for first, later in zip(initial_state, states, strict=True)
        ]
        return LayerTrace(states, layer.gates(inputs, type(initial_state)(*previous_states)))

    def _zeros(self, inputs: Tensor) -> State:
        sizes = self.cell.sizes(self.units)
        return type(sizes)(
            *[ops.zeros((ops.shape(inputs)[0], self.units), inputs.dtype)] * len(sizes)
        )

    def step(
        self, inputs: Tensor, state: States, dropout_masks: DropoutMasks | None = None
    ) -> tuple[Tensor, States]:
        """One step: inputs (batch, input_size) to what the top layer says (batch, units).

        Args:
            inputs: (batch, input_size).
            state: of each layer, before the step.
            dropout_masks: of this step, for a training that goes step by step; None: no dropout.
        """
        dropout_masks = DropoutMasks() if dropout_masks is None else dropout_masks
        outputs, states = inputs, []
        for number, (layer, layer_state) in enumerate(zip(self.recurrent, state, strict=True)):
            recurrent_mask = dropout_masks.recurrent[number] if dropout_masks.recurrent else None
            states.append(
                layer.step(drop(outputs, dropout_masks.inputs, number), layer_state, recurrent_mask)
            )
            hidden = states[-1].hidden
            outputs = outputs + hidden if self.cell.residual and number else hidden
        return drop(outputs, dropout_masks.outputs), tuple(states)

    def draw(self, rows: Tensor, time: Tensor, training: bool, attended: int = 0) -> DropoutMasks:
        """Dropout masks for a batch.

        Args:
            rows: examples.
            time: steps.
            training: whether there are any; else they are empty.
            attended: how many of the lowest layer's inputs, the last ones, attention found. They
                are made of what a top layer said, and dropped as such.
        """
        if not training:
            return DropoutMasks()
        directions = 2 if self.bidirectional else 1
        axes = (rows,) if self.cell.variational else (rows, time)
        input_rate, output_rate, recurrent_rate = self._rates
        lowest = [(self.input_size - attended, input_rate), (attended, output_rate)]
        if not attended or input_rate == output_rate:
            lowest = [(self.input_size, input_rate)]
        inputs = [lowest, *[[(self.output_size, input_rate)]] * (self.num_layers - 1)]
        return DropoutMasks(
            self._masks(axes, inputs),
            self._masks(axes, [[(self.output_size, output_rate)]]),
            self._masks((rows,), [[(self.units, recurrent_rate)]] * self.num_layers * directions),
        )

    def _masks(self, axes: tuple, sizes: list) -> tuple:
        """A mask for each of `sizes`, a list of parts (size, rate); none if all rates are 0."""
        if not any(rate for parts in sizes for _, rate in parts):
            return ()

        def draw(size: int, rate: float) -> Tensor:
            return draw_mask((*axes, size), rate, self.seed, self.compute_dtype)

        return tuple(ops.concatenate([draw(*part) for part in parts], axis=-1) for parts in sizes)

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
