"""The run argument of a verb, and the files beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq.runtime.progress import progress
from seq2seq.runtime.quiet import log_engine, quiet_engine
from seq2seq.runtime.verbosity import logger

RUN_HELP = "a run directory, for example runs/latest, or a model.npz"


def load_run(run: str, others: Sequence[str] = ()) -> Any:
    """The run, or the ensemble of several, after the engine has started quietly."""
    with progress(f"loading {run}"):
        quiet_engine()
        from seq2seq.inference.loading import ensemble, load

        predictor = ensemble([run, *others]) if others else load(run)
    log_engine()
    logger.info("loaded %s; decoding as configured: %s", run, predictor.decoding)
    return predictor


def predictions_of(run: str) -> Path:
    """The file with the held-out examples of a run."""
    return (Path(run) if Path(run).is_dir() else Path(run).parent) / "predictions.tsv"


def name_of(predictor: Any) -> str:
    """Name of a run, as in `reverse-lstm`."""
    return f"{predictor.settings['task']}-{predictor.settings['model']}"
