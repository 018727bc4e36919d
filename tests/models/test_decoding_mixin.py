"""Every strategy over real models: invariants of all kinds of decoders."""

import keras
import numpy as np
import pytest

from seq2seq import (
    Beam,
    Decoder,
    Encoder,
    Greedy,
    Length,
    Regression,
    Sample,
    Seq2Seq,
)
from seq2seq.decoding.search import ARGMAX
from tests.conftest import slow_except
from tests.models.small_models import SOURCE, decode, make

pytestmark = pytest.mark.usefixtures("eager")
KINDS = ("plain", "bidirectional", "attention", "pointer")


@pytest.fixture(params=slow_except(("pointer",), KINDS))
def model(request):
    return make(request.param)


@pytest.mark.parametrize(
    "strategy",
    [Greedy(), Beam(3, length_penalty=1.0, n_best=2), Sample(seed=3, num_samples=2)],
    ids=str,
)
def test_split_padded_reordered(model, strategy):
    together = decode(*model, strategy)
    order = [2, 0, 3, 1]
    for reordered in (decode(*model, strategy, order), decode(*model, strategy, order, width=3)):
        for field, same in zip(together[:5], reordered[:5], strict=True):
            np.testing.assert_allclose(np.array(field)[order], same, atol=1e-4)
    alone = decode(*model, strategy, [1])
    for field, same in zip(together[:5], alone[:5], strict=True):
        np.testing.assert_allclose(field[1], same[0], atol=1e-4)


def test_a_beam_of_one_is_greedy(model):
    greedy, beam = (decode(*model, strategy) for strategy in (Greedy(), Beam(1)))
    for field, same in zip(greedy[:5], beam[:5], strict=True):
        np.testing.assert_allclose(field, same, atol=1e-5)


def test_scores_of_hypotheses_are_those_of_given_targets(model):
    """Scores of a search equal those of the pass over full sequences, per token."""
    model, inputs = model
    rules = [Length(np.zeros(4), np.full(4, 5))]  # so that all of them end
    result = decode(model, inputs, Beam(4, n_best=4), constraints=rules)
    assert result.ended.all()
    for rank in range(4):
        tokens, lengths = result.tokens[:, rank], result.lengths[:, rank]
        target = tokens.copy()
        target[np.arange(4), lengths] = model.end_id
        read = np.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=model.start_id)
        scores = model.score({**inputs, "target": read}, target)
        mask = np.arange(7) <= lengths[:, None]
        np.testing.assert_allclose(
            np.where(mask, scores, 0), result.token_scores[:, rank], atol=1e-4
        )
        np.testing.assert_allclose((scores * mask).sum(1), result.scores[:, rank], atol=1e-3)


def test_continuing_from_a_state_equals_the_rest(model):
    """Two steps by hand, then the search from there: the same as in one go."""
    model, inputs = model
    full = decode(model, inputs, None)
    state, memory = model.start(inputs)
    tokens = np.full(4, model.start_id, "int32")
    for time in range(2):
        output = model.log_prob_step(tokens, state, memory)
        state, tokens = output.state, np.array(output.logits).argmax(-1).astype("int32")
        np.testing.assert_array_equal(
            tokens[full.lengths[:, 0] > time], full.tokens[full.lengths[:, 0] > time, 0, time]
        )
    suffix = model.continue_decoding(tokens, state, memory, max_length=5)
    longer = full.lengths[:, 0] > 2
    np.testing.assert_array_equal(suffix.tokens[longer], full.tokens[longer, :, 2:])


def test_attention_comes_with_hypotheses():
    model, inputs = make("attention")
    result = decode(model, inputs, Beam(3, n_best=2), attention=True)
    assert result.attention.shape == (4, 2, 7, 5)
    steps = result.lengths + result.ended
    sums = result.attention.sum(-1)
    np.testing.assert_allclose(sums, np.arange(7) < steps[..., None], atol=1e-5)
    assert (result.attention[1, :, :, 3:] == 0).all()  # padding
    with pytest.raises(ValueError, match="no attention weights"):
        decode(*make("plain"), Greedy(), attention=True)
    with pytest.raises(ValueError, match="no attention weights"):
        decode(*make("plain"), Beam(coverage_penalty=0.2))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "pointer"])
def test_compiled_searches_serve_all_shapes(kind):
    """One graph for other batches and paddings, and the same answers."""
    model, inputs = make(kind)
    together = decode(model, inputs, Beam(2))
    for rows, width in (([1, 0], 0), ([2, 1, 0], 3), ([3], 5)):
        result = decode(model, inputs, Beam(2), rows, width)
        for field, same in zip(together[:5], result[:5], strict=True):
            np.testing.assert_allclose(np.array(field)[rows], same, atol=1e-4)


