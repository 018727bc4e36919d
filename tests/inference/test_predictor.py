"""Prediction: lines in = lines out, in order, whatever they hold."""

import json
import os
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Vocabulary,
)
from seq2seq.evaluation.evaluate import Evaluation, evaluate, format_predictions
from seq2seq.evaluation.metrics import score_all
from seq2seq.evaluation.predictions import COLUMNS, read_answers, read_examples
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.inputs import BadSource, BadTarget

SETTINGS = {
    "task": "copy",
    "model": "lstm",
    "metrics": "tokens",
    "longest_source": 4,
    "longest_target": 5,
    "target_length": None,
}
LETTERS = Vocabulary("abc")


def make(**decoding):
    size = {"vocabulary_size": len(LETTERS)}
    model = Seq2Seq(Encoder(8, 2, **size), Decoder(8, 2, **size))
    model.decoder.readout.logits.bias.assign(np.linspace(0, 1, len(LETTERS)))
    return Predictor(model, LETTERS, LETTERS, Decoding(**decoding), SETTINGS, batch_size=4)


@pytest.fixture(scope="module")
def predictor():
    return make()


def test_answers_come_in_order_and_do_not_depend_on_their_company(predictor):
    sources = ["a", "abc", "", "ccccccc", "b", "ab", "bca"] * 3
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


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"unknown": "ignore"}, "decoding.unknown 'ignore'"),
        ({"max_length": 0}, "max_length.*got 0"),
        ({"max_length": 10**9}, "at most 100000"),
    ],
)
def test_impossible_decoding_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**settings)


@pytest.mark.parametrize("target_length, counts", [(2, [2, 2, 2]), (None, [1, 3, 0])])
def test_real_values_have_the_length_the_task_says(target_length, counts):
    model = Seq2Seq(Encoder(8, features=1), Decoder(8, features=2))
    settings = {**SETTINGS, "target_length": target_length}
    predictor = Predictor(model, Numbers(), Numbers(2), Decoding(), settings)
    answers = predictor.predict(["0.5", "1 2 3", ""])
    assert [len(answer.split()) for answer in answers[:2]] == counts[:2]
    assert answers[2] == ""  # nothing was read, nothing can be said


def test_saved_and_loaded_is_the_same(tmp_path, predictor):
    predictor.save(tmp_path / "model.npz")
    loaded = seq2seq.load(tmp_path / "model.npz")
    assert (loaded.settings, loaded.decoding) == (predictor.settings, predictor.decoding)
    sources = ["abc", "a", "cab"]
    assert loaded.predict(sources) == predictor.predict(sources)
    (tmp_path / "run").mkdir()
    (tmp_path / "model.npz").rename(tmp_path / "run" / "model.npz")
    assert seq2seq.load(tmp_path / "run").predict(sources) == predictor.predict(sources)


def test_what_is_no_run_says_what_is_missing(tmp_path):
    with pytest.raises(ValueError, match="no such run"):
        seq2seq.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="model.npz is missing.*give a run directory"):
        seq2seq.load(tmp_path)
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(ValueError, match="model.npz is missing.*first evaluation"):
        seq2seq.load(tmp_path)


def test_evaluation_judges_free_running_answers(tmp_path, predictor):
    answers = predictor.predict(["a", "bb", "cc"])
    examples = [
        seq2seq.Example("a", answers[0]),
        seq2seq.Example("bb", answers[1] + "a"),
        seq2seq.Example("cc", "abc", (answers[2],)),
        seq2seq.Example('a\t"x\n', "zz"),  # unknown symbols are read as such, never right
    ]
    found = evaluate(predictor, examples, "tokens")
    assert found.predictions[:3] == answers
    assert found.verdicts()[:3] == ["right", "too_short", "right"]
    assert found.verdicts()[3] != "right"
    assert found.metrics()["exact_match"] == 0.5
    (tmp_path / "predictions.tsv").write_text(format_predictions(found), "utf-8")
    assert read_examples(tmp_path / "predictions.tsv") == examples
    kept = read_answers(tmp_path / "predictions.tsv")
    assert [answer.prediction for answer in kept] == found.predictions
    assert [answer.verdict for answer in kept] == found.verdicts()


@pytest.mark.parametrize("strategy", [None, Beam(3)])
def test_answers_of_given_lengths_are_as_if_each_were_asked_for_by_itself(strategy, eager):
    predictor = make(strategy=strategy)
    predictor.model.decoder.readout.logits.bias.assign([0, 0, 0.5, 0, 0.3, 0.2, 0.1])  # ends soon
    sources, lengths = ["a", "abc", "", "ccccccc", "b", "ab"], [3, 1, 2, 9, 0, 4]
    told = list(predictor.hypotheses(sources, lengths=lengths))
    assert [len(best[0].tokens) for best in told] == lengths
    for source, length, best in zip(sources, lengths, told, strict=True):
        if length:
            alone = replace(predictor.decoding, min_length=length, max_length=length)
            assert best[0].text == predictor.predict([source], decoding=alone)[0]


