"""A stack of recurrent layers: the part that encoder and decoder share."""

from typing import Any, NamedTuple

import keras
from keras import ops, tree

from seq2seq.layers.backend import draw_mask
from seq2seq.layers.base import Layer
from seq2seq.layers.cell import Cell
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.recurrent import State, unroll, unroll_states
from seq2seq.layers.structure import map_tensors
from seq2seq.runtime.validation import check_count, check_flag

States = tuple  # one state per layer
MAX_LAYERS = 100  # building more takes minutes; published models have less than a fifth of them


class DropoutMasks(NamedTuple):
    """Dropout masks for a batch: 0 where dropped, else 1 / (1 - rate); None without dropout.

    Attributes:
        inputs: inputs of each layer, (batch, features), one mask for all steps, or
            (batch, time, features).
        outputs: outputs of the top layer, (batch, units) or (batch, time, units).
        recurrent: hidden state of each layer before its gates, (batch, units); of a bidirectional
            stack two a layer, the forward direction first.
    """

    inputs: tuple[Tensor, ...] | None = None
    outputs: Tensor | None = None
    recurrent: tuple[Tensor, ...] | None = None

    def per_step(self) -> "DropoutMasks":
        """Masks that differ from step to step, (batch, time, size)."""
        return DropoutMasks(*(masks if _is_per_step(masks) else None for masks in self))

    def select(self, step_masks: "DropoutMasks") -> "DropoutMasks":
        """Masks of one step, (batch, size); `step_masks` is that step of `per_step`."""
        pairs = zip(self, step_masks, strict=True)
        return DropoutMasks(*(masks if step is None else step for masks, step in pairs))


def _is_per_step(masks: Any) -> bool:
    return masks is not None and len(tree.flatten(masks)[0].shape) == 3


class LayerTrace(NamedTuple):
    """States and gates of a layer, in one direction, over a sequence.

    Attributes:
        states: after each step, (batch, time, units) each.
        gates: of each step, the same shape; None of a simple RNN.
    """

    states: State
    gates: Any


def apply_dropout(values: Tensor, mask: Tensor | None) -> Tensor:
    """`values` (batch, [time,] size) times a mask (batch, [time,] size), if there is one."""
    if mask is None:
        return values
    return values * (mask if len(values.shape) == len(mask.shape) else ops.expand_dims(mask, 1))


