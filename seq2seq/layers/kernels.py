"""LSTM and GRU over a whole sequence: equal to their steps, with gradients derived by hand.

What need not wait for the step before is one large product before or after the loop: the inputs'
part of all gates, and the gradients of kernels and inputs. The loop itself keeps the gates; the
loop back carries the gradients of the state only. Tests prove them equal to `lstm_step` and
`gru_step`, to Keras's layers and to Keras's gradients.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from seq2seq.layers.backend import pull_back, scan
from seq2seq.layers.lstm import LSTMState, Tensor


def lstm_sequence(
    inputs: Tensor,
    state: LSTMState,
    weights: tuple[Tensor, Tensor, Tensor],
    mask: Tensor | None = None,
) -> tuple[Tensor, LSTMState]:
    """All steps of an LSTM; masked steps change nothing.

    Args:
        inputs: (batch, time, features).
        state: before the first step, (batch, units) each.
        weights: kernel (features, 4 * units), recurrent kernel (units, 4 * units) and bias
            (4 * units,), gates in Keras's order i, f, g, o.
        mask: (batch, time) bool, True for real steps; None: all are.

    Returns:
        The hidden state after each step, (batch, time, units), and the last state.
    """
    loops = Loops(
        _forwards, _backwards, partial(_forwards, reuse=False), partial(_backwards, reuse=False)
    )
    outputs, hidden, cell = _sequence(loops, (inputs, *state, *weights), mask)
    return outputs, LSTMState(hidden, cell)


def gru_sequence(
    inputs: Tensor,
    hidden: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """All steps of a GRU with the reset after the product; masked steps change nothing.

    Args:
        inputs: (batch, time, features).
        hidden: before the first step, (batch, units).
        weights: kernel (features, 3 * units), recurrent kernel (units, 3 * units) and bias
            (2, 3 * units), of the inputs and of the hidden state, gates in Keras's order z, r, g.
        mask: (batch, time) bool, True for real steps; None: all are.

    Returns:
        The hidden state after each step, (batch, time, units), and the last one.
    """
    kernel, recurrent_kernel, bias = weights
    operands = (inputs, hidden, kernel, recurrent_kernel, *ops.unstack(bias, 2))
    loops = Loops(_gru_forwards, _gru_backwards, _gru_forwards, _gru_backwards)
    return _sequence(loops, operands, mask)


class Loops(NamedTuple):
    """The computation of a layer over a whole sequence.

    Attributes:
        forwards: of the given tensors and the mask, to the hidden states (time, batch, units), the
            other parts of the last state as a tuple, and a tuple of what `backwards` needs.
        backwards: of the given tensors, the hidden states, what was kept, the gradients of all
            results and the mask, to the gradients of the given tensors.
        plain_forwards, plain_backwards: the same, in operations that the engine can differentiate.
    """

    forwards: Callable
    backwards: Callable
    plain_forwards: Callable
    plain_backwards: Callable


def _sequence(loops: Loops, operands: tuple, mask: Tensor | None) -> tuple:
    """Hidden states (batch, time, units) and the last state's parts, differentiable by `operands`.

    The first derivatives are derived by hand. They are differentiable themselves: whoever asks for
    second derivatives (a gradient penalty, a Hessian) has them by the engine, of the first ones
    computed anew.

    Args:
        loops: of the layer.
        operands: tensors; inputs come first.
        mask: (batch, time) bool, or None.
    """
    count = len(operands)
    # (time, batch, 1), as the loops read it
    masks = () if mask is None else (ops.cast(ops.transpose(mask), operands[0].dtype)[..., None],)

    @ops.custom_gradient
    def sequence(*tensors):
        # The gradient is ours: an eager tape must not follow what happens inside. JAX follows it
        # for second derivatives alone.
        stop = _as_it_is if keras.backend.backend() == "jax" else ops.stop_gradient
        stopped = [stop(tensor) for tensor in tensors]
        outputs, last, residuals = loops.forwards(*stopped)
        result = ops.transpose(outputs, (1, 0, 2)), outputs[-1], *last

        def first_derivatives(upstream):
            return loops.backwards(
                *stopped[:count], outputs, *residuals, *upstream, *stopped[count:]
            )

        def gradient(*upstream):
            upstream = _one_tuple(upstream)
            if stop is _as_it_is:
                gradients = first_derivatives(upstream)
            else:
                gradients = derivative(*tensors, *upstream)
            return (*gradients, *(ops.zeros_like(tensor) for tensor in masks))

        @ops.custom_gradient
        def derivative(*arguments):
            gradients = first_derivatives([stop(tensor) for tensor in arguments[len(tensors) :]])

            def second_derivatives(*upstream):
                return pull_back(recompute, arguments, _one_tuple(upstream))

            return gradients, second_derivatives

        return result, gradient

    def recompute(*arguments):
        """The first derivatives, from the operands, the mask and the results' gradients."""
        operands, masked = arguments[:count], arguments[count : count + len(masks)]
        upstream = arguments[count + len(masks) :]
        outputs, _, residuals = loops.plain_forwards(*operands, *masked)
        return loops.plain_backwards(*operands, outputs, *residuals, *upstream, *masked)

    outputs, *last = sequence(*operands, *masks)
    if mask is not None and keras.backend.backend() != "jax":
        # Before the first real step the output is zero, as in Keras; on JAX it is the state there.
        has_begun = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
        outputs = ops.where(has_begun[..., None], outputs, ops.zeros_like(outputs))
    return outputs, *last


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _one_tuple(upstream: tuple) -> tuple:
    """Gradients of several results: JAX gives them as one tuple."""
    return upstream[0] if len(upstream) == 1 and isinstance(upstream[0], tuple | list) else upstream


