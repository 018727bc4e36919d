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

from seq2seq.layers.backend import pull_back, unroll
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
    said, hidden, cell = _sequence(loops, (inputs, *state, *weights), mask)
    return said, LSTMState(hidden, cell)


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
    given = (inputs, hidden, kernel, recurrent_kernel, *ops.unstack(bias, 2))
    loops = Loops(_gru_forwards, _gru_backwards, _gru_forwards, _gru_backwards)
    return _sequence(loops, given, mask)


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


def _sequence(loops: Loops, given: tuple, mask: Tensor | None) -> tuple:
    """Hidden states (batch, time, units) and the last state's parts, differentiable by `given`.

    The first derivatives are derived by hand. They are differentiable themselves: whoever asks for
    second derivatives (a gradient penalty, a Hessian) has them by the engine, of the first ones
    computed anew.

    Args:
        loops: of the layer.
        given: tensors; inputs come first.
        mask: (batch, time) bool, or None.
    """
    real = () if mask is None else (ops.cast(ops.transpose(mask), given[0].dtype)[..., None],)

    @ops.custom_gradient
    def sequence(*tensors):
        # The gradient is ours: an eager tape must not follow what happens inside. JAX follows it
        # for second derivatives alone.
        stop = _as_it_is if keras.backend.backend() == "jax" else ops.stop_gradient
        stopped = [stop(tensor) for tensor in tensors]
        said, last, kept = loops.forwards(*stopped)
        result = ops.transpose(said, (1, 0, 2)), said[-1], *last

        def gradient(*upstream):
            upstream = _one_tuple(upstream)
            if stop is _as_it_is:
                found = loops.backwards(*stopped[:count], said, *kept, *upstream, *stopped[count:])
            else:
                found = derivative(*tensors, *upstream)
            return (*found, *(ops.zeros_like(one) for one in real))

        @ops.custom_gradient
        def derivative(*arguments):
            upstream = [stop(one) for one in arguments[len(tensors) :]]
            found = loops.backwards(*stopped[:count], said, *kept, *upstream, *stopped[count:])

            def second(*upstream):
                return pull_back(first, arguments, _one_tuple(upstream))

            return found, second

        return result, gradient

    def first(*arguments):
        """The first derivatives, from the given tensors, the mask and the results' gradients."""
        given, real = arguments[:count], arguments[count : count + len(masks)]
        upstream = arguments[count + len(masks) :]
        said, _, kept = loops.plain_forwards(*given, *real)
        return loops.plain_backwards(*given, said, *kept, *upstream, *real)

    masks, count = real, len(given)
    said, *last = sequence(*given, *real)
    if mask is not None and keras.backend.backend() != "jax":
        # Before the first real step nothing was said, as in Keras; on JAX it says the state there.
        begun = ops.cumsum(ops.cast(mask, "int32"), axis=1) > 0
        said = ops.where(begun[..., None], said, ops.zeros_like(said))
    return said, *last


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def _one_tuple(upstream: tuple) -> tuple:
    """Gradients of several results: JAX gives them as one tuple."""
    return upstream[0] if len(upstream) == 1 and isinstance(upstream[0], tuple | list) else upstream


def _forwards(inputs, hidden, cell, kernel, recurrent_kernel, bias, *real, reuse=True):
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
    (_, cell), (gates, said, cells) = unroll(advance, start, over, time_major=True, reuse=reuse)
    return said, (cell,), (gates, cells)


def _backwards(
    inputs,
    hidden,
    cell,
    kernel,
    recurrent_kernel,
    bias,
    said,
    gates,
    cells,
    d_said,
    d_hidden,
    d_cell,
    *real,
    reuse=True,
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
        retreat, start, over, time_major=True, reverse=True, reuse=reuse
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


def _gru_forwards(inputs, hidden, kernel, recurrent_kernel, bias, recurrent_bias, *real):
    """Hidden states (time, batch, units); gates, and the hidden state's part of the candidate."""
    batch, time, features = ops.shape(inputs)
    units = hidden.shape[1]
    flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (time * batch, features))
    projected = ops.reshape(ops.matmul(flat, kernel), (time, batch, 3 * units))

    def advance(state, now):
        (hidden,), x = state, now[0] + bias
        h = ops.matmul(hidden, recurrent_kernel) + recurrent_bias
        both = ops.sigmoid(x[:, : 2 * units] + h[:, : 2 * units])
        z, r = ops.split(both, 2, axis=-1)
        inner = h[:, 2 * units :]
        g = ops.tanh(x[:, 2 * units :] + r * inner)
        new_hidden = z * hidden + (1 - z) * g
        if real:
            new_hidden = ops.where(now[1] > 0, new_hidden, hidden)
        return (new_hidden,), (both, g, inner, new_hidden)

    over = (projected, *real)
    _, (both, g, inner, said) = unroll(advance, (hidden,), over, time_major=True)
    return said, (), (both, g, inner)


def _gru_backwards(
    inputs,
    hidden,
    kernel,
    recurrent_kernel,
    bias,
    recurrent_bias,
    said,
    both,
    g,
    inner,
    d_said,
    d_hidden,
    *real,
):
    """Gradients of inputs, hidden, kernel, recurrent kernel and both biases."""
    batch, time, features = ops.shape(inputs)
    units = hidden.shape[1]
    transposed = ops.transpose(recurrent_kernel)
    before = ops.concatenate([hidden[None], said[:-1]])
    z, r = ops.split(both, 2, axis=-1)
    of_g = (1 - z) * (1 - g * g)
    of_z, of_r = (before - g) * z * (1 - z), of_g * inner * r * (1 - r)
    x_slopes = ops.concatenate([of_z, of_r, of_g], axis=-1)
    h_slopes = ops.concatenate([of_z, of_r, of_g * r], axis=-1)
    if real:
        here = real[0]  # (time, batch, 1); a masked step hands on what it was given
        x_slopes, h_slopes = x_slopes * here, h_slopes * here
        z = ops.where(here > 0, z, ops.ones_like(z))

    def retreat(state, now):
        slopes, z, d_now = now
        d_hidden = state[0] + d_now
        d_gates = slopes * ops.concatenate([d_hidden] * 3, axis=-1)
        return (ops.matmul(d_gates, transposed) + d_hidden * z,), d_hidden

    over = (h_slopes, z, ops.transpose(d_said, (1, 0, 2)))
    (d_first,), d_all = unroll(retreat, (d_hidden,), over, time_major=True, reverse=True)
    d_all = ops.concatenate([d_all] * 3, axis=-1)
    d_x = ops.reshape(x_slopes * d_all, (time * batch, 3 * units))
    d_h = ops.reshape(h_slopes * d_all, (time * batch, 3 * units))
    flat = ops.reshape(ops.transpose(inputs, (1, 0, 2)), (time * batch, features))
    before = ops.reshape(before, (time * batch, units))
    d_inputs = ops.reshape(ops.matmul(d_x, ops.transpose(kernel)), (time, batch, features))
    return (
        ops.transpose(d_inputs, (1, 0, 2)),
        d_first,
        ops.matmul(ops.transpose(flat), d_x),
        ops.matmul(ops.transpose(before), d_h),
        ops.sum(d_x, axis=0),
        ops.sum(d_h, axis=0),
    )
