"""The trainer: plans, stops, and what it leaves behind."""

import csv
import json
import shutil
import signal

import keras
import numpy as np
import pytest

import seq2seq
from seq2seq.config import build_model, build_optimizer, build_task, compose
from seq2seq.evaluation.evaluate import evaluate
from seq2seq.inference.decoding_options import Decoding
from seq2seq.runs.directory import RunDirectory
from seq2seq.training.arguments import Training
from seq2seq.training.loop import LossIsNaN, TrainingCounters, check_loss
from seq2seq.training.losses import PerExample
from seq2seq.training.signals import Interrupted
from seq2seq.training.trainer import Trainer, check_start, longest_lengths, make_loss
from tests.conftest import slow_except
from tests.training.tiny_run import TINY, run

pytestmark = pytest.mark.usefixtures("empty_directory")


def model_of(*overrides):
    config = compose([*TINY, *overrides])
    return build_model(config, build_task(config))


@pytest.mark.parametrize(
    "overrides, arguments, message",
    [
        (["model=pointer"], {"label_smoothing": 0.1}, "a pointer's symbols differ by source"),
        (
            ["attention=additive", "attention.coverage=true"],
            {"normalization": "examples"},
            "training.normalization=examples: the loss of attention.coverage is divided by tokens",
        ),
    ],
)
def test_losses_that_make_no_sense_are_refused(overrides, arguments, message):
    model = model_of(*overrides)
    make_loss(model, Training())
    with pytest.raises(ValueError, match=message):
        make_loss(model, Training(**arguments))


def test_the_loss_has_the_requested_normalization():
    model = model_of()
    assert isinstance(make_loss(model, Training(normalization="examples")), PerExample)
    assert not isinstance(make_loss(model, Training()), PerExample)


class Focal(keras.losses.Loss):
    """Focal loss (Lin et al. 2017); with gamma 0 it is the cross-entropy."""

    def __init__(self, gamma, reduction="mean_with_sample_weight"):
        super().__init__(reduction=reduction)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        tokens = keras.ops.cast(y_true, "int32")[..., None]
        log_probs = keras.ops.log_softmax(y_pred)
        log_prob = keras.ops.take_along_axis(log_probs, tokens, axis=-1)[..., 0]
        return -((1 - keras.ops.exp(log_prob)) ** self.gamma) * log_prob


@pytest.mark.parametrize("normalization", ["tokens", "examples"])
def test_a_custom_loss_takes_the_place_of_cross_entropy(normalization):
    model = model_of()
    logits = np.random.default_rng(0).normal(size=(2, 3, 9)).astype("float32")
    targets, weights = np.array([[5, 6, 2], [7, 2, 0]]), np.array([[1, 1, 1], [1, 1, 0.0]])
    values = [
        float(make_loss(model, Training(loss=loss, normalization=normalization))(*batch))
        for loss in (None, Focal(0.0), Focal(2.0))
        for batch in [(targets, logits, weights)]
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-5) and values[2] < values[0]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"loss": "mse"}, "training.loss must be a keras.losses.Loss, got 'mse'"),
        ({"loss": Focal(1.0, "sum")}, "Focal has reduction='sum', by which padding changes"),
        ({"loss": Focal(1.0, "sum_over_batch_size")}, "by which padding changes the mean"),
        ({"loss": Focal(1.0), "label_smoothing": 0.1}, "the loss is your own; set it to 0"),
    ],
)
def test_a_custom_loss_that_does_not_fit_is_refused(arguments, message):
    model = model_of()
    with pytest.raises(ValueError, match=message):
        make_loss(model, Training(**arguments))
    with pytest.raises(ValueError, match="unknown training.normalization 'token'; did you mean"):
        Training(normalization="token")


def test_initial_weights_have_the_requested_distribution():
    for initialization, minimum, maximum in (("keras", 0, 0.1), ("pytorch", 0.5, 2)):
        plan = Training(steps=1, batch_size=8, initialization=initialization)
        shutil.rmtree("run", ignore_errors=True)
        run(training=plan)
        embeddings = seq2seq.load("run").model.encoder.input_embedding.embedding.embeddings
        assert minimum < np.std(embeddings) < maximum


def test_a_forget_bias_is_not_drawn_over():
    model = model_of("cell.forget_bias=1")
    check_start(model, Training())
    with pytest.raises(ValueError, match="cell.forget_bias=1: training.initialization=pytorch"):
        check_start(model, Training(initialization="pytorch"))


@pytest.mark.slow
def test_the_oracle_length_is_used_in_the_test_alone(monkeypatch):
    monkeypatch.setattr("seq2seq.data.Copy.oracle_length", True)
    test = run().summary["test"]
    predictor = seq2seq.load("run")
    again = evaluate(predictor, build_task(compose(TINY)).examples("test"), "tokens", None, True)
    assert test == again.metrics() and "oracle_exact_match" in test
    assert all("oracle_exact_match" in row for row in test["by_length"].values())
    assert predictor.settings["oracle_length"] is True
    with open("run/history.csv") as file:
        assert not any("oracle" in name for name in next(csv.reader(file)))


