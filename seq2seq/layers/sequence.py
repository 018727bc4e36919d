"""The LSTM over a whole sequence: equal to its steps, with a gradient derived by hand.

What need not wait for the step before is one large product before or after the loop: the inputs'
part of all gates, and the gradients of kernels and inputs. The loop itself keeps the gates; the
loop back carries two tensors only. A test proves it equal to `lstm_step`, to Keras's layer and to
Keras's gradients.
"""

import numpy as np
from keras import ops

from seq2seq.layers.kernels import unroll
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
    real = () if mask is None else (ops.cast(ops.transpose(mask), inputs.dtype)[..., None],)

    @ops.custom_gradient
    def sequence(inputs, hidden, cell, kernel, recurrent_kernel, bias, *real):
        # The gradient is ours: an eager tape must not follow what happens inside.
        given = [ops.stop_gradient(g) for g in (inputs, hidden, cell, kernel, recurrent_kernel)]
        said, after, *kept = _forwards(*given, ops.stop_gradient(bias), *real)
        result = ops.transpose(said, (1, 0, 2)), said[-1], after

        def gradient(*upstream):
            upstream = upstream[0] if len(upstream) == 1 else upstream  # JAX gives one tuple
            found = _backwards(*given, said, *kept, *upstream, *real)
            return (*found, *(ops.zeros_like(one) for one in real))

        return result, gradient

    said, hidden, cell = sequence(inputs, *state, *weights, *real)
    if mask is not None:  # before the first real step nothing was said, as in Keras
        begun = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
        said = ops.where(begun[..., None], said, ops.zeros_like(said))
    return said, LSTMState(hidden, cell)


def _forwards(inputs, hidden, cell, kernel, recurrent_kernel, bias, *real):
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

    def advance(state, now):
        hidden, cell = state
        gates = ops.sigmoid(now[0] + ops.matmul(hidden, recurrent_kernel) + bias)
        i, f, g, o = ops.split(gates, 4, axis=-1)
        new_cell = f * cell + i * (2 * g - 1)
        new_hidden = o * ops.tanh(new_cell)
        if real:
            here = now[1] > 0  # (batch, 1)
            new_hidden = ops.where(here, new_hidden, hidden)
            new_cell = ops.where(here, new_cell, cell)
        return (new_hidden, new_cell), (gates, new_hidden, new_cell)

    start, over = (hidden, cell), (projected, *real)
    (_, cell), (gates, said, cells) = unroll(advance, start, over, time_major=True, reuse=True)
    return said, cell, gates, cells


def _backwards(
    inputs,
    hidden,
    cell,
    kernel,
    recurrent_kernel,
    said,
    gates,
    cells,
    d_said,
    d_hidden,
    d_cell,
    *real,
):
    """Gradients of inputs, hidden, cell, kernel, recurrent kernel and bias.

    What each gate's gradient is multiplied by is made for all steps before the loop; the loop
    carries the gradients of hidden state and cell only.
    """
    batch, time, features = ops.shape(inputs)
    units = hidden.shape[1]
    transposed = ops.transpose(recurrent_kernel)  # once: the product with it is the loop's work
    before = ops.concatenate([cell[None], cells[:-1]])
    i, f, g, o = ops.split(gates, 4, axis=-1)
    g, squashed = 2 * g - 1, ops.tanh(cells)
    slopes = (
        g * i * (1 - i),
        before * f * (1 - f),
        i * (1 - g * g),
        squashed * o * (1 - o),
    )
    slopes = ops.concatenate(slopes, axis=-1)
    to_cell = o * (1 - squashed * squashed)
    if real:
        here = real[0]  # (time, batch, 1)
        slopes, to_cell, f = (
            slopes * here,
            to_cell * here,
            ops.where(here > 0, f, ops.ones_like(f)),
        )

    def retreat(state, now):
        d_hidden, d_cell = state
        slopes, to_cell, f, d_now, *here = now
        d_hidden = d_hidden + d_now
        d_cell = d_cell + d_hidden * to_cell
        d_gates = slopes * ops.concatenate([d_cell, d_cell, d_cell, d_hidden], axis=-1)
        back = ops.matmul(d_gates, transposed)
        if here:  # a masked step hands on what it was given
            back = back + d_hidden * (1 - here[0])
        return (back, d_cell * f), d_gates

    over = (slopes, to_cell, f, ops.transpose(d_said, (1, 0, 2)), *real)
    start = (d_hidden, d_cell)
    (d_hidden, d_cell), d_gates = unroll(
        retreat, start, over, time_major=True, reverse=True, reuse=True
    )
    d_gates = ops.reshape(d_gates, (time * batch, 4 * units))
    flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (time * batch, features))
    hidden_before = ops.reshape(ops.concatenate([hidden[None], said[:-1]]), (time * batch, units))
    d_inputs = ops.reshape(ops.matmul(d_gates, ops.transpose(kernel)), (time, batch, features))
    return (
        ops.transpose(d_inputs, (1, 0, 2)),
        d_hidden,
        d_cell,
        ops.matmul(ops.transpose(flat), d_gates),
        ops.matmul(ops.transpose(hidden_before), d_gates),
        ops.sum(d_gates, axis=0),
    )