def test_the_oracles_length_forgives_wrong_ends_and_no_wrong_tokens(predictor, eager):
    said = predictor.predict(["ab"], decoding=Decoding(min_length=5, max_length=5))[0]
    wrong = said[0] + ("a" if said[1] != "a" else "b") + said[2:]
    examples = [seq2seq.Example("ab", text) for text in (said, wrong, said[:3])]
    plain = evaluate(predictor, examples, "tokens").metrics()
    told = evaluate(predictor, examples, "tokens", oracle_length=True).metrics()
    assert told["oracle_exact_match"] == 2 / 3
    assert told["oracle_per_sequence_accuracy"] == pytest.approx((1 + 4 / 5 + 1) / 3)
    assert told["by_length"]["5"]["oracle_exact_match"] == 0.5
    assert list(told)[-1] == "by_length"
    for row, other in [(plain, told), (plain["by_length"]["3"], told["by_length"]["3"])]:
        assert all(other[name] == value for name, value in row.items() if name != "by_length")
        assert {name for name in other if name not in row} == {
            "oracle_exact_match",
            "oracle_per_sequence_accuracy",
        }


def test_damaged_predictions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is missing.*--pairs"):
        read_examples(tmp_path / "predictions.tsv")
    header = "\t".join(COLUMNS) + "\n"
    for content, message in [
        ("", "is empty"),
        ("a\tb\n", "is damaged"),
        (f"{header}a\tb\n", "is damaged in line 2"),
        (f"{header}a\tb\tb\tright\t[\n", "is damaged in line 2"),
    ]:
        (tmp_path / "predictions.tsv").write_text(content)
        with pytest.raises(ValueError, match=message):
            read_examples(tmp_path / "predictions.tsv")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, TEXTS, st.lists(TEXTS), TEXTS)
def test_any_text_survives_the_predictions_file(tmp_path_factory, source, target, others, said):
    example = seq2seq.Example(source, target, tuple(others))
    judged = score_all("tokens", [said], [example.references])
    path = tmp_path_factory.mktemp("any") / "predictions.tsv"
    text = format_predictions(Evaluation("tokens", [example], [said], judged))
    path.write_text(text, "utf-8", newline="")
    assert text.count("\n") == 2
    assert read_examples(path) == [example]


def test_targets_that_do_not_fit_are_named():
    model = Seq2Seq(Encoder(8, features=1), Decoder(8, features=1))
    settings = {**SETTINGS, "target_length": 2}
    predictor = Predictor(model, Numbers(), Numbers(), Decoding(), settings)
    good = seq2seq.Example("1 2", "3 4")
    for target, message in [("1 2 3", "has 3 values.*has 2"), ("1 x", "'x' at position 2")]:
        with pytest.raises(ValueError, match=f"target of example 2: .*{message}"):
            evaluate(predictor, [good, seq2seq.Example("1", target)], "values")
    with pytest.raises(ValueError, match="nothing to evaluate"):
        evaluate(predictor, [], "values")
    with pytest.raises(ValueError, match="real values have the length that their task sets"):
        evaluate(predictor, [good], "values", oracle_length=True)


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


def test_long_sources_are_decoded_few_at_a_time(predictor, monkeypatch):
    monkeypatch.setattr("seq2seq.inference.inputs.MAX_STEPS", 64)
    sources = ["abc" * 30, "a", "ab", "abc" * 7, "b", "", "abc" * 6]
    groups = [len(group) for group in predictor._group(list(map(len, sources)))]
    assert groups == [1, 2, 3]
    assert predictor.predict(sources) == [predictor.predict([source])[0] for source in sources]


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


def test_a_model_that_asks_for_long_answers_is_named(monkeypatch, caplog):
    monkeypatch.setitem(SETTINGS, "longest_target", 50_000)
    predictor = make()
    predictor.predict(["ab"], decoding=Decoding(max_length=4))
    assert not caplog.records
    predictor._warn_about_length(
        predictor.encode_texts(["ab"], "error"), predictor.plan(Decoding())
    )
    assert "an answer may have 100,000 steps" in caplog.text and "--max-length" in caplog.text