def reverse(sequence: Tensor, mask: Tensor | None) -> Tensor:
    """Reverse the real steps of `sequence` (batch, time, size); padding stays on the right.

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
    """Stacked recurrent layers; each reads the outputs of the layer below.

    A bidirectional stack has a forward and a backward layer at each level; their outputs and final
    states are concatenated, the forward direction first (Schuster and Paliwal 1997).

    Args:
        input_size: features of the inputs.
        units: size of the hidden state of every layer, in each direction.
        layers: number of layers.
        cell: a `Cell`, or its kind; None: a plain LSTM.
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
        self.num_layers = check_count("layers", layers, maximum=MAX_LAYERS)
        self.bidirectional = check_flag("bidirectional", bidirectional)
        self.cell = Cell.of(cell)
        if self.cell.residual and self.num_layers == 1:
            raise ValueError("cell.residual=true needs at least 2 layers, got layers=1")
        self.seed = keras.random.SeedGenerator() if any(self._rates) else None
        self.recurrent, self.backward = [], []

    @property
    def _rates(self) -> tuple[float, float, float]:
        """Dropout rates of inputs, of the outputs of the top layer, and of hidden states."""
        cell = self.cell
        output_rate = cell.dropout if cell.output_dropout is None else cell.output_dropout
        return cell.dropout, output_rate, cell.recurrent_dropout

    @property
    def output_size(self) -> int:
        """Features of the outputs."""
        return self.units * (2 if self.bidirectional else 1)

    @property
    def state_sizes(self) -> States:
        """Structure of the state, with sizes in place of tensors: one state per layer."""
        return tuple(self.cell.state_sizes(self.output_size) for _ in range(self.num_layers))

    def build(self, input_shape=None):
        """Create the weights; the sizes are known from the constructor."""
        size, dtype = self.input_size, self.dtype_policy
        for number in range(self.num_layers):
            layer = self.cell.build_layer(self.units, size, f"layer_{number}", dtype)
            self.recurrent.append(layer)
            if self.bidirectional:
                layer = self.cell.build_layer(self.units, size, f"backward_{number}", dtype)
                self.backward.append(layer)
            size = self.output_size
        self.freeze_weights()

    def call(
        self,
        inputs: Tensor,
        state: States | None = None,
        mask: Tensor | None = None,
        dropout_masks: DropoutMasks | None = None,
    ) -> tuple[Tensor, States]:
        """Run a whole sequence.

        Args:
            inputs: (batch, time, input_size).
            state: initial state of each layer; None: zeros, the only choice of a bidirectional
                stack.
            mask: (batch, time) bool, True for real steps, padding on the right; handed to every
                layer, since Keras's layers do not pass masks on.
            dropout_masks: from `draw_dropout_masks`; None: no dropout.

        Returns:
            Outputs of the top layer (batch, time, output_size), and the state of each layer after
            its last real step (of the backward direction, after its first).
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        masks = DropoutMasks() if dropout_masks is None else dropout_masks
        sequence, states = inputs, []
        for number in range(self.num_layers):
            layer_inputs = apply_dropout(sequence, masks.inputs and masks.inputs[number])
            initial_state = None if state is None else state[number]
            run = self._run_both_directions if self.bidirectional else self._run_forward
            outputs, final_state = run(number, layer_inputs, initial_state, mask, masks.recurrent)
            sequence = outputs + sequence if self.cell.residual and number else outputs
            states.append(final_state)
        return apply_dropout(sequence, masks.outputs), tuple(states)

    def _run_forward(
        self, number: int, inputs: Tensor, initial_state, mask, recurrent_masks
    ) -> tuple[Tensor, State]:
        recurrent_mask = recurrent_masks and recurrent_masks[number]
        return self._run_direction(
            self.recurrent[number], inputs, initial_state, mask, recurrent_mask
        )

    def _run_both_directions(
        self, number: int, inputs: Tensor, initial_state, mask, recurrent_masks
    ) -> tuple[Tensor, State]:
        forward_mask = backward_mask = None
        if recurrent_masks is not None:
            forward_mask, backward_mask = recurrent_masks[2 * number : 2 * number + 2]
        outputs, state = self._run_direction(
            self.recurrent[number], inputs, None, mask, forward_mask
        )
        backward_outputs, backward_state = self._run_direction(
            self.backward[number], reverse(inputs, mask), None, mask, backward_mask
        )
        # (batch, units) of each direction to (batch, 2 * units), field by field
        joined = [
            ops.concatenate(pair, axis=-1) for pair in zip(state, backward_state, strict=True)
        ]
        outputs = ops.concatenate([outputs, reverse(backward_outputs, mask)], axis=-1)
        return outputs, type(state)(*joined)

    def _run_direction(
        self, layer, inputs, initial_state, mask, recurrent_mask: Tensor | None
    ) -> tuple[Tensor, State]:
        if recurrent_mask is None:
            keras_state = None if initial_state is None else list(initial_state)
            outputs, *final_state = layer(inputs, initial_state=keras_state, mask=mask)
            return outputs, type(self.cell.state_sizes(self.units))(*final_state)
        if initial_state is None:
            initial_state = self._zeros(inputs)

        def step(inputs, state):
            return layer.step(inputs, state, recurrent_mask)

        return unroll(step, inputs, initial_state, mask)

    def trace(
        self, inputs: Tensor, state: States | None = None, mask: Tensor | None = None
    ) -> list[LayerTrace]:
        """Record the states and gates of every step of `call`, without dropout.

        Args:
            inputs, state, mask: see `call`.

        Returns:
            One trace per layer, from the lowest; of a bidirectional stack two, the forward
            direction first. Both are in the order of `inputs`; masked steps repeat the state
            before them.
        """
        if mask is not None:
            mask = ops.cast(mask, "bool")
        sequence, traces = inputs, []
        for number, layer in enumerate(self.recurrent):
            directions = [self._trace(layer, sequence, state and state[number], mask)]
            if self.bidirectional:
                backward_layer, reversed_sequence = self.backward[number], reverse(sequence, mask)
                backward_trace = self._trace(backward_layer, reversed_sequence, None, mask)
                directions.append(map_tensors(lambda array: reverse(array, mask), backward_trace))
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
        sizes = self.cell.state_sizes(self.units)
        return type(sizes)(
            *[ops.zeros((ops.shape(inputs)[0], self.units), inputs.dtype)] * len(sizes)
        )

    def step(
        self, inputs: Tensor, state: States, dropout_masks: DropoutMasks | None = None
    ) -> tuple[Tensor, States]:
        """Compute one step: outputs (batch, units) of the top layer, and the new states.

        Args:
            inputs: (batch, input_size).
            state: of each layer, before the step.
            dropout_masks: masks of this step; None: no dropout.
        """
        masks = DropoutMasks() if dropout_masks is None else dropout_masks
        outputs, states = inputs, []
        for number, (layer, layer_state) in enumerate(zip(self.recurrent, state, strict=True)):
            layer_inputs = apply_dropout(outputs, masks.inputs and masks.inputs[number])
            layer_state = layer.step(
                layer_inputs, layer_state, masks.recurrent and masks.recurrent[number]
            )
            hidden = layer_state.hidden
            outputs = outputs + hidden if self.cell.residual and number else hidden
            states.append(layer_state)
        return apply_dropout(outputs, masks.outputs), tuple(states)

    def draw_dropout_masks(
        self, batch: Tensor, time: Tensor, training: bool, attention_size: int = 0
    ) -> DropoutMasks:
        """Draw dropout masks for a batch.

        Args:
            batch: number of examples.
            time: number of steps.
            training: whether there is dropout at all.
            attention_size: number of trailing input features of the lowest layer that come from
                attention; they are made of outputs of a top layer, so the output rate applies.
        """
        if not training:
            return DropoutMasks()
        directions = 2 if self.bidirectional else 1
        axes = (batch,) if self.cell.variational else (batch, time)
        input_rate, output_rate, recurrent_rate = self._rates
        lowest = [(self.input_size - attention_size, input_rate), (attention_size, output_rate)]
        if not attention_size or input_rate == output_rate:
            lowest = [(self.input_size, input_rate)]
        inputs = [lowest, *[[(self.output_size, input_rate)]] * (self.num_layers - 1)]
        input_masks = self._draw(axes, inputs)
        output_masks = self._draw(axes, [[(self.output_size, output_rate)]])
        recurrent_sizes = [[(self.units, recurrent_rate)]] * self.num_layers * directions
        return DropoutMasks(
            input_masks, output_masks and output_masks[0], self._draw((batch,), recurrent_sizes)
        )

    def _draw(self, axes: tuple, sizes: list) -> tuple[Tensor, ...] | None:
        """Draw a mask for each of `sizes`, a list of (size, rate); None if all rates are 0."""
        if not any(rate for parts in sizes for _, rate in parts):
            return None

        def draw(size: int, rate: float) -> Tensor:
            return draw_mask((*axes, size), rate, self.seed, self.compute_dtype)

        return tuple(ops.concatenate([draw(*part) for part in parts], axis=-1) for parts in sizes)

    def get_config(self) -> dict:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "input_size": self.input_size,
            "units": self.units,
            "layers": self.num_layers,
            "cell": self.cell.to_config(),
            "bidirectional": self.bidirectional,
        }