def _forwards(inputs, hidden, cell, kernel, recurrent_kernel, bias, *mask, reuse=True):
    """Hidden states (time, batch, units) and the last cell; gates and cells of all steps.

    All gates go through one sigmoid: tanh(x) = 2 sigmoid(2x) - 1, so the candidate's columns are
    doubled before the loop. What is kept of it is its sigmoid.
    """
    batch, time, features = ops.shape(inputs)
    units = hidden.shape[1]
    doubled = ops.convert_to_tensor(np.repeat([1, 1, 2, 1], units), kernel.dtype)
    flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (time * batch, features))
    projected = ops.reshape(ops.matmul(flat, kernel * doubled), (time, batch, 4 * units))
    recurrent_kernel, bias = recurrent_kernel * doubled, bias * doubled

    def forward_step(state, step_inputs):
        hidden, cell = state
        gates = ops.sigmoid(step_inputs[0] + ops.matmul(hidden, recurrent_kernel) + bias)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        new_cell = f * cell + i * (2 * g - 1)
        new_hidden = o * ops.tanh(new_cell)
        if mask:
            is_real = step_inputs[1] > 0  # (batch, 1)
            new_hidden = ops.where(is_real, new_hidden, hidden)
            new_cell = ops.where(is_real, new_cell, cell)
        return (new_hidden, new_cell), (gates, new_hidden, new_cell)

    start, xs = (hidden, cell), (projected, *mask)
    (_, cell), (gates, outputs, cells) = scan(forward_step, start, xs, time_major=True, reuse=reuse)
    return outputs, (cell,), (gates, cells)


def _backwards(
    inputs,
    hidden,
    cell,
    kernel,
    recurrent_kernel,
    bias,
    outputs,
    gates,
    cells,
    d_outputs,
    d_hidden,
    d_cell,
    *mask,
    reuse=True,
):
    """Gradients of inputs, hidden, cell, kernel, recurrent kernel and bias.

    What each gate's gradient is multiplied by is made for all steps before the loop; the loop
    carries the gradients of hidden state and cell only.
    """
    batch, time, features = ops.shape(inputs)
    units = hidden.shape[1]
    transposed = ops.transpose(recurrent_kernel)  # once: the product with it is the loop's work
    previous_cells = ops.concatenate([cell[None], cells[:-1]])
    i, f, g, o = ops.split(gates, 4, axis=-1)
    g, tanh_cells = 2 * g - 1, ops.tanh(cells)
    gate_slopes = (
        g * i * (1 - i),
        previous_cells * f * (1 - f),
        i * (1 - g * g),
        tanh_cells * o * (1 - o),
    )
    gate_slopes = ops.concatenate(gate_slopes, axis=-1)
    cell_slopes = o * (1 - tanh_cells * tanh_cells)
    if mask:
        is_real = mask[0]  # (time, batch, 1)
        gate_slopes, cell_slopes, f = (
            gate_slopes * is_real,
            cell_slopes * is_real,
            ops.where(is_real > 0, f, ops.ones_like(f)),
        )

    def backward_step(state, step_inputs):
        d_hidden, d_cell = state
        gate_slopes, cell_slopes, f, d_output, *is_real = step_inputs
        d_hidden = d_hidden + d_output
        d_cell = d_cell + d_hidden * cell_slopes
        d_gates = gate_slopes * ops.concatenate([d_cell, d_cell, d_cell, d_hidden], axis=-1)
        d_previous = ops.matmul(d_gates, transposed)
        if is_real:  # a masked step hands on what it was given
            d_previous = d_previous + d_hidden * (1 - is_real[0])
        return (d_previous, d_cell * f), d_gates

    xs = (gate_slopes, cell_slopes, f, ops.transpose(d_outputs, (1, 0, 2)), *mask)
    start = (d_hidden, d_cell)
    (d_hidden, d_cell), d_gates = scan(
        backward_step, start, xs, time_major=True, reverse=True, reuse=reuse
    )
    d_gates = ops.reshape(d_gates, (time * batch, 4 * units))
    flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (time * batch, features))
    hidden_before = ops.reshape(
        ops.concatenate([hidden[None], outputs[:-1]]), (time * batch, units)
    )
    d_inputs = ops.reshape(ops.matmul(d_gates, ops.transpose(kernel)), (time, batch, features))
    return (
        ops.transpose(d_inputs, (1, 0, 2)),
        d_hidden,
        d_cell,
        ops.matmul(ops.transpose(flat), d_gates),
        ops.matmul(ops.transpose(hidden_before), d_gates),
        ops.sum(d_gates, axis=0),
    )


