"""Validation: the best model, patience, and few examples."""

import numpy as np
import pytest

import seq2seq
from seq2seq.evaluation.evaluate import evaluate
from seq2seq.training.arguments import Training
from seq2seq.training.validation import Validation
from tests.training.tiny_run import run

pytestmark = pytest.mark.usefixtures("empty_directory")


def replace_scores(monkeypatch, scores):
    """Let validations have these values of exact match."""
    remaining = iter(scores)

    class Scored:
        def metrics(self):
            return {"exact_match": next(remaining)}

    monkeypatch.setattr("seq2seq.training.validation.evaluate", lambda *a: Scored())


def test_few_are_validated_and_tested_and_counted(monkeypatch):
    validated = []
    monkeypatch.setattr(
        "seq2seq.training.validation.evaluate",
        lambda predictor, examples, family: (
            validated.append(examples) or evaluate(predictor, examples, family)
        ),
    )
    outcome = run(training=Training(steps=1, batch_size=8, max_eval_examples=2))
    assert outcome.summary["test"]["count"] == len(outcome.evaluation.examples) == 2
    assert [len(examples) for examples in validated] == [2]


def test_the_best_weights_are_kept_not_the_last(monkeypatch):
    saved = []
    replace_scores(monkeypatch, [0.1, 0.9, 0.9, 0.5])
    save = seq2seq.Predictor.save
    monkeypatch.setattr(
        "seq2seq.inference.predictor.Predictor.save",
        lambda self, path: (saved.append(int(self.model.optimizer.iterations)), save(self, path)),
    )
    run(training=Training(epochs=4, steps_per_epoch=2, batch_size=8))
    assert saved == [2, 4, 6]


@pytest.mark.slow
def test_patience_waits_and_stops(monkeypatch):
    replace_scores(monkeypatch, [0.5, 0.6, 0.4, 0.3, 0.2, 0.1])
    outcome = run(training=Training(epochs=6, steps_per_epoch=1, batch_size=8, patience=2))
    assert outcome.summary["train"]["steps"] == 4
    assert outcome.summary["train"]["stopped"] == "early"


def test_patience_begins_when_the_metric_has_moved(monkeypatch):
    """Before, exact match is 0 however much is learned."""
    replace_scores(monkeypatch, [0.0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.1, 0.1])
    outcome = run(training=Training(epochs=8, steps_per_epoch=1, batch_size=8, patience=2))
    assert outcome.summary["train"]["steps"] == 7
    assert outcome.summary["train"]["stopped"] == "early"
    assert outcome.remarks[0] == (
        "training stopped early, after 7 of 8 updates: validation exact match has not improved "
        "for 2 epochs, since epoch 5 (training.patience=2; null: never stop early)"
    )


def test_without_validation_the_last_weights_are_kept(monkeypatch):
    models = []
    original = Validation.run
    monkeypatch.setattr(
        Validation,
        "run",
        lambda self, model, *arguments: models.append(model) or original(self, model, *arguments),
    )
    assert run("task.validation_examples=0").summary["validation"] is None
    loaded = seq2seq.load("run").model
    for weight, last in zip(loaded.weights, models[0].weights, strict=True):
        np.testing.assert_array_equal(weight, last)