def test_strategies_and_settings(predictor):
    beam = predictor.predict(["ab", "c"], Beam(3), n_best=3)
    assert [len(best) for best in beam] == [3, 3]
    for best in beam:
        assert sorted((one.score for one in best), reverse=True) == [one.score for one in best]
        for one in best:
            assert sum(one.token_scores) == pytest.approx(one.score, abs=1e-4)
            assert len(one.token_scores) == len(one.tokens) + one.ended
    assert predictor.predict(["ab"], Beam(3))[0] == beam[0][0].text
    drawn = predictor.predict(["ab", "c", "ab"], Sample(seed=1), n_best=4)
    assert [one.text for one in drawn[0]] == [one.text for one in drawn[2]]
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
    assert {one.text for one in predictor.predict(["a"], n_best=2, decoding=only)[0]} == {
        "cab",
        "b",
    }


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
    assert [len(one) for one in tokens] == [3, 1, 7, 3]
    np.testing.assert_allclose([one.sum() for one in tokens], together, atol=1e-6)
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
    """The model always says the unknown token, and attends to the symbols one after the other."""
    size = {"vocabulary_size": len(LETTERS)}
    model = Seq2Seq(Encoder(8, **size), Decoder(8, attention=General(), **size))
    model.decoder.readout.logits.bias.assign(np.where(np.arange(len(LETTERS)) == 3, 50.0, 0.0))
    run = Predictor(model, LETTERS, LETTERS, Decoding(unknown="copy", max_length=4), SETTINGS)
    (answer,) = run.hypotheses(["xay"], attention=True)
    pointed = answer[0].attention[:, :3].argmax(1)
    assert answer[0].tokens == ["xay"[place] for place in pointed]
    assert run.predict(["xay"]) == ["".join(answer[0].tokens)]


def test_ensembles_of_runs(predictor):
    together = seq2seq.ensemble([predictor, predictor])
    assert together.predict(["ab", "c"]) == predictor.predict(["ab", "c"])
    np.testing.assert_allclose(
        together.score(["ab"], ["b"]), predictor.score(["ab"], ["b"]), atol=1e-5
    )
    other = make()
    other.target = Vocabulary("abd")
    with pytest.raises(ValueError, match="must have one target vocabulary"):
        seq2seq.ensemble([predictor, other])


def test_settings_survive_saving():
    settings = Decoding(Beam(3, "average"), "2x+1", 1, "token", ["a"], None, 3, ["b", "c"])
    assert Decoding.from_config(json.loads(json.dumps(settings.to_config()))) == settings
    assert Decoding.from_config(Decoding().to_config()) == Decoding()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"strategy": "beam"}, "decoding.strategy must be a strategy, as Beam"),
        ({"max_length": "x2"}, 'like "1.5x" or "2x.3" of the source'),
        ({"min_length": -1}, "min_length must be a whole number of at least 0"),
        ({"banned": "abc"}, "decoding.banned must be a list of texts"),
        ({"no_repeat_ngram_size": 0}, "no_repeat_ngram_size must be"),
        ({"lexicon": []}, "decoding.lexicon is empty"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Decoding(**settings)


def test_a_wide_beam_of_a_pointer_copies_only_what_is_there():
    """Places of padding and of the end are no symbols."""
    size = {"vocabulary_size": len(LETTERS)}
    decoder = Decoder(8, attention=General(), readout="pointer", **size)
    run = Predictor(Seq2Seq(Encoder(8, **size), decoder), LETTERS, LETTERS, Decoding(), SETTINGS)
    beam = replace(run.decoding, strategy=Beam(20, n_best=20), max_length=1)
    found = run.predict(["", "xy", "abcabc"], n_best=20, decoding=beam)
    said = [{token for one in best for token in one.tokens} for best in found]
    assert said == [{"<unknown>", *"abc"}, {"<unknown>", *"abcxy"}, {"<unknown>", *"abc"}]


def test_where_there_is_no_link_to_the_newest_run_it_is_named(tmp_path):
    for age, name in enumerate(["b", "a"]):
        (tmp_path / f"copy-lstm/{name}").mkdir(parents=True)
        (tmp_path / f"copy-lstm/{name}/model.npz").touch()
        os.utime(tmp_path / f"copy-lstm/{name}/model.npz", (age, age))
    newest = re.escape(str(tmp_path / "copy-lstm/a"))
    with pytest.raises(
        ValueError, match=rf"no such run: .*latest \(the newest run there is {newest}\)"
    ):
        seq2seq.load(tmp_path / "latest")
    with pytest.raises(ValueError, match="no such run: [^(]*$"):
        seq2seq.load(tmp_path / "other")


def test_pairs_are_scored_with_those_of_their_size(predictor, monkeypatch):
    """One long target does not widen the batch of all."""
    shapes, score = [], predictor.model.score
    monkeypatch.setattr(
        predictor.model,
        "score",
        lambda inputs, target: shapes.append(target.shape) or score(inputs, target),
    )
    sources, targets = ["a"] * 8, ["ab"] * 7 + ["abc" * 40]
    found = predictor.score(sources, targets)
    assert sum(rows * steps for rows, steps in shapes) < 8 * 120
    pairs = zip(sources, targets, strict=True)
    alone = [predictor.score([source], [target])[0] for source, target in pairs]
    np.testing.assert_allclose(found, alone, rtol=1e-5)