def _gru_forwards(inputs, hidden, kernel, recurrent_kernel, bias, recurrent_bias, *mask):
    """Hidden states (time, batch, units); gates, and the hidden state's part of the candidate."""
    batch, time, features = ops.shape(inputs)
    units = hidden.shape[1]
    flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (time * batch, features))
    projected = ops.reshape(ops.matmul(flat, kernel), (time, batch, 3 * units))

    def forward_step(state, step_inputs):
        (hidden,), x = state, step_inputs[0] + bias
        h = ops.matmul(hidden, recurrent_kernel) + recurrent_bias
        z_and_r = ops.sigmoid(x[:, : 2 * units] + h[:, : 2 * units])
        z, r = ops.split(z_and_r, 2, axis=-1)
        inner = h[:, 2 * units :]
        g = ops.tanh(x[:, 2 * units :] + r * inner)
        new_hidden = z * hidden + (1 - z) * g
        if mask:
            new_hidden = ops.where(step_inputs[1] > 0, new_hidden, hidden)
        return (new_hidden,), (z_and_r, g, inner, new_hidden)

    xs = (projected, *mask)
    _, (z_and_r, g, inner, outputs) = scan(forward_step, (hidden,), xs, time_major=True)
    return outputs, (), (z_and_r, g, inner)


def _gru_backwards(
    inputs,
    hidden,
    kernel,
    recurrent_kernel,
    bias,
    recurrent_bias,
    outputs,
    z_and_r,
    g,
    inner,
    d_outputs,
    d_hidden,
    *mask,
):
    """Gradients of inputs, hidden, kernel, recurrent kernel and both biases."""
    batch, time, features = ops.shape(inputs)
    units = hidden.shape[1]
    transposed = ops.transpose(recurrent_kernel)
    previous = ops.concatenate([hidden[None], outputs[:-1]])
    z, r = ops.split(z_and_r, 2, axis=-1)
    g_slopes = (1 - z) * (1 - g * g)
    z_slopes, r_slopes = (previous - g) * z * (1 - z), g_slopes * inner * r * (1 - r)
    x_slopes = ops.concatenate([z_slopes, r_slopes, g_slopes], axis=-1)
    h_slopes = ops.concatenate([z_slopes, r_slopes, g_slopes * r], axis=-1)
    if mask:
        is_real = mask[0]  # (time, batch, 1); a masked step hands on what it was given
        x_slopes, h_slopes = x_slopes * is_real, h_slopes * is_real
        z = ops.where(is_real > 0, z, ops.ones_like(z))

    def backward_step(state, step_inputs):
        slopes, z, d_output = step_inputs
        d_hidden = state[0] + d_output
        d_gates = slopes * ops.concatenate([d_hidden] * 3, axis=-1)
        return (ops.matmul(d_gates, transposed) + d_hidden * z,), d_hidden

    xs = (h_slopes, z, ops.transpose(d_outputs, (1, 0, 2)))
    (d_first,), d_all = scan(backward_step, (d_hidden,), xs, time_major=True, reverse=True)
    d_all = ops.concatenate([d_all] * 3, axis=-1)
    d_x = ops.reshape(x_slopes * d_all, (time * batch, 3 * units))
    d_h = ops.reshape(h_slopes * d_all, (time * batch, 3 * units))
    flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (time * batch, features))
    previous = ops.reshape(previous, (time * batch, units))
    d_inputs = ops.reshape(ops.matmul(d_x, ops.transpose(kernel)), (time, batch, features))
    return (
        ops.transpose(d_inputs, (1, 0, 2)),
        d_first,
        ops.matmul(ops.transpose(flat), d_x),
        ops.matmul(ops.transpose(previous), d_h),
        ops.sum(d_x, axis=0),
        ops.sum(d_h, axis=0),
    )
