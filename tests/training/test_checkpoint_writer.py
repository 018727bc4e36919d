"""Exact resume: a run that was stopped anywhere ends with the bytes of one that never was."""

import signal
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from seq2seq.config import build_decoding, build_model, build_optimizer, build_task, compose
from seq2seq.layers import backend as kernels
from seq2seq.models import train_step
from seq2seq.runs.checkpoints import Checkpoints
from seq2seq.runs.directory import RunDirectory
from seq2seq.runs.safe_instantiate import instantiate
from seq2seq.training.checkpoint_writer import CheckpointWriter
from seq2seq.training.loop import TrainingCounters
from seq2seq.training.signals import Interrupted, Signals
from seq2seq.training.trainer import Trainer
from tests.conftest import without_compiling
from tests.run_snapshot import check_same, everything

TINY = [
    "model.encoder.units=4",
    "model.encoder.embedding_size=3",
    "training.batch_size=4",
    "training.steps=12",
    "training.steps_per_epoch=5",
    "training.checkpoint_time_fraction=0",
]
WORDS = ["task.symbols=4", "task.max_length=5"]
FEW = ["task.validation_examples=6", "task.test_examples=4"]


@pytest.fixture(autouse=True)
def in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(path, overrides):
    """Train in this process as the command line does with `resume=true`."""
    config = compose(overrides)
    keras.backend.clear_session()
    keras.utils.set_random_seed(config["seed"])
    task = build_task(config)
    model = build_model(config, task)
    keras.utils.set_random_seed(np.random.SeedSequence().entropy % 2**32)  # must not matter
    with RunDirectory(path, "a-run", resume=True) as directory:
        directory.write_json("environment.json", {"packages": {}})
        return Trainer(
            task,
            model,
            build_optimizer(config),
            instantiate("training", config["training"]),
            names=config["names"],
            decoding=build_decoding(config),
            seed=config["seed"],
        ).run(directory)


def cut(monkeypatch, step):
    """Let a signal come in step `step`."""
    original = TrainingCounters.count

    def counted(self):
        original(self)
        if self.steps == step:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(TrainingCounters, "count", counted)


def stop_and_go(monkeypatch, overrides, cuts):
    """Train with stops."""
    for step in cuts:
        with monkeypatch.context() as patch:
            cut(patch, step)
            assert isinstance(run("cut", overrides).error, Interrupted)
    assert run("cut", overrides).error is None