@pytest.mark.slow
def test_many_calls_of_one_compiled_shape_are_the_same_as_the_first():
    """After many calls another compiler takes over; the outputs are the same."""
    model, inputs = make("attention")
    first = decode(model, inputs, Beam(3, n_best=2))
    for _ in range(55):
        last = decode(model, inputs, Beam(3, n_best=2))
    for field, same in zip(first[:5], last[:5], strict=True):
        np.testing.assert_allclose(field, same, atol=1e-4)


def test_strategies_of_tokens_and_of_values_are_distinguished():
    model = Seq2Seq(Encoder(4, features=2), Decoder(4, features=2))
    source = np.zeros((1, 3, 2), "float32")
    assert model.decode(source, max_length=3).tokens.shape == (1, 1, 3, 2)
    with pytest.raises(
        ValueError,
        match="the strategy Beam.* does not fit this model, whose targets are real values",
    ):
        model.decode(source, strategy=Beam(), max_length=3)
    with pytest.raises(ValueError, match="no probability"):
        model.score({"source": source, "target": source}, source)
    with pytest.raises(ValueError, match="the strategy Regression.* targets are tokens"):
        decode(*make("plain"), Regression(2))


@pytest.mark.parametrize(
    "strategy",
    slow_except(
        [Greedy(), Beam(3, n_best=2)],
        [Greedy(), Beam(3, n_best=2), Beam(2, coverage_penalty=0.2), Sample(seed=3)],
    ),
    ids=str,
)
@pytest.mark.parametrize("kind", slow_except(["pointer"], ["attention", "pointer"]))
def test_the_most_attended_step_is_found_without_keeping_all_weights(kind, strategy):
    model, inputs = make(kind)
    full = decode(model, inputs, strategy, attention=True)
    short = decode(model, inputs, strategy, attention="argmax", width=3)
    np.testing.assert_array_equal(full.tokens, short.tokens)
    before_end = np.arange(5) < (SOURCE > 0).sum(1)[:, None] - 1
    expected = np.where(before_end[:, None, None], full.attention, -1.0).argmax(-1)
    actual = short.attention
    if strategy.needs_weights:  # they are there anyway
        actual = np.where(before_end[:, None, None], actual[..., :5], -1.0).argmax(-1)
    generated = np.arange(7) < (full.lengths + full.ended)[..., None]
    np.testing.assert_array_equal(np.where(generated, actual, 0), np.where(generated, expected, 0))


@pytest.mark.slow
@pytest.mark.parametrize("kind", slow_except(["int64"], ["int64", "int16", "int32"]))
def test_samples_do_not_depend_on_how_numbers_are_kept(kind):
    model, inputs = make("attention")
    expected = decode(model, inputs, Sample(seed=5, num_samples=3)).tokens
    converted = {**inputs, "source": SOURCE.astype(kind)}
    np.testing.assert_array_equal(
        decode(model, converted, Sample(seed=5, num_samples=3)).tokens, expected
    )


@pytest.mark.parametrize(
    "strategy",
    slow_except([Greedy()], [Greedy(), Beam(3, n_best=2), Sample(num_samples=2)]),
    ids=str,
)
@pytest.mark.parametrize("attention", slow_except([True], [True, ARGMAX]))
def test_an_empty_batch_has_no_hypotheses(strategy, attention):
    model, inputs = make("attention")
    empty = decode(model, inputs, strategy, rows=slice(0, 0), attention=attention)
    full = decode(model, inputs, strategy, attention=attention)
    for empty_array, array in zip(empty, full, strict=True):
        assert empty_array.shape == (0, *array.shape[1:]) and empty_array.dtype == array.dtype
    with pytest.raises(ValueError, match="the sources have no step"):
        model.decode(np.zeros((2, 0), "int32"), max_length=3)


@pytest.mark.parametrize("floatx", slow_except(["float64"], ["float64", "float16"]))
@pytest.mark.parametrize(
    "strategy", slow_except([Greedy()], [Greedy(), Beam(2, n_best=2), Sample(seed=1)]), ids=str
)
def test_another_floatx_changes_no_answer(strategy, floatx):
    """The model is of float32, as loaded ones are; what the search makes itself names its type."""
    model, inputs = make("attention")
    rules = (Length(np.full(4, 2, "int32"), np.full(4, 5, "int32")),)
    expected = decode(model, inputs, strategy, constraints=rules).tokens
    original_floatx = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        actual = decode(model, inputs, strategy, constraints=rules).tokens
    finally:
        keras.config.set_floatx(original_floatx)
    np.testing.assert_array_equal(actual, expected)
