"""LSTM and GRU over a whole sequence: equal to their steps, with gradients derived by hand.

Everything that does not depend on the previous step is one batched product outside the loop: the
contribution of the inputs to all gates, and the gradients of kernels and inputs. The forward loop
stores the gates; the backward loop carries the gradients of the state only. Tests prove them equal
to `lstm_step` and `gru_step`, to Keras's layers and to Keras's gradients.
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
    """Run an LSTM over a sequence; masked steps leave the state as it is.

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
        _lstm_forward,
        _lstm_backward,
        partial(_lstm_forward, reuse=False),
        partial(_lstm_backward, reuse=False),
    )
    outputs, hidden, cell = _sequence(loops, (inputs, *state, *weights), mask)
    return outputs, LSTMState(hidden, cell)


def gru_sequence(
    inputs: Tensor,
    hidden: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run a GRU (`reset_after=True`) over a sequence; masked steps leave the state as it is.

    Args:
        inputs: (batch, time, features).
        hidden: before the first step, (batch, units).
        weights: kernel (features, 3 * units), recurrent kernel (units, 3 * units) and bias
            (2, 3 * units), of the inputs and of the hidden state, gates in Keras's order z, r, g.
        mask: (batch, time) bool, True for real steps; None: all are.

    Returns:
        The hidden state after each step, (batch, time, units), and the last hidden state.
    """
    kernel, recurrent_kernel, bias = weights
    operands = (inputs, hidden, kernel, recurrent_kernel, *ops.unstack(bias, 2))
    loops = Loops(_gru_forward, _gru_backward, _gru_forward, _gru_backward)
    return _sequence(loops, operands, mask)


class Loops(NamedTuple):
    """Forward and backward pass of a layer over a whole sequence.

    Attributes:
        forward: `forward(*operands, *mask)`, to the hidden states (time, batch, units), a tuple of
            the rest of the last state, and a tuple of residuals for `backward`.
        backward: `backward(*operands, outputs, *residuals, *upstream, *mask)`, to the gradients
            of the operands.
        plain_forward, plain_backward: the same in operations that the engine can differentiate.
    """

    forward: Callable
    backward: Callable
    plain_forward: Callable
    plain_backward: Callable


def _sequence(loops: Loops, operands: tuple, mask: Tensor | None) -> tuple:
    """Hidden states (batch, time, units) and the parts of the last state, differentiable.

    First derivatives are derived by hand. Second derivatives (a gradient penalty, a Hessian) are
    the engine's, of the first ones computed anew.

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
        # The gradient is ours: an eager tape must not record the operations inside. JAX records
        # them for second derivatives only.
        stop = _identity if keras.backend.backend() == "jax" else ops.stop_gradient
        stopped = [stop(tensor) for tensor in tensors]
        outputs, last, residuals = loops.forward(*stopped)
        # (time, batch, units) to (batch, time, units)
        result = ops.transpose(outputs, (1, 0, 2)), outputs[-1], *last

        def first_derivatives(upstream):
            return loops.backward(
                *stopped[:count], outputs, *residuals, *upstream, *stopped[count:]
            )

        def gradient(*upstream):
            upstream = _unwrap(upstream)
            if stop is _identity:
                gradients = first_derivatives(upstream)
            else:
                gradients = derivative(*tensors, *upstream)
            return (*gradients, *(ops.zeros_like(tensor) for tensor in masks))

        @ops.custom_gradient
        def derivative(*arguments):
            gradients = first_derivatives([stop(tensor) for tensor in arguments[len(tensors) :]])

            def second_derivatives(*upstream):
                return pull_back(recompute, arguments, _unwrap(upstream))

            return gradients, second_derivatives

        return result, gradient

    def recompute(*arguments):
        """First derivatives, from the operands, the mask and the gradients of the results."""
        operands, mask = arguments[:count], arguments[count : count + len(masks)]
        upstream = arguments[count + len(masks) :]
        outputs, _, residuals = loops.plain_forward(*operands, *mask)
        return loops.plain_backward(*operands, outputs, *residuals, *upstream, *mask)

    outputs, *last = sequence(*operands, *masks)
    if mask is not None and keras.backend.backend() != "jax":
        # Before the first real step the output is zero, as in Keras; on JAX it is the state there.
        has_begun = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
        outputs = ops.where(has_begun[..., None], outputs, ops.zeros_like(outputs))
    return outputs, *last


def _identity(tensor: Tensor) -> Tensor:
    return tensor


def _unwrap(upstream: tuple) -> tuple:
    """Gradients of several results, which JAX passes as one tuple."""
    return upstream[0] if len(upstream) == 1 and isinstance(upstream[0], tuple | list) else upstream


def _lstm_forward(inputs, hidden, cell, kernel, recurrent_kernel, bias, *mask, reuse=True):
    """Hidden states (time, batch, units) and the last cell state; gates and cells of all steps.

    All gates share one sigmoid: tanh(x) = 2 sigmoid(2x) - 1, so the columns of the candidate are
    doubled before the loop. Its sigmoid is what is stored.
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


def _lstm_backward(
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

    The factor of each gate's gradient is computed for all steps before the loop; the loop carries
    the gradients of hidden and cell state only.
    """
    batch, time, features = ops.shape(inputs)
    units = hidden.shape[1]
    transposed = ops.transpose(recurrent_kernel)  # once: the product with it is the loop's work
    previous_cells = ops.concatenate([cell[None], cells[:-1]])
    i, f, g, o = ops.split(gates, 4, axis=-1)  # each (time, batch, units)
    g, tanh_cells = 2 * g - 1, ops.tanh(cells)
    d_gate_factors = (
        g * i * (1 - i),
        previous_cells * f * (1 - f),
        i * (1 - g * g),
        tanh_cells * o * (1 - o),
    )
    d_gate_factors = ops.concatenate(d_gate_factors, axis=-1)  # (time, batch, 4 * units)
    d_cell_factors = o * (1 - tanh_cells * tanh_cells)
    if mask:
        is_real = mask[0]  # (time, batch, 1)
        d_gate_factors, d_cell_factors, f = (
            d_gate_factors * is_real,
            d_cell_factors * is_real,
            ops.where(is_real > 0, f, ops.ones_like(f)),
        )

    def backward_step(state, step_inputs):
        d_hidden, d_cell = state
        d_gate_factors, d_cell_factors, f, d_output, *is_real = step_inputs
        d_hidden = d_hidden + d_output
        d_cell = d_cell + d_hidden * d_cell_factors
        d_gates = d_gate_factors * ops.concatenate([d_cell, d_cell, d_cell, d_hidden], axis=-1)
        d_previous = ops.matmul(d_gates, transposed)
        if is_real:  # a masked step passes the gradient of its state on
            d_previous = d_previous + d_hidden * (1 - is_real[0])
        return (d_previous, d_cell * f), d_gates

    xs = (d_gate_factors, d_cell_factors, f, ops.transpose(d_outputs, (1, 0, 2)), *mask)
    start = (d_hidden, d_cell)
    (d_hidden, d_cell), d_gates = scan(
        backward_step, start, xs, time_major=True, reverse=True, reuse=reuse
    )
    # Kernels: one product over all steps, with time and batch as one axis.
    d_gates = ops.reshape(d_gates, (time * batch, 4 * units))
    flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (time * batch, features))
    previous = ops.reshape(ops.concatenate([hidden[None], outputs[:-1]]), (time * batch, units))
    d_inputs = ops.reshape(ops.matmul(d_gates, ops.transpose(kernel)), (time, batch, features))
    return (
        ops.transpose(d_inputs, (1, 0, 2)),
        d_hidden,
        d_cell,
        ops.matmul(ops.transpose(flat), d_gates),
        ops.matmul(ops.transpose(previous), d_gates),
        ops.sum(d_gates, axis=0),
    )