STOCHASTIC = [
    "forcing=scheduled",
    "curriculum=length",
    "cell.dropout=0.3",
    "cell.recurrent_dropout=0.2",
]
QUICK = ["task=copy", *STOCHASTIC, *WORDS, *FEW, *TINY]  # quicker than with attention
QUICK += ["training.steps=8", "training.steps_per_epoch=3"]
NOISY = ["task=copy", "model=bahdanau", *STOCHASTIC]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Everything that the noisy run leaves behind if nothing stops it."""
    with pytest.MonkeyPatch.context() as patch, without_compiling():
        patch.chdir(tmp_path_factory.mktemp("uninterrupted"))
        assert run("straight", QUICK).error is None
        return everything("straight")


def test_resumed_is_uninterrupted(monkeypatch, eagerly, uninterrupted):
    stop_and_go(monkeypatch, QUICK, (4,))
    check_same(everything("cut"), uninterrupted)


UNUSUAL = ["schedule=constant", "optimizer=sgd", "training.patience=5"]
RUNNING_MEAN = ["task=running_mean", "task.validation_examples=600", "task.test_examples=4"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        [*NOISY, *WORDS, *FEW],
        ["task=pairs", "task.train=pairs.tsv", "model=lstm", "cell=gru", *UNUSUAL],
        [*RUNNING_MEAN, "precision=mixed_float16"],
    ],
    ids=["noisy", "pairs", "values"],
)
def test_resumed_is_uninterrupted_compiled(monkeypatch, overrides):
    # The second evaluation runs as machine code; of several shapes, those that are more frequent.
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 3 if "task=running_mean" in overrides else 1)
    monkeypatch.setattr(train_step, "COMPILE_AFTER", 2)  # and of the updates the third of a shape
    lines = [f"{'ab' * (1 + n % 3)}{n % 10}{n // 10}\tX{'Y' * (n % 4)}{n % 2}" for n in range(26)]
    with open("pairs.tsv", "w") as file:
        print(*lines, sep="\n", file=file)
    overrides = [*overrides, *TINY, "training.batch_size=16"]  # enough for two cores
    assert run("straight", overrides).error is None
    stop_and_go(monkeypatch, overrides, (3, 9))
    check_same(everything("cut"), everything("straight"))


@pytest.mark.slow
def test_a_killed_run_resumes_from_its_last_checkpoint(monkeypatch, eagerly, uninterrupted):
    class Killed(Exception):
        pass

    def killed(self):
        if self.steps == 7:
            raise Killed
        original(self)

    original = TrainingCounters.count
    with monkeypatch.context() as patch:
        patch.setattr(TrainingCounters, "count", killed)
        patch.setattr(CheckpointWriter, "_is_due", lambda self: self.counters.steps in (2, 5, 6))
        with pytest.raises(Killed):
            run("cut", QUICK)
    assert [path.name[5:14] for path in Checkpoints(Path("cut/checkpoints")).files()] == [
        "000000006",
        "000000005",
    ]
    Path("cut/model.npz").write_bytes(b"damaged")  # it stands in the checkpoint, too
    Path("cut/checkpoints/.step-000000007.npz.x1").write_bytes(b"half written")
    run("cut", QUICK)
    check_same(everything("cut"), uninterrupted)
    assert len(list(Path("cut/checkpoints").iterdir())) == 2


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(monkeypatch, eagerly, caplog):
    overrides = ["task=reverse", *WORDS, *FEW, *TINY, "training.steps=3"]
    with monkeypatch.context() as patch:
        patch.setattr(CheckpointWriter, "_is_due", lambda self: True)
        run("straight", overrides)
    newest = Path("straight/checkpoints/step-000000003.npz")
    expected = everything("straight")
    content = bytearray(newest.read_bytes())
    content[content.index(b'"checksums"')] ^= 1  # not just anywhere: a zip file has idle bytes
    newest.write_bytes(content)
    run("straight", overrides)
    assert "step-000000003.npz is damaged" in caplog.text
    assert "using the previous checkpoint step-000000002.npz" in caplog.text
    assert everything("straight") == expected


@pytest.mark.slow
def test_a_complete_training_is_only_tested_again(monkeypatch, eagerly):
    overrides = ["task=reverse", *WORDS, *FEW, *TINY, "training.steps=2"]
    run("run", overrides)
    expected = everything("run")
    monkeypatch.setattr("seq2seq.training.trainer.run_training_loop", None)
    run("run", overrides)
    assert everything("run") == expected


PATIENT = ["task=reverse", *WORDS, *FEW, *TINY, "training.steps_per_epoch=2"]
PATIENT += ["training.steps=20", "training.patience=2"]


@pytest.fixture
def scores(monkeypatch):
    """Validation that moves after 8 updates and gets no better then."""
    score_by_step = {2: 0.0, 4: 0.0, 6: 0.0, 8: 0.5}

    def evaluate(predictor, *arguments):
        score = score_by_step.get(int(predictor.model.optimizer.iterations), 0.25)
        return SimpleNamespace(metrics=lambda: {"exact_match": score})

    monkeypatch.setattr("seq2seq.training.validation.evaluate", evaluate)


@pytest.mark.slow
def test_patience_resumes_where_it_was(monkeypatch, eagerly, scores):
    outcome = run("straight", PATIENT)
    assert outcome.summary["train"]["steps"] == 12  # 2 epochs after the best one
    assert outcome.summary["train"]["stopped"] == "early"
    assert outcome.remarks[0].startswith("training stopped early, after 12 of 20 updates")
    stop_and_go(monkeypatch, PATIENT, (3, 7, 10, 11))
    check_same(everything("cut"), everything("straight"))


@pytest.mark.slow
def test_a_longer_training_resumes(eagerly, scores):
    assert run("run", PATIENT).summary["train"]["stopped"] == "early"
    outcome = run("run", [*PATIENT, "training.patience=null", "training.steps=17"])
    assert outcome.summary["train"]["stopped"] == "finished"
    rows = everything("run")["history"]
    assert [row["step"] for row in rows] == ["2", "4", "6", "8", "10", "12", "14", "16", "17"]


def test_a_checkpoint_of_another_model_is_refused(eagerly):
    overrides = ["task=reverse", *WORDS, *FEW, *TINY, "training.steps=1"]
    run("run", overrides)
    with pytest.raises(ValueError, match="step-000000001.npz is of another model: .* is float32"):
        run("run", [*overrides, "model.encoder.units=5"])
    assert Path("run/summary.json").exists()  # the run is unchanged


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now


def make_writer(fraction):
    counters = TrainingCounters(1000, 1000)
    directory = SimpleNamespace(checkpoints=SimpleNamespace())
    parts = {"state_dict": dict, "rows": []}
    writer = CheckpointWriter(
        SimpleNamespace(counters=counters, directory=directory, **parts), {}, fraction, Signals()
    )
    model = {"variables": [], "metrics_variables": [], "optimizer": SimpleNamespace(variables=[])}
    writer.start_clock(SimpleNamespace(**model))
    return writer


def test_checkpoints_are_as_frequent_as_they_are_cheap(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("seq2seq.training.checkpoint_writer.time", clock)
    writer, costs, written = make_writer(fraction=0.1), [2.0, 1.0, 1.0], []
    writer.directory.checkpoints.write = lambda step, *arguments: (
        written.append(clock.now),
        setattr(clock, "now", clock.now + costs[len(written) - 1]),
    )
    while len(written) < 3:
        clock.now += 0.5
        writer.counters.steps += 1
        writer.write_if_due()
    first, second, third = written
    assert second == first + 2.0 + 20.0 and third == second + 1.0 + 10.0
    assert writer.seconds == sum(costs)


def test_without_a_share_only_the_end_is_kept():
    writer = make_writer(fraction=0)
    assert not writer._is_due()


@pytest.mark.slow
def test_a_record_that_was_made_by_hand_is_named(monkeypatch, eagerly):
    with monkeypatch.context() as patch:
        cut(patch, 1)
        run("run", [*TINY, *WORDS, *FEW])
    checkpoints = Checkpoints(Path("run/checkpoints"))
    newest = checkpoints.newest()
    for part, value in (("counters", None), ("counters", {}), ("validation", [1])):
        checkpoints.write(newest.step, {**newest.states, part: value}, newest.arrays)
        with pytest.raises(ValueError, match=r"step-000000001\.npz can't be resumed: its states"):
            run("run", [*TINY, *WORDS, *FEW])
