"""Scheduled sampling: a step reads the target or the prediction, as the mask chooses."""

import numpy as np
import pytest

from seq2seq.layers import (
    Additive,
    Cell,
)
from tests.conftest import slow_except
from tests.models.decoders import KINDS, make


@pytest.mark.parametrize(
    "kind",
    slow_except(
        [KINDS[name] for name in ("plain", "coverage", "general, fed, pointer")], KINDS.values()
    ),
    ids=KINDS,
)
def test_masks_of_one_value_are_teacher_forcing_and_free_running(kind):
    """Forced throughout it is teacher forcing; never forced, it reads its own predictions."""
    decoder, start, memory, target = make(**kind)
    forced = decoder(target, start, memory, teacher_forcing_mask=np.ones((2, 4), "bool"))
    np.testing.assert_allclose(forced.logits, decoder(target, start, memory).logits, atol=1e-5)
    free = decoder(target, start, memory, teacher_forcing_mask=np.zeros((2, 4), "bool"))
    state, read = start, target[:, 0]
    for time in range(4):
        output = decoder.step(read, state, memory)
        np.testing.assert_allclose(output.logits, free.logits[:, time], atol=1e-5)
        state, read = output.state, output.logits
        if decoder.features is None:
            read = np.argmax(read, axis=-1).astype("int32")


def test_the_mask_chooses_for_each_example_and_step():
    decoder, start, memory, target = make(attention=Additive)
    forced = np.array([[True, False, True, True], [True, True, True, False]])
    mixed = decoder(target, start, memory, teacher_forcing_mask=forced)
    predicted = np.argmax(mixed.logits, axis=-1)
    read = np.where(forced, target, np.pad(predicted, ((0, 0), (1, 0)))[:, :-1]).astype("int32")
    assert (read != target).any()
    np.testing.assert_allclose(decoder(read, start, memory).logits, mixed.logits, atol=1e-5)


@pytest.mark.parametrize("variational", [True, False])
def test_predictions_read_as_inputs_give_the_same_logits_under_dropout(variational, monkeypatch):
    decoder, start, memory, target = make(cell=Cell(dropout=0.5, variational=variational))
    masks = decoder.stack.draw_dropout_masks(*target.shape, training=True)
    monkeypatch.setattr(decoder.stack, "draw_dropout_masks", lambda *_: masks)
    forced = np.zeros(target.shape, bool)
    free = decoder(target, start, memory, teacher_forcing_mask=forced, training=True)
    predicted = np.argmax(free.logits, axis=-1)
    read = np.concatenate([target[:, :1], predicted[:, :-1]], axis=1).astype("int32")
    again = decoder(read, start, memory, training=True)
    np.testing.assert_allclose(free.logits, again.logits, atol=1e-5)
