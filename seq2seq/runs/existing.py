"""Existing runs: whether they are complete, and the settings to resume them with."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq.runs.compare import Run, changes, find_runs, read_history, read_summary
from seq2seq.runs.files import read_kept_data
from seq2seq.runs.monitor import summarize_validation
from seq2seq.runs.safe_instantiate import read_config
from seq2seq.runtime.manifest import read_manifest
from seq2seq.runtime.progress import progress
from seq2seq.runtime.validation import check_path

logger = logging.getLogger("seq2seq")

STARTUP_KEYS = ("run_dir", "overwrite", "resume")  # of the start of a run, not of its result
# Keys that older runs lack.
NEWER_KEYS = {"init_from": None, "freeze": None, "tracker": {"_target_": None}, "callbacks": []}
# Settings that may change when a run is resumed: its length, and its logging.
MAY_CHANGE = (
    *STARTUP_KEYS,
    *("training.steps", "training.epochs", "training.patience"),
    *("training.checkpoint_time_fraction", "task.keep_data"),
    *("tracker", "tracker._target_", "tracker.project", "tracker.experiment"),
)


def read_run(path: Path) -> Run:
    """The configuration and the summary of a finished run.

    A summary of an older version has no `validation`, so it is found in `history.csv`.

    Raises:
        ValueError: the run directory lacks one of them, or it is damaged.
    """
    config, summary = read_config(path / "config.yaml"), read_summary(path)
    if "validation" not in summary:
        summary["validation"] = summarize_validation(read_history(path))
    return Run(config, summary, path)


def gather(folders: Sequence[str | Path]) -> list[Run]:
    """All runs at or below `folders`, finished or not, in order of their names.

    Raises:
        ValueError: a directory that does not exist or holds no run, or a run that is damaged.
    """
    runs, paths = [], find_runs(folders, finished=False)
    with progress("reading", len(paths), "runs") as advance:
        for path in paths:
            if (path / "summary.json").is_file():
                runs.append(read_run(path))
            else:
                runs.append(Run(read_config(path / "config.yaml"), None, path))
            advance()
    return runs


class Resumed(NamedTuple):
    """A run that is to be resumed.

    Attributes:
        path: its directory.
        changes: changed keys of its configuration, `[old, new]`.
    """

    path: Path
    changes: dict[str, list]

    @property
    def complete(self) -> bool:
        """Whether it has finished, and nothing was changed."""
        return not self.changes and is_complete(self.path)


def read_finished_config(path: Path, known: dict) -> dict:
    """The configuration of a run that has ended by itself.

    Raises:
        ValueError: there is no such run, or it can be resumed.
    """
    if not path.is_dir():
        raise ValueError(f"no such run: {path} (give a run directory, as in runs/latest)")
    if not is_complete(path):
        raise ValueError(
            f"{path} has not ended, so there is nothing to compare with; resume it with: "
            f"seq2seq train {path} --resume"
        )
    return read_whole_config(path, known)


def resume(config: dict, overrides: Sequence[str]) -> tuple[dict, Resumed | None]:
    """The configuration that `resume=true` uses, and the run it belongs to.

    It is the run's own, with the length and the logging of the command line. A command line with
    other keys must describe the same run.

    Args:
        config: the defaults with the command line's overrides.
        overrides: the command line.

    Raises:
        ValueError: `run_dir` is missing or holds several runs, or keys differ that may not change.
    """
    if config["run_dir"] is None:
        raise ValueError("resume=true needs the run to resume: run_dir=PATH")
    path = check_path("run_dir", config["run_dir"])
    if not (path / "config.yaml").is_file():
        if several := sorted(path.glob("*/config.yaml")):
            raise ValueError(
                f"{path} holds several runs; resume one ({several[0].parent}), or with all "
                "by the command that began them and resume=true"
            )
        return config, None  # there is nothing yet: it begins
    saved = read_whole_config(path, config)
    if "config.yaml" not in (read_manifest(path) or ["config.yaml"]):
        logger.warning(
            "warning: %s was edited since the run began, and is used as edited: the result is "
            "not that of either configuration alone",
            path / "config.yaml",
        )
    chosen = {override.lstrip("+").partition("=")[0] for override in overrides}
    if chosen <= {*MAY_CHANGE}:
        resolved = {**saved, **({"tracker": config["tracker"]} if "tracker" in chosen else {})}
        for group, _, key in (name.partition(".") for name in sorted(chosen) if "." in name):
            resolved[group] = {**resolved[group], key: config[group][key]}
    else:
        resolved = {**config, **{key: saved[key] for key in STARTUP_KEYS}}
    differences = changes(saved, resolved)
    if fixed := {key: pair for key, pair in differences.items() if key not in MAY_CHANGE}:
        values = ", ".join(
            f"{key} ({old!r} in the run, now {new!r})" for key, (old, new) in fixed.items()
        )
        raise ValueError(
            f"{path} can't be resumed with another {values}; without these keys it resumes as it "
            "began; only its length (training.steps, .epochs, .patience) and its logging may change"
        )
    return resolved, Resumed(path, differences)


def read_whole_config(path: Path, known: dict) -> dict:
    """The configuration of a run, with all the keys of `known`.

    Raises:
        ValueError: it can't be read, or lacks some: another version of this package wrote it.
    """
    saved = {**NEWER_KEYS, **read_config(path / "config.yaml")}
    groups = [key for key, value in known.items() if isinstance(value, dict)]
    wrong = [key for key in groups if not isinstance(saved.get(key, {}), dict)]
    if wrong := [key for key in known if key not in saved] + wrong:
        raise ValueError(f"{path / 'config.yaml'} is no whole configuration: {', '.join(wrong)}")
    return saved


def find_begun(config: dict, path: Path | None) -> Resumed | None:
    """The run at `path` that was begun with `config` and can be resumed; None: there is none.

    Raises:
        ValueError: the run there is of another configuration.
    """
    if path is None or not (path / "config.yaml").is_file():
        return None
    saved = read_config(path / "config.yaml")
    differences = changes(
        *({k: v for k, v in values.items() if k not in STARTUP_KEYS} for values in (saved, config))
    )
    if differences:
        raise ValueError(
            f"{path} holds a run of another configuration: {', '.join(differences)} differ"
        )
    return Resumed(path, {})


def default_name(config: dict) -> str:
    """The name of a run's directory in `runs/`, as in `reverse-lstm`.

    Raises:
        ValueError: a name of its configuration is a path.
    """
    for key, name in config["names"].items():
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+-]*", name):
            raise ValueError(f"names.{key} must be a plain name, got {name!r}")
    return "-".join(config["names"].values())


def with_data_files(config: dict, path: Path) -> dict:
    """`config` with the copies of its data that the run at `path` keeps, in place of the files."""
    files = {
        key: str(files[0]) if len(files) == 1 else [*map(str, files)]
        for key, files in read_kept_data(path).items()
        if key in config["task"]
    }
    return {**config, "task": {**config["task"], **files}}


def is_complete(path: Path) -> bool:
    """Whether a run has ended by itself, and not by a signal."""
    if not (path / "summary.json").is_file():
        return False
    return read_summary(path)["train"]["stopped"] != "interrupted"
