"""Recurrent layers and their weights: the equations of `seq2seq.layers`, in NumPy."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from seq2seq.runtime.file_format import align
from seq2seq.runtime.validation import check_choice

MAX_FOLDED = 2**24  # numbers in a table of tokens


class Weights:
    """Arrays of a model, or those below a path of it, as float32."""

    def __init__(self, arrays: dict[str, np.ndarray], path: str = ""):
        self.arrays, self.path = arrays, path

    def subpath(self, *names: str) -> Weights:
        """Arrays whose path continues with `names`."""
        return Weights(self.arrays, self.path + "".join(f"{name}/" for name in names))

    def get(self, name: str, *shape: int) -> np.ndarray:
        """Array of this name; a ValueError if it is missing or of another shape."""
        array = self.arrays.get(self.path + name)
        if array is None or array.shape != shape:
            problem = "is missing" if array is None else f"has shape {array.shape}"
            raise ValueError(f"the weight {self.path}{name} {problem}, {shape} is needed")
        if not np.isfinite(array).all():
            raise ValueError(f"the weight {self.path}{name} holds values that are not finite")
        return np.ascontiguousarray(array, "float32")

    def dense(self, name: str, size: int, inputs: int, bias: bool = True) -> Dense:
        """Dense layer below this path."""
        layer = self.subpath(name)
        kernel = layer.get("kernel", inputs, size)  # first: it bounds the size of the bias
        return Dense(kernel, layer.get("bias", size) if bias else np.zeros(size, "float32"))


class Dense(NamedTuple):
    """Dense layer W x + b, with `kernel` (inputs, size) and `bias` (size,)."""

    kernel: np.ndarray
    bias: np.ndarray

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Map `inputs` (..., inputs) to (..., size), by one product."""
        flat = inputs.reshape(-1, inputs.shape[-1]) @ self.kernel
        flat += self.bias
        return flat.reshape(*inputs.shape[:-1], -1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Sigmoid 1 / (1 + exp(-x)), without overflow."""
    return 0.5 * np.tanh(0.5 * x) + 0.5


def layer_norm(values: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """Layer normalization (Ba et al. 2016) over the last axis, with Keras's epsilon."""
    centered = values - values.mean(-1, keepdims=True)
    variance = np.square(centered).mean(-1, keepdims=True)
    return centered / np.sqrt(variance + 1e-3) * gamma


class Cell:
    """Simple RNN (Elman 1990), and base class of all recurrent layers.

    Gates with a sigmoid come first, and their weights are halved when they are loaded: since
    sigmoid(x) = (tanh(x / 2) + 1) / 2, one tanh then serves all gates.

    Args:
        weights: at the layer's path.
        units, inputs: sizes of the state and of the inputs.
        is_normalized: whether both terms of the gates have a layer normalization.
        embeddings: (vocabulary, size), if its inputs are tokens; None: they are vectors.
    """

    name, gates, sigmoids, fields = "simple_rnn_cell", (0,), 0, 1
    biases: tuple = ()  # axes of the bias before its last

    def __init__(self, weights: Weights, units: int, inputs: int, is_normalized: bool, embeddings):
        self.units, self.is_normalized, width = units, is_normalized, units * len(self.gates)
        cell_weights = weights.subpath(self.name)
        self.kernel = self._arrange(cell_weights.get("kernel", inputs, width), not is_normalized)
        self.recurrent = self._arrange(
            cell_weights.get("recurrent_kernel", units, width), not is_normalized
        )
        self.bias = self._arrange(cell_weights.get("bias", *self.biases, width))
        if is_normalized:
            norms = [weights.subpath(name) for name in ("inputs_norm", "hidden_norm")]
            self.norms = [self._arrange(norm.get("gamma", width)) for norm in norms]
        self.embeddings, self.table, self.has_bias = embeddings, None, False
        if embeddings is not None:
            self._fold(embeddings, inputs)

    def _arrange(self, array: np.ndarray, halve: bool = True) -> np.ndarray:
        parts = np.split(array, len(self.gates), axis=-1)
        halves = [0.5 if halve and index < self.sigmoids else 1.0 for index in range(len(parts))]
        parts = [parts[gate] * np.float32(half) for gate, half in align(self.gates, halves)]
        return np.ascontiguousarray(np.concatenate(parts, axis=-1))

    def _fold(self, embeddings: np.ndarray, inputs: int) -> None:
        """Fold embedding, kernel and bias to a table (vocabulary, gates), unless it is large."""
        if len(embeddings) * self.kernel.shape[1] > MAX_FOLDED:
            return
        self.table = embeddings @ self.kernel[: embeddings.shape[1]]
        # A normalization needs the sum over all inputs.
        self.has_bias = not self.is_normalized or inputs == embeddings.shape[1]
        if self.has_bias:
            self.table = self._add_bias(self.table)

    def _add_bias(self, gate_inputs: np.ndarray) -> np.ndarray:
        if self.is_normalized:
            gate_inputs = layer_norm(gate_inputs, self.norms[0])
        return gate_inputs + (self.bias[0] if self.biases else self.bias)

    def gate_inputs(self, inputs: np.ndarray, terms: tuple = ()) -> np.ndarray:
        """Contribution (..., gates) of `inputs` to the gates: tokens (...) or vectors (..., size).

        Args:
            inputs: tokens, if it has embeddings.
            terms: contributions of other inputs, each (batch, gates).
        """
        if self.table is not None:
            gate_inputs = self.table[inputs]
        else:
            vectors = inputs if self.embeddings is None else self.embeddings[inputs]
            *shape, size = vectors.shape
            gate_inputs = vectors.reshape(math.prod(shape), size) @ self.kernel[:size]
            gate_inputs = gate_inputs.reshape(*shape, -1)
        for term in terms:
            gate_inputs += term
        return gate_inputs if self.has_bias else self._add_bias(gate_inputs)

    def _recurrent_inputs(self, hidden: np.ndarray) -> np.ndarray:
        """Contribution of the hidden state (batch, units) to the gates."""
        gate_inputs = hidden @ self.recurrent
        return layer_norm(gate_inputs, self.norms[1]) if self.is_normalized else gate_inputs

    def step(self, gate_inputs: np.ndarray, state: tuple) -> tuple:
        """Compute the state after a step: hidden, and of an LSTM cell, each (batch, units).

        Args:
            gate_inputs: from the method of this name, (batch, gates).
            state: before the step.
        """
        gates = self._recurrent_inputs(state[0])
        gates += gate_inputs
        return (np.tanh(gates, out=gates),)


class LSTM(Cell):
    """LSTM (Hochreiter and Schmidhuber 1997, with a forget gate); see `seq2seq.layers.lstm`."""

    name, gates, sigmoids, fields = "lstm_cell", (0, 1, 3, 2), 3, 2  # stored as i, f, g, o

    def __init__(self, weights: Weights, units: int, inputs: int, is_normalized: bool, embeddings):
        super().__init__(weights, units, inputs, is_normalized, embeddings)
        if is_normalized:
            norm = weights.subpath("cell_norm")
            self.gamma, self.beta = norm.get("gamma", units), norm.get("beta", units)

    def step(self, gate_inputs: np.ndarray, state: tuple) -> tuple:
        """Compute a step; see `Cell.step`."""
        gates = self._recurrent_inputs(state[0])
        gates += gate_inputs
        np.tanh(gates, out=gates)
        units, sigmoids = self.units, gates[:, : 3 * self.units]
        sigmoids += 1.0
        sigmoids *= 0.5
        cell = gates[:, units : 2 * units] * state[1]
        cell += gates[:, :units] * gates[:, 3 * units :]
        hidden = np.tanh(layer_norm(cell, self.gamma) + self.beta if self.is_normalized else cell)
        hidden *= gates[:, 2 * units : 3 * units]
        return hidden, cell


class GRU(Cell):
    """GRU (Cho et al. 2014, with the reset after the product); see `seq2seq.layers.recurrent`."""

    name, gates, sigmoids, biases = "gru_cell", (0, 1, 2), 2, (2,)  # stored as z, r, g

    def step(self, gate_inputs: np.ndarray, state: tuple) -> tuple:
        """Compute a step; see `Cell.step`."""
        recurrent = self._recurrent_inputs(state[0])
        recurrent += self.bias[1]
        units, middle = self.units, 2 * self.units
        gates = recurrent[:, :middle]
        gates += gate_inputs[:, :middle]
        np.tanh(gates, out=gates)
        gates += 1.0
        gates *= 0.5
        candidate = np.tanh(gate_inputs[:, middle:] + gates[:, units:] * recurrent[:, middle:])
        return (candidate + gates[:, :units] * (state[0] - candidate),)


CELLS = {"lstm": LSTM, "gru": GRU, "rnn": Cell}


class Stack:
    """Stacked recurrent layers; the first reads tokens, if there are embeddings."""

    def __init__(self, weights: Weights, config: dict, inputs: int, embeddings, backward=False):
        cell, units, layers = config["cell"], config["units"], config["layers"]
        cls = CELLS[check_choice("kind of cell", cell["kind"], CELLS)]
        self.residual, self.cells, self.backward = cell["residual"], [], []
        self.output_size = units * (2 if backward else 1)
        for number in range(layers):
            for name, cells in (("layer", self.cells), ("backward", self.backward))[: 1 + backward]:
                path = weights.subpath("stack", f"{name}_{number}")
                cells.append(cls(path, units, inputs, cell["layer_norm"], embeddings))
            inputs, embeddings = self.output_size, None

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Sizes of the state of each layer."""
        return [(self.output_size,) * cell.fields for cell in self.cells]

    def step(self, gate_inputs: np.ndarray, states: tuple) -> tuple[np.ndarray, tuple]:
        """Compute a step from the gate inputs of layer 0: outputs (batch, units), and states."""
        new_states = [self.cells[0].step(gate_inputs, states[0])]
        outputs = new_states[0][0]
        for cell, state in align(self.cells[1:], states[1:]):
            new_states.append(cell.step(cell.gate_inputs(outputs), state))
            hidden = new_states[-1][0]
            outputs = outputs + hidden if self.residual else hidden
        return outputs, tuple(new_states)

    def run(self, sequence: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, tuple]:
        """Run whole sequences: outputs (time, batch, size), zeros in padding; final states.

        Args:
            sequence: tokens (time, batch) or values (time, batch, features), padded at the end.
            lengths: (batch,), the longest first, so that the rows with a step come first.
        """
        states = []
        for number, cell in enumerate(self.cells):
            outputs, state = unroll(cell, cell.gate_inputs(sequence), lengths)
            if self.backward:
                backward = self.backward[number]
                gate_inputs = reverse(backward.gate_inputs(sequence), lengths)
                backward_outputs, backward_state = unroll(backward, gate_inputs, lengths)
                outputs = np.concatenate([outputs, reverse(backward_outputs, lengths)], axis=2)
                pairs = align(state, backward_state)
                state = tuple(np.concatenate(pair, axis=1) for pair in pairs)
            sequence = outputs + sequence if self.residual and number else outputs
            states.append(state)
        return sequence, tuple(states)


def unroll(cell: Cell, gate_inputs: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, tuple]:
    """Run a layer over `gate_inputs` (time, batch, gates): hidden states, and the last state."""
    time, batch = gate_inputs.shape[:2]
    state = tuple(np.zeros((batch, cell.units), "float32") for _ in range(cell.fields))
    outputs = np.zeros((time, batch, cell.units), "float32")
    for step in range(time):
        live = np.count_nonzero(lengths > step)  # rows that have this step; the others have ended
        new_state = cell.step(gate_inputs[step, :live], tuple(part[:live] for part in state))
        for part, new in align(state, new_state):
            part[:live] = new
        outputs[step, :live] = new_state[0]
    return outputs, state


def reverse(sequence: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Reverse the real steps of `sequence` (time, batch, ...); padding stays at the end."""
    steps = np.arange(len(sequence))[:, None]
    positions = np.where(steps < lengths, lengths - 1 - steps, steps)
    return sequence[positions, np.arange(len(lengths))]
