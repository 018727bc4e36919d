"""Prediction: lines in = lines out, in order, whatever they hold."""

import re
from dataclasses import replace

import numpy as np
import pytest

import seq2seq
from seq2seq import (
    Beam,
    Decoder,
    Encoder,
    General,
    Greedy,
    Hypothesis,
    Numbers,
    Predictor,
    Sample,
    Seq2Seq,
)
from seq2seq.evaluation.evaluate import evaluate
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.inputs import BadSource, BadTarget
from tests.conftest import slow_except
from tests.inference.small_predictor import LETTERS, SETTINGS, make

pytestmark = pytest.mark.usefixtures("eager")


def test_answers_come_in_order_and_do_not_depend_on_their_company(predictor):
    sources = ["a", "abc", "", "ccccccc", "b", "ab"]
    together = predictor.predict(sources)
    assert len(together) == len(sources)
    assert together == [predictor.predict([source])[0] for source in sources]


def test_hypotheses_have_text_tokens_and_score(predictor):
    (best,) = predictor.predict(["ab"], n_best=1)
    assert len(best) == 1
    assert best[0].text == "".join(best[0].tokens) and best[0].score < 0
    with pytest.raises(ValueError, match="n_best=2 is more than this strategy returns: 1"):
        predictor.predict(["ab"], Greedy(), n_best=2)


def test_unknown_symbols_follow_the_policy(predictor):
    with pytest.raises(ValueError, match="source 2: symbol 'x' at position 3 was never seen"):
        predictor.predict(["ab", "abx"])
    assert len(predictor.predict(["ab", "abx"], unknown="token")) == 2
    assert len(make(unknown="token").predict(["xyz"])) == 1


def test_one_text_instead_of_a_list_is_an_error(predictor):
    with pytest.raises(ValueError, match="list of texts, got the text 'ab'"):
        predictor.predict("ab")


def test_no_sources_no_answers(predictor):
    assert predictor.predict([]) == []


def test_a_source_longer_than_any_trained_on_works_with_a_warning(caplog):
    predictor = make()
    assert len(predictor.predict(["abc" * 10, "a"])) == 2
    assert "a source has 31 steps, the longest in training had 4" in caplog.text


def test_answers_are_cut_off_at_the_limit():
    predictor = make(max_length=3)
    predictor.model.decoder.readout.logits.bias.assign(np.eye(len(LETTERS))[5] * 100)
    assert predictor.predict(["a"]) == ["bbb"]


@pytest.mark.parametrize("target_length, counts", [(2, [2, 2, 2]), (None, [1, 3, 0])])
def test_real_values_have_the_length_of_the_task(target_length, counts):
    model = Seq2Seq(Encoder(8, features=1), Decoder(8, features=2))
    settings = {**SETTINGS, "target_length": target_length}
    predictor = Predictor(model, Numbers(), Numbers(2), Decoding(), settings)
    answers = predictor.predict(["0.5", "1 2 3", ""])
    assert [len(answer.split()) for answer in answers[:2]] == counts[:2]
    assert answers[2] == ""  # an empty source has an empty prediction


@pytest.mark.parametrize("strategy", slow_except([None], [None, Beam(3)]))
def test_predictions_of_given_lengths_equal_those_of_single_requests(strategy):
    predictor = make(strategy=strategy)
    predictor.model.decoder.readout.logits.bias.assign([0, 0, 0.5, 0, 0.3, 0.2, 0.1])  # ends soon
    sources, lengths = ["a", "abc", "", "ccccccc", "b", "ab"], [3, 1, 2, 9, 0, 4]
    hypotheses = list(predictor.hypotheses(sources, lengths=lengths))
    assert [len(best[0].tokens) for best in hypotheses] == lengths
    for source, length, best in zip(sources, lengths, hypotheses, strict=True):
        if length:
            alone = replace(predictor.decoding, min_length=length, max_length=length)
            assert best[0].text == predictor.predict([source], decoding=alone)[0]


def test_tokens_to_as_many_numbers():
    size = {"vocabulary_size": len(LETTERS)}
    model = Seq2Seq(Encoder(8, **size), Decoder(8, features=1))
    predictor = Predictor(model, LETTERS, Numbers(), Decoding(), SETTINGS)
    answers = predictor.predict(["abc", "a", ""])
    assert [len(answer.split()) for answer in answers] == [3, 1, 0]


