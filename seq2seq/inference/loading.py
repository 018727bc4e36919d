"""Loading of predictors: one trained model, or several as an ensemble."""

from collections.abc import Sequence
from pathlib import Path

from seq2seq.inference.artifact import load_model
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
from seq2seq.models.ensemble import Ensemble
from seq2seq.runtime.extensions import ForeignClass
from seq2seq.runtime.predictor import check_lengths
from seq2seq.runtime.quiet import quiet_engine


def load(path: str | Path) -> Predictor:
    """Load a trained model from a run directory, or from a `model.npz`.

    Args:
        path: for example `"runs/latest"`.

    Raises:
        ValueError: there is no run, or it is incomplete or damaged.

    Example:
        >>> load("runs/latest").predict(["hello"])  # doctest: +SKIP
        ['olleh']
    """
    quiet_engine()
    loaded_from = path = Path(path).expanduser()
    if path.is_dir():
        if not (path / "model.npz").is_file():
            is_run = (path / "config.yaml").exists()
            raise ValueError(
                f"{path} is not a complete run: model.npz is missing"
                + (" (the run has not finished its first evaluation)" if is_run else "")
                + ("" if is_run else " (give a run directory, as in runs/latest)")
            )
        path = path / "model.npz"
    elif not path.exists():
        raise ValueError(f"no such run: {path}{_newest_beside(path)}")
    model, source, target, settings = load_model(path)
    try:
        decoding = Decoding.from_config(settings.pop("decoding"))
        check_lengths(settings)
    except KeyError as error:
        raise ValueError(f"{path} is damaged: its settings lack {error}") from None
    except ForeignClass as error:
        raise ValueError(f"{path} can't be loaded: its search strategy: {error}") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: its settings can't be read: {error}") from None
    predictor = Predictor(model, source, target, decoding, settings)
    predictor.path = loaded_from
    return predictor


def _newest_beside(path: Path) -> str:
    """Advice where `runs/latest` is missing, as on a file system without links."""
    if path.name != "latest":
        return ""
    runs = [*path.parent.glob("*/*/model.npz"), *path.parent.glob("*/model.npz")]
    newest = max(runs, key=lambda model: model.stat().st_mtime, default=None)
    return "" if newest is None else f" (the newest run there is {newest.parent})"


def ensemble(runs: Sequence[Predictor | str | Path], mean: str = "probabilities") -> Predictor:
    """Make a predictor of the mean prediction of several runs.

    Args:
        runs: predictors, or arguments of `load`; all of one task.
        mean: see `Ensemble`.

    Raises:
        ValueError: their vocabularies differ.

    Example:
        >>> ensemble(["runs/a", "runs/b"]).predict(["hello"])  # doctest: +SKIP
        ['olleh']
    """
    loaded = [run if isinstance(run, Predictor) else load(run) for run in runs]
    first = loaded[0]
    for run in loaded[1:]:
        for side in ("source", "target"):
            if getattr(run, side).to_config() != getattr(first, side).to_config():
                raise ValueError(
                    f"the runs of an ensemble must have one {side} vocabulary, and these differ; "
                    "train them on the same task"
                )
    model = Ensemble([run.model for run in loaded], mean)
    settings = {**first.settings, "model": "ensemble"}
    return Predictor(model, first.source, first.target, first.decoding, settings)
