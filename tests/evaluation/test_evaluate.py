"""Evaluation: free-running answers, the oracle's length, and targets that do not fit."""

import pytest

import seq2seq
from seq2seq import (
    Decoder,
    Encoder,
    Example,
    Numbers,
    Predictor,
    Seq2Seq,
)
from seq2seq.evaluation.evaluate import evaluate, format_predictions
from seq2seq.evaluation.predictions import read_answers, read_examples
from seq2seq.inference.decoding_options import Decoding
from tests.inference.small_predictor import SETTINGS


def test_evaluation_judges_free_running_answers(tmp_path, predictor):
    answers = predictor.predict(["a", "bb", "cc"])
    examples = [
        seq2seq.Example("a", answers[0]),
        seq2seq.Example("bb", answers[1] + "a"),
        seq2seq.Example("cc", "abc", (answers[2],)),
        seq2seq.Example('a\t"x\n', "zz"),  # unknown symbols are read as such, never right
    ]
    evaluation = evaluate(predictor, examples, "tokens")
    assert evaluation.predictions[:3] == answers
    assert evaluation.verdicts()[:3] == ["right", "too_short", "right"]
    assert evaluation.verdicts()[3] != "right"
    assert evaluation.metrics()["exact_match"] == 0.5
    (tmp_path / "predictions.tsv").write_text(format_predictions(evaluation), "utf-8")
    assert read_examples(tmp_path / "predictions.tsv") == examples
    stored = read_answers(tmp_path / "predictions.tsv")
    assert [answer.prediction for answer in stored] == evaluation.predictions
    assert [answer.verdict for answer in stored] == evaluation.verdicts()


@pytest.mark.slow
def test_the_oracles_length_forgives_wrong_ends_and_no_wrong_tokens(predictor, eager):
    predicted = predictor.predict(["ab"], decoding=Decoding(min_length=5, max_length=5))[0]
    wrong = predicted[0] + ("a" if predicted[1] != "a" else "b") + predicted[2:]
    examples = [seq2seq.Example("ab", text) for text in (predicted, wrong, predicted[:3])]
    plain = evaluate(predictor, examples, "tokens").metrics()
    with_oracle = evaluate(predictor, examples, "tokens", oracle_length=True).metrics()
    assert with_oracle["oracle_exact_match"] == 2 / 3
    assert with_oracle["oracle_per_sequence_accuracy"] == pytest.approx((1 + 4 / 5 + 1) / 3)
    assert with_oracle["by_length"]["5"]["oracle_exact_match"] == 0.5
    assert list(with_oracle)[-1] == "by_length"
    for row, with_more in [
        (plain, with_oracle),
        (plain["by_length"]["3"], with_oracle["by_length"]["3"]),
    ]:
        assert all(with_more[name] == value for name, value in row.items() if name != "by_length")
        assert {name for name in with_more if name not in row} == {
            "oracle_exact_match",
            "oracle_per_sequence_accuracy",
        }


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


def test_a_data_frame_has_the_metrics_by_length(predictor):
    pytest.importorskip("pandas")
    evaluation = evaluate(predictor, [Example("a", "a"), Example("ab", "ab")], "tokens")
    frame = evaluation.to_pandas()
    assert list(frame.index) == [1, 2] and frame["count"].sum() == 2