def test_a_run_leaves_everything_behind():
    outcome = run(training=Training(steps=7, steps_per_epoch=3, batch_size=8))
    assert outcome.error is None
    with open("run/history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [3, 6, 7]  # also the part of an epoch
    assert all(0 <= float(row["val_exact_match"]) <= 1 for row in rows)
    summary = json.load(open("run/summary.json"))
    assert summary == outcome.summary
    assert (summary["task"], summary["model"], summary["seed"]) == ("copy", "lstm", 0)
    assert summary["train"]["steps"] == 7 and summary["train"]["examples"] == 56
    assert summary["train"]["stopped"] == "finished"
    assert summary["test"]["count"] == 5
    best = [row for row in rows if int(row["epoch"]) == summary["validation"]["epoch"]][0]
    best_score = max(float(row["val_exact_match"]) for row in rows)
    assert summary["validation"]["exact_match"] == float(best["val_exact_match"]) == best_score
    assert summary["validation"]["step"] == int(best["step"])
    assert {"exact_match", "token_accuracy", "edit_distance", "by_length"} <= set(summary["test"])
    assert summary["parameters"] == seq2seq.load("run").model.count_params()


def test_the_summary_is_of_free_running_predictions_of_the_saved_model():
    outcome = run()
    predictor = seq2seq.load("run")
    predictions = predictor.predict([example.source for example in outcome.evaluation.examples])
    assert predictions == outcome.evaluation.predictions
    right = [s == e.target for s, e in zip(predictions, outcome.evaluation.examples, strict=True)]
    assert outcome.summary["test"]["exact_match"] == pytest.approx(np.mean(right))


@pytest.mark.slow
def test_few_updates_are_noted_at_the_start_and_the_end_is_explained(capsys):
    outcome = run(training=Training(epochs=2, steps_per_epoch=2, batch_size=8))
    lines = capsys.readouterr().err.splitlines()
    assert lines[1].startswith("note: 4 updates in all (2 an epoch): hardly a model learns from")
    assert outcome.remarks[0] == "training ended: all 4 updates are done (2 epochs)"
    assert lines[2].startswith("epoch 1 ")


def test_a_loss_that_is_not_finite_stops_with_its_step():
    check_loss(1.0, 7)
    with pytest.raises(LossIsNaN, match="at step 7; lower optimizer.learning_rate"):
        check_loss(float("nan"), 7)


def test_after_a_bad_loss_the_last_good_weights_are_kept(monkeypatch):
    monkeypatch.setattr(
        "seq2seq.training.loop.check_loss",
        lambda loss, step: check_loss(float("inf") if step == 5 else loss, step),
    )
    outcome = run()
    assert isinstance(outcome.error, LossIsNaN) and outcome.error.step == 5
    assert outcome.summary["train"]["stopped"] == "nan" and outcome.remarks == ()
    assert np.isfinite(seq2seq.load("run").predict(["ab"], n_best=1)[0][0].score)


def test_a_bad_loss_before_any_evaluation_leaves_nothing_to_test():
    with pytest.raises(LossIsNaN):
        run("optimizer.learning_rate=1e38", "optimizer.global_clipnorm=null")


def interrupt(monkeypatch, step, number=signal.SIGINT):
    """Let a signal come in the middle of a step."""
    original = TrainingCounters.count

    def interrupted(self):
        original(self)
        if self.steps == step:
            signal.raise_signal(number)

    monkeypatch.setattr(TrainingCounters, "count", interrupted)


@pytest.mark.parametrize("number", slow_except([signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]))
def test_a_signal_finishes_the_step_and_keeps_the_best_weights(monkeypatch, number):
    interrupt(monkeypatch, 5, number)
    outcome = run()
    assert isinstance(outcome.error, Interrupted) and outcome.error.number == number
    with open("run/history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    times = ("seconds", "target_tokens_per_second", "checkpoint_seconds")
    figures = outcome.summary["train"]
    assert {key: value for key, value in figures.items() if key not in times} == {
        "steps": 5,
        "examples": 40,
        "stopped": "interrupted",
    }
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_before_the_first_evaluation_keeps_what_there_is(monkeypatch):
    interrupt(monkeypatch, 1)
    assert run().summary["test"]["count"] == 5


@pytest.mark.slow
def test_a_signal_in_the_test_comes_too_late_to_stop_anything(monkeypatch):
    def interrupted(*arguments, **options):
        signal.raise_signal(signal.SIGTERM)
        return evaluate(*arguments, **options)

    monkeypatch.setattr("seq2seq.training.trainer.evaluate", interrupted)
    outcome = run()
    assert isinstance(outcome.error, Interrupted) and outcome.error.number == signal.SIGTERM
    assert json.load(open("run/summary.json"))["train"]["stopped"] == "finished"


def test_longest_lengths_count_the_end():
    config = compose(["task=addition", "task.digits=2"])
    assert longest_lengths(build_task(config)) == (6, 4)


@pytest.mark.slow
def test_real_values_are_trained_and_judged_by_their_error():
    config = compose(["task=running_mean", "model.encoder.units=8", "task.test_examples=20"])
    task = build_task(config)
    outcome = Trainer(
        task,
        build_model(config, task),
        build_optimizer(config),
        Training(steps=4, steps_per_epoch=2, batch_size=8),
        names=config["names"],
        decoding=Decoding(),
        seed=0,
    ).run(RunDirectory("run", "running_mean-lstm"))
    assert 0 < outcome.summary["test"]["mae"] <= outcome.summary["test"]["rmse"]
    assert "exact_match" not in outcome.summary["test"]


def test_same_seed_same_run():
    first = run()
    shutil.rmtree("run")
    second = run()
    assert first.evaluation.predictions == second.evaluation.predictions
    assert first.summary["test"] == second.summary["test"]
