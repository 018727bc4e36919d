"""Toy tasks are really learned: free-running decoding of held-out examples."""

import random
from pathlib import Path

import keras
import pytest

from seq2seq.config import build_task, compose
from seq2seq.training_from_config import train_from_config


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def learn(*overrides):
    keras.backend.clear_session()
    config = compose(list(overrides))
    outcome, _ = train_from_config(config, build_task(config))
    return outcome.summary["test"]


@pytest.mark.slow
def test_reversal_is_learned():
    test = learn(
        "task=reverse", "task.symbols=8", "task.max_length=5", "model.encoder.units=64",
        "task.test_examples=1000", "training.steps=600",
    )  # fmt: skip
    assert test["exact_match"] >= 0.95
    assert test["count"] == 1000


@pytest.mark.slow
def test_without_a_state_nothing_is_learned():
    """Control: the same model whose decoder starts from a zero state stays at chance level."""
    test = learn(
        "task=reverse", "task.symbols=8", "task.max_length=5", "model.encoder.units=64",
        "task.test_examples=1000", "training.steps=300", "bridge=zero",
        "model.allow_uninformed=true",
    )  # fmt: skip
    assert test["exact_match"] <= 0.05


@pytest.mark.slow
def test_a_running_mean_is_learned():
    test = learn("task=running_mean", "task.max_length=5", "training.steps=400")
    assert test["mae"] <= 0.06  # predicting 0 throughout gives 0.34


@pytest.mark.slow
def test_the_default_run_reaches_99_percent():
    assert learn()["exact_match"] >= 0.99


@pytest.mark.slow
def test_few_pairs_are_not_given_up_while_exact_match_is_still_nothing():
    """600 rows, whose validation stays at 0 in the first 13 epochs; patience is 5."""
    draw, words = random.Random(0), {}
    while len(words) < 600:
        words["".join(draw.choices("abcdefgh", k=draw.randint(6, 10)))] = None
    Path("rev.tsv").write_text("".join(f"{word}\t{word[::-1]}\n" for word in words))
    test = learn(
        "task=pairs", "task.train=rev.tsv", "model=lstm", "attention=general",
        "training.epochs=150", "training.patience=5", "training.batch_size=64",
    )  # fmt: skip
    assert test["exact_match"] >= 0.9
