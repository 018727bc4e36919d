"""Trackers get what the run directory gets, and a resumed run is one run for them."""

import csv
import json
import sys
from pathlib import Path

import keras
import pytest

import seq2seq
from seq2seq.training.trackers import TrackedRun, Tracker, numbers_of

pytestmark = pytest.mark.usefixtures("empty_directory")
SMALL = ["task=copy", "task.symbols=3", "task.max_length=3", "task.validation_examples=3"]
SMALL += ["task.test_examples=4", "model.encoder.units=4", "training.batch_size=4"]
SMALL += ["training.epochs=2", "training.steps_per_epoch=2", "run_dir=grid/first"]


class Memory(Tracker):
    """A tracker that keeps everything in lists."""

    package, extra = "json", "memory"

    def __init__(self, failing=()):
        super().__init__()
        self.calls, self.failing = [], failing

    def _call(self, name, *arguments):
        self.calls.append((name, *arguments))
        if name in self.failing:
            raise ConnectionError("the network\nis gone")

    def open(self, run):
        self._call("open", run)

    def log(self, metrics, step):
        self._call("log", metrics, step)

    def close(self, results, model):
        self._call("close", results, model)


def train(monkeypatch, *overrides, failing=(), **options):
    """Train with a tracker in memory; the tracker."""
    tracker = Memory(failing)
    monkeypatch.setattr("seq2seq.training_from_config.build_tracker", lambda config: tracker)
    seq2seq.train(*SMALL, *overrides, progress=False, **options)
    return tracker


def test_a_tracker_gets_the_metrics_the_results_and_the_model(monkeypatch):
    (_, run), *logged, (_, results, model) = train(monkeypatch).calls
    assert (run.path, run.name, run.group) == (Path("grid/first").resolve(), "first", "grid")
    assert run.config["task"]["symbols"] == 3
    rows = list(csv.DictReader(Path("grid/first/history.csv").open()))
    assert [step for _, _, step in logged] == [int(row["step"]) for row in rows] == [2, 4]
    for (_, metrics, _), row in zip(logged, rows, strict=True):
        assert {*metrics} > {"loss", "val_exact_match", "learning_rate"}
        for name, value in metrics.items():
            assert value == pytest.approx(float(row[name]), rel=1e-4), name
    summary = json.loads(Path("grid/first/summary.json").read_text())
    assert results["test.exact_match"] == summary["test"]["exact_match"]
    assert not [name for name in results if "by_length" in name]
    assert model == Path("grid/first/model.npz")


@pytest.mark.parametrize("failing", ["log", "close"])
def test_an_error_of_a_tracker_does_not_end_the_run(monkeypatch, caplog, failing):
    tracker = train(monkeypatch, failing=[failing])
    names = [name for name, *_ in tracker.calls]
    assert names == (["open", "log"] if failing == "log" else ["open", "log", "log", "close"])
    assert "tracker=memory has stopped, and the run goes on without it" in caplog.text
    assert "ConnectionError: the network is gone" in caplog.text
    assert Path("grid/first/summary.json").is_file()


def test_a_tracker_that_can_not_begin_is_an_error_before_anything_is_written(monkeypatch):
    with pytest.raises(ValueError, match="tracker=memory can't begin: ConnectionError: the net"):
        train(monkeypatch, failing=["open"])
    assert [path.name for path in Path("grid/first").iterdir()] == [".lock"]
    train(monkeypatch)  # and the directory is still free


def test_a_resumed_run_has_its_identity_again_and_a_replaced_one_has_another(monkeypatch):
    first = train(monkeypatch).calls[0][1]
    more = train(monkeypatch, "resume=true", "training.epochs=3").calls
    assert more[0][1].identity == first.identity
    assert [step for name, *_, step in more if name == "log"] == [6]
    monkeypatch.setattr("time.strftime", lambda *_: "2030-01-01T00:00:00+0000")
    assert train(monkeypatch, "overwrite=true").calls[0][1].identity != first.identity
    assert first._replace(path=Path("other")).identity != first.identity


def test_a_run_that_fails_is_ended_as_failed(monkeypatch):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("mine")

    tracker = Memory()
    monkeypatch.setattr("seq2seq.training_from_config.build_tracker", lambda config: tracker)
    with pytest.raises(RuntimeError, match="mine"):
        seq2seq.train(*SMALL, callbacks=[Failing()], progress=False)
    assert tracker.calls[-1][:2] == ("close", None)


@pytest.mark.parametrize("name", ["mlflow", "wandb", "trackio", "tensorboard"])
def test_a_missing_package_is_an_error_with_the_command(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)  # importing it is an ImportError
    message = f"tracker={name} needs {name} .*: pip install 'keras-seq2seq\\[{name}\\]'"
    with pytest.raises(ValueError, match=message):
        seq2seq.train(*SMALL, f"tracker={name}", progress=False)
    assert not Path("grid").exists()


def test_numbers_of_a_summary_have_dotted_names():
    summary = {"seed": 1, "task": "copy", "test": {"count": 3, "by_length": {"1": {"count": 3}}}}
    assert numbers_of(summary) == {"seed": 1.0, "test.count": 3.0} and numbers_of(None) is None


def test_tensorboard_reads_the_events():
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    seq2seq.train(*SMALL, "tracker=tensorboard", progress=False)
    events = EventAccumulator("grid/first/tensorboard")
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {"loss", "val_exact_match", "test.exact_match"} <= {*tags}
    assert [event.step for event in events.Tensors("loss")] == [2, 4]


@pytest.mark.slow
def test_mlflow_has_one_run_with_all_steps(monkeypatch, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs keras-seq2seq[mlflow]")
    pytest.importorskip("sqlalchemy", reason="mlflow-skinny has no store of its own")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    seq2seq.train(*SMALL, "tracker=mlflow", progress=False)
    seq2seq.train(*SMALL, "tracker=mlflow", "resume=true", "training.epochs=3", progress=False)
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert run.data.params["model.encoder.units"] == "4"
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == [2, 4, 6]
    assert "test.exact_match" in run.data.metrics
    files = mlflow.MlflowClient().list_artifacts(run.info.run_id)
    assert [file.path for file in files] == ["model.npz"]


@pytest.mark.slow
def test_trackio_has_the_metrics(monkeypatch, tmp_path):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    trackio = pytest.importorskip("trackio", reason="needs keras-seq2seq[trackio]")
    seq2seq.train(*SMALL, "tracker=trackio", progress=False)
    (run,) = trackio.Api().runs("seq2seq")
    assert run.name.startswith("first-")


@pytest.mark.slow
def test_wandb_writes_its_run_offline(monkeypatch):
    pytest.importorskip("wandb", reason="needs keras-seq2seq[wandb]")
    monkeypatch.setenv("WANDB_MODE", "offline")
    seq2seq.train(*SMALL, "tracker=wandb", progress=False)
    (file,) = Path("wandb").glob("offline-run-*/*.wandb")
    assert b"val_exact_match" in file.read_bytes() and b"model.npz" in file.read_bytes()


def test_runs_of_one_command_are_a_group():
    runs = [TrackedRun(Path("/runs/grid") / name, {}, "now") for name in ("seed=0", "seed=1")]
    assert {run.group for run in runs} == {"grid"}
    assert len({run.identity for run in runs}) == 2