def _gru_forward(inputs, hidden, kernel, recurrent_kernel, bias, recurrent_bias, *mask):
    """Hidden states (time, batch, units); gates, and the recurrent term of the candidate."""
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


def _gru_backward(
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
    d_g = (1 - z) * (1 - g * g)
    d_z, d_r = (previous - g) * z * (1 - z), d_g * inner * r * (1 - r)
    x_factors = ops.concatenate([d_z, d_r, d_g], axis=-1)  # (time, batch, 3 * units)
    h_factors = ops.concatenate([d_z, d_r, d_g * r], axis=-1)
    if mask:
        is_real = mask[0]  # (time, batch, 1); a masked step passes the gradient of its state on
        x_factors, h_factors = x_factors * is_real, h_factors * is_real
        z = ops.where(is_real > 0, z, ops.ones_like(z))

    def backward_step(state, step_inputs):
        factors, z, d_output = step_inputs
        d_hidden = state[0] + d_output
        d_gates = factors * ops.concatenate([d_hidden] * 3, axis=-1)
        return (ops.matmul(d_gates, transposed) + d_hidden * z,), d_hidden

    xs = (h_factors, z, ops.transpose(d_outputs, (1, 0, 2)))
    (d_first,), d_all = scan(backward_step, (d_hidden,), xs, time_major=True, reverse=True)
    # Kernels: one product over all steps, with time and batch as one axis.
    d_all = ops.concatenate([d_all] * 3, axis=-1)
    d_x = ops.reshape(x_factors * d_all, (time * batch, 3 * units))
    d_h = ops.reshape(h_factors * d_all, (time * batch, 3 * units))
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
