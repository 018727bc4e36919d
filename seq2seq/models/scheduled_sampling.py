"""Steps of a decoder in turn, with inputs from the target or from its own predictions.

Scheduled sampling (Bengio et al. 2015): a step reads the true previous token or the predicted one,
as a mask chooses. No gradient flows through the choice.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from seq2seq.layers.backend import scan
from seq2seq.layers.lstm import Tensor
from seq2seq.layers.stack import DropoutMasks
from seq2seq.layers.structure import broadcast_mask, select
from seq2seq.models.encoder import Memory


def unroll(
    decoder: Any,
    tokens: Tensor,
    state: Any,
    memory: Memory,
    collect: Callable,
    mask: Tensor | None,
    teacher_forcing_mask: Tensor | None,
    dropout_masks: DropoutMasks,
) -> tuple[Any, Any]:
    """Run `decoder.step` over a target.

    Args:
        decoder: a `Decoder`.
        tokens, state, memory, mask, teacher_forcing_mask: see `Decoder.call`; masks are bool.
        collect: `collect(inputs, output)` of a step, to the tensors that are returned of all.
        dropout_masks: of the whole target.

    Returns:
        The final state, and the collected tensors with a time axis, (batch, time, ...).
    """
    sequences = {
        "tokens": tokens,
        "mask": mask,
        "teacher_forcing_mask": teacher_forcing_mask,
        "dropout_masks": dropout_masks.per_step(),
    }

    def advance(carry, step):
        state, predicted = carry
        inputs = step["tokens"]
        if teacher_forcing_mask is not None:
            is_forced = broadcast_mask(step["teacher_forcing_mask"], inputs)
            inputs = ops.where(is_forced, inputs, predicted)
            inputs = ops.stop_gradient(inputs) if decoder.features else inputs
        output = decoder.step(inputs, state, memory, dropout_masks.select(step["dropout_masks"]))
        next_state = output.state if mask is None else select(step["mask"], output.state, state)
        predicted = output.logits if decoder.features else ops.argmax(output.logits, axis=-1)
        return (next_state, ops.cast(predicted, inputs.dtype)), collect(inputs, output)

    (state, _), collected = scan(advance, (state, tokens[:, 0]), sequences)
    return state, collected


def sample_inputs(
    decoder: Any,
    tokens: Tensor,
    state: Any,
    memory: Memory,
    teacher_forcing_mask: Tensor,
    dropout_masks: DropoutMasks,
) -> Tensor:
    """Inputs of every step, `tokens` or predictions, of the shape of `tokens`; see `unroll`."""
    _, inputs = unroll(
        decoder,
        tokens,
        state,
        memory,
        lambda inputs, output: inputs,
        None,
        teacher_forcing_mask,
        dropout_masks,
    )
    return ops.stop_gradient(inputs) if decoder.features else inputs