@pytest.mark.parametrize("arguments", [{"n_best": 0}, {"unknown": "foo"}])
def test_impossible_requests_are_refused(predictor, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        predictor.predict(["a"], **arguments)


def test_where_answers_may_be_long_few_are_decoded_at_a_time():
    few = make()
    settings = {**SETTINGS, "longest_target": 70_000}
    predictor = Predictor(few.model, LETTERS, LETTERS, Decoding(), settings)
    steps = [4] * 300
    assert [len(rows) for rows in predictor._group(steps)] == [256, 44]
    greedy, beam = Decoding(), Decoding(strategy=Beam(5))
    plans = [predictor.plan(d) for d in (greedy, beam, replace(beam, max_length=20))]
    rows = [len(next(predictor._group(steps, plan))) for plan in plans]
    assert rows == [2**22 // 100_000, 2**22 // 500_000, 256]


def test_a_warning_names_a_model_with_long_answers(monkeypatch, caplog):
    monkeypatch.setitem(SETTINGS, "longest_target", 50_000)
    predictor = make()
    predictor.predict(["ab"], decoding=Decoding(max_length=4))
    assert not caplog.records
    predictor._warn_about_length(
        predictor.encode_texts(["ab"], "error"), predictor.plan(Decoding())
    )
    assert "an answer may have 100,000 steps" in caplog.text and "--max-length" in caplog.text


@pytest.mark.slow
def test_strategies_and_settings(predictor):
    beam = predictor.predict(["ab", "c"], Beam(3), n_best=3)
    assert [len(best) for best in beam] == [3, 3]
    for best in beam:
        assert sorted((h.score for h in best), reverse=True) == [h.score for h in best]
        for hypothesis in best:
            assert sum(hypothesis.token_scores) == pytest.approx(hypothesis.score, abs=1e-4)
            assert len(hypothesis.token_scores) == len(hypothesis.tokens) + hypothesis.ended
    assert predictor.predict(["ab"], Beam(3))[0] == beam[0][0].text
    drawn = predictor.predict(["ab", "c", "ab"], Sample(seed=1), n_best=4)
    assert [h.text for h in drawn[0]] == [h.text for h in drawn[2]]
    settings = replace(
        predictor.decoding, banned=["a"], no_repeat_ngram_size=1, min_length="1x", max_length=3
    )
    for source, best in zip(
        ["ab", "b"], predictor.predict(["ab", "b"], n_best=1, decoding=settings), strict=True
    ):
        tokens = best[0].tokens
        assert "a" not in tokens and len(source) <= len(set(tokens)) == len(tokens) <= 3
    assert predictor.predict(["ab", "b"], prefix=["ba", ""])[0].startswith("ba")
    only = replace(predictor.decoding, lexicon=["cab", "b"], strategy=Beam(3, n_best=2))
    assert {h.text for h in predictor.predict(["a"], n_best=2, decoding=only)[0]} == {"cab", "b"}


def test_no_possible_answer_is_an_empty_one(predictor):
    none = replace(predictor.decoding, allowed=["b"], lexicon=["a"])
    (best,) = predictor.predict(["ab"], n_best=1, decoding=none)
    assert best == [Hypothesis("", [], -np.inf, [], False)]


def test_scores_of_given_targets(predictor):
    (best,) = predictor.predict(
        ["ab"], n_best=1, decoding=replace(predictor.decoding, max_length=9)
    )
    sources, targets = ["ab", "c", "abcabc", "ab"], ["ba", "", "cbacba", "ba"]
    together = predictor.score(sources, targets)
    one_by_one = [predictor.score([s], [t])[0] for s, t in zip(sources, targets, strict=True)]
    np.testing.assert_allclose(together, one_by_one, atol=1e-5)
    tokens = predictor.score(sources, targets, per_token=True)
    assert [len(scores) for scores in tokens] == [3, 1, 7, 3]
    np.testing.assert_allclose([scores.sum() for scores in tokens], together, atol=1e-6)
    if best[0].ended:
        np.testing.assert_allclose(predictor.score(["ab"], [best[0].text])[0], best[0].score, 1e-4)
    with pytest.raises(ValueError, match="symbol 'x' at position 2"):
        predictor.score(["ab"], ["bx"])
    assert np.isfinite(predictor.score(["ab"], ["bx"], unknown="token"))
    with pytest.raises(ValueError, match="unknown unknown 'skip'; there are: error, token, copy"):
        predictor.score(["ab"], ["ba"], unknown="skip")
    with pytest.raises(ValueError, match="sources must be a list of texts, got the text 'ab'"):
        predictor.score("ab", "ba")
    with pytest.raises(ValueError, match="needs a target, got 2 sources and 1 targets"):
        predictor.score(["ab", "c"], ["ba"])


@pytest.mark.parametrize("wrong", [float("nan"), None, b"ab", ["a", "b"], 3, np.float32(1)])
def test_what_is_no_text_is_named(predictor, wrong):
    reason = re.escape(f"2: expected a text, got {wrong!r}")
    for answer in (predictor.predict, predictor.encode, predictor.trace):
        with pytest.raises(BadSource, match=f"source {reason}") as caught:
            answer(["ab", wrong])
        assert caught.value.number == 2
    with pytest.raises(BadSource, match=f"source {reason}"):
        predictor.score(["ab", wrong], ["ba", "a"])
    with pytest.raises(BadTarget, match=f"target {reason}") as caught:
        predictor.score(["ab", "a"], ["ba", wrong])
    assert caught.value.number == 2
    with pytest.raises(ValueError, match=f"source {reason}"):
        predictor.decode(*predictor.encode(["ab", "a"]), sources=["ab", wrong])
    examples = [seq2seq.Example("ab", "ba"), seq2seq.Example("ab", "ba", (wrong,))]
    with pytest.raises(ValueError, match=f"target of example {reason}"):
        evaluate(predictor, examples, "tokens")
    with pytest.raises(ValueError, match=f"prefix {reason}"):
        predictor.predict(["ab", "a"], prefix=["b", wrong])


@pytest.mark.parametrize("wrong", [None, 3, b"ab", float("nan")])
def test_what_is_no_list_of_texts_is_refused(predictor, wrong):
    message = f"must be a list of texts, got the {re.escape(repr(wrong))}"
    for answer in (predictor.predict, predictor.encode, predictor.trace):
        with pytest.raises(ValueError, match=f"sources {message}"):
            answer(wrong)
    with pytest.raises(ValueError, match=f"targets {message}"):
        predictor.score(["ab"], wrong)
    if wrong is not None:
        with pytest.raises(ValueError, match=f"prefix {message}"):
            predictor.predict(["ab"], prefix=wrong)


def test_unknown_symbols_are_copied_by_attention():
    """The model always predicts the unknown token and attends to the symbols one by one."""
    size = {"vocabulary_size": len(LETTERS)}
    model = Seq2Seq(Encoder(8, **size), Decoder(8, attention=General(), **size))
    model.decoder.readout.logits.bias.assign(np.where(np.arange(len(LETTERS)) == 3, 50.0, 0.0))
    run = Predictor(model, LETTERS, LETTERS, Decoding(unknown="copy", max_length=4), SETTINGS)
    (answer,) = run.hypotheses(["xay"], attention=True)
    pointed = answer[0].attention[:, :3].argmax(1)
    assert answer[0].tokens == ["xay"[position] for position in pointed]
    assert run.predict(["xay"]) == ["".join(answer[0].tokens)]


def test_a_wide_beam_of_a_pointer_copies_only_what_is_there():
    """Positions of padding and of the end are never copied."""
    size = {"vocabulary_size": len(LETTERS)}
    decoder = Decoder(8, attention=General(), readout="pointer", **size)
    run = Predictor(Seq2Seq(Encoder(8, **size), decoder), LETTERS, LETTERS, Decoding(), SETTINGS)
    beam = replace(run.decoding, strategy=Beam(20, n_best=20), max_length=1)
    hypotheses = run.predict(["", "xy", "abcabc"], n_best=20, decoding=beam)
    symbols = [{token for hypothesis in best for token in hypothesis.tokens} for best in hypotheses]
    assert symbols == [{"<unknown>", *"abc"}, {"<unknown>", *"abcxy"}, {"<unknown>", *"abc"}]


@pytest.mark.slow
def test_pairs_are_scored_with_those_of_their_size(predictor, monkeypatch):
    """One long target does not widen the batch of all."""
    shapes, score = [], predictor.model.score
    monkeypatch.setattr(
        predictor.model,
        "score",
        lambda inputs, target: shapes.append(target.shape) or score(inputs, target),
    )
    sources, targets = ["a"] * 8, ["ab"] * 7 + ["abc" * 40]
    scores = predictor.score(sources, targets)
    assert sum(rows * steps for rows, steps in shapes) < 8 * 120
    pairs = zip(sources, targets, strict=True)
    alone = [predictor.score([source], [target])[0] for source, target in pairs]
    np.testing.assert_allclose(scores, alone, rtol=1e-5)


def test_a_notebook_shows_task_model_size_and_test(tmp_path):
    run = make()
    assert run.describe() == {
        "task": "copy",
        "model": "lstm",
        "parameters": run.model.count_params(),
    }
    run.save(tmp_path / "model.npz")
    (tmp_path / "summary.json").write_text('{"test": {"exact_match": 0.25, "by_length": {}}}')
    run = seq2seq.load(tmp_path)
    assert run.describe()["test exact_match"] == 0.25
    assert "<tr><td>test exact_match</td><td>0.2500</td></tr>" in run._repr_html_()
    assert f"<td>{tmp_path}</td>" in run._repr_html_()


def test_hypotheses_have_their_sources():
    best = make().predict(iter(["ab", "c"]), n_best=1)
    assert isinstance(best, list) and [row["source"] for row in best.rows()] == ["ab", "c"]
