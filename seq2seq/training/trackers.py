"""Trackers: metrics, configuration, test results and model of a run, beyond its directory.

A tracker is a Keras callback, so that it sees what `history.csv` gets. Where it writes is set by
the tracker's own environment variables, never by a configuration: a file that comes from elsewhere
can't have a run sent anywhere.
"""

import hashlib
import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import keras

from seq2seq.runs.compare import flatten
from seq2seq.runs.files import TENSORBOARD

logger = logging.getLogger("seq2seq")


class TrackedRun(NamedTuple):
    """Description of a run, for a tracker.

    Attributes:
        path: the run directory, absolute; its name is the run's, that of its parent the group's.
        config: resolved configuration.
        started: when the run began; of a resumed run, the first time.
    """

    path: Path
    config: dict
    started: str

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.path.name

    @property
    def group(self) -> str:
        """Name of the group, which all runs of one command share."""
        return self.path.parent.name

    @property
    def identity(self) -> str:
        """Text that a resumed run has again, and no other run has."""
        text = f"{self.path}\n{self.started}"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Tracker(keras.callbacks.Callback):
    """Base class of trackers; `start`, then a callback of the training, then `finish`.

    An error of the tracker before training is an error of the run. Later the run is worth more: the
    tracker stops with a warning, and the run goes on.

    Attributes:
        package: what has to be installed.
        extra: the extra of this distribution that installs it.

    Raises:
        ValueError: the package is not installed.
    """

    package: ClassVar[str]
    extra: ClassVar[str]

    def __init__(self):
        super().__init__()
        self.has_failed = False
        try:
            self.library = importlib.import_module(self.package)
        except ImportError as error:
            raise ValueError(
                f"tracker={self.extra} needs {self.package} ({error}): "
                f"pip install 'keras-seq2seq[{self.extra}]'"
            ) from error

    def start(self, run: TrackedRun) -> None:
        """Begin to track a run, or go on with a resumed one.

        Raises:
            ValueError: the tracker can't begin.
        """
        try:
            self.open(run)
        except Exception as error:  # a service's own errors are of many kinds
            raise ValueError(
                f"tracker={self.extra} can't begin: {type(error).__name__}: "
                f"{' '.join(str(error).split())}"
            ) from error

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Log the metrics of an epoch by the number of updates."""
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        metrics["learning_rate"] = float(self.model.optimizer.learning_rate)
        self.attempt(self.log, metrics, int(self.model.optimizer.iterations))

    def finish(self, summary: dict | None, model: Path) -> None:
        """End the tracked run.

        Args:
            summary: `summary.json`, whose test results are logged; None: the run has failed.
            model: the artefact, which is attached if it exists.
        """
        self.attempt(self.close, numbers_of(summary), model if model.exists() else None)

    def attempt(self, function: Callable, *arguments: Any) -> None:
        """Call `function`; after an error nothing more is tracked."""
        if self.has_failed:
            return
        try:
            function(*arguments)
        except Exception as error:  # a service's own errors are of many kinds
            self.has_failed = True
            logger.warning(
                "warning: tracker=%s has stopped, and the run goes on without it: %s: %s",
                *(self.extra, type(error).__name__, " ".join(str(error).split())),
            )

    def open(self, run: TrackedRun) -> None:
        """Begin to track `run`."""
        raise NotImplementedError

    def log(self, metrics: dict[str, float], step: int) -> None:
        """Log metrics after `step` updates."""
        raise NotImplementedError

    def close(self, results: dict[str, float] | None, model: Path | None) -> None:
        """Log the results of the test, attach the model, and end; None: the run has failed."""
        raise NotImplementedError


def numbers_of(summary: dict | None) -> dict[str, float] | None:
    """Numbers of `summary.json` by dotted names, as `test.exact_match`; those by length apart."""
    if summary is None:
        return None
    return {
        key: float(value)
        for key, value in flatten(summary)
        if isinstance(value, int | float) and ".by_length" not in key
    }


class TensorBoard(Tracker):
    """Events in `tensorboard/` of the run directory."""

    package, extra = "tensorboard", "tensorboard"

    def open(self, run: TrackedRun) -> None:
        """See `Tracker.open`."""
        import tensorflow as tf

        self._tf = tf
        self._writer = tf.summary.create_file_writer(str(run.path / TENSORBOARD))

    def log(self, metrics: dict[str, float], step: int) -> None:
        """See `Tracker.log`."""
        with self._writer.as_default():
            for name, value in metrics.items():
                self._tf.summary.scalar(name, value, step)
        self._writer.flush()

    def close(self, results: dict[str, float] | None, model: Path | None) -> None:
        """See `Tracker.close`; TensorBoard has no place for models."""
        self.log(results or {}, int(self.model.optimizer.iterations))
        self._writer.close()


class MLflow(Tracker):
    """Run of MLflow, in the store that `MLFLOW_TRACKING_URI` names.

    Args:
        experiment: name of the experiment; None: the group's.
    """

    package, extra = "mlflow", "mlflow"

    def __init__(self, experiment: str | None = None):
        super().__init__()
        self.experiment = experiment

    def open(self, run: TrackedRun) -> None:
        """See `Tracker.open`."""
        mlflow = self.library
        mlflow.set_experiment(self.experiment or run.group)
        tag = f"tags.seq2seq = '{run.identity}'"
        earlier = mlflow.search_runs(filter_string=tag, max_results=1, output_format="list")
        if earlier:
            mlflow.start_run(run_id=earlier[0].info.run_id)
            return
        mlflow.start_run(run_name=run.name, tags={"seq2seq": run.identity})
        mlflow.log_params(dict(flatten(run.config)))

    def log(self, metrics: dict[str, float], step: int) -> None:
        """See `Tracker.log`."""
        self.library.log_metrics(metrics, step=step)

    def close(self, results: dict[str, float] | None, model: Path | None) -> None:
        """See `Tracker.close`."""
        self.library.log_metrics(results or {})
        if model is not None:
            self.library.log_artifact(str(model))
        self.library.end_run("FINISHED" if results is not None else "FAILED")


class WandB(Tracker):
    """Run of Weights & Biases, online or in `wandb/` of the current directory (`WANDB_MODE`).

    Args:
        project: name of the project.
    """

    package, extra = "wandb", "wandb"

    def __init__(self, project: str = "seq2seq"):
        super().__init__()
        self.project = project

    def open(self, run: TrackedRun) -> None:
        """See `Tracker.open`."""
        self._run = self.library.init(
            project=self.project,
            group=run.group,
            name=run.name,
            id=run.identity,
            resume="allow",
            config=run.config,
        )

    def log(self, metrics: dict[str, float], step: int) -> None:
        """See `Tracker.log`."""
        self._run.log(metrics, step=step)

    def close(self, results: dict[str, float] | None, model: Path | None) -> None:
        """See `Tracker.close`."""
        self._run.summary.update(results or {})
        if model is not None:
            artifact = self.library.Artifact(f"model-{self._run.id}", type="model")
            artifact.add_file(str(model))
            self._run.log_artifact(artifact)
        self._run.finish(exit_code=0 if results is not None else 1)


class Trackio(Tracker):
    """Run of Trackio, in its database on this machine.

    Args:
        project: name of the project.
    """

    package, extra = "trackio", "trackio"

    def __init__(self, project: str = "seq2seq"):
        super().__init__()
        self.project = project

    def open(self, run: TrackedRun) -> None:
        """See `Tracker.open`."""
        self.library.init(
            project=self.project,
            group=run.group,
            name=f"{run.name}-{run.identity}",
            resume="allow",
            config=dict(flatten(run.config)),
        )

    def log(self, metrics: dict[str, float], step: int) -> None:
        """See `Tracker.log`."""
        self.library.log(metrics, step=step)

    def close(self, results: dict[str, float] | None, model: Path | None) -> None:
        """See `Tracker.close`."""
        if results:
            self.library.log(results)
        self.library.finish()
