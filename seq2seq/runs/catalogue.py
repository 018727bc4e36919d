"""Catalogue of the configurations: the choices of each group, experiments of the literature too.

It is read from the files themselves, without Hydra's composition and without an engine.
"""

import re
from pathlib import Path
from typing import NamedTuple

from seq2seq.runs.experiment import read_experiment, read_results
from seq2seq.runs.safe_instantiate import read_config
from seq2seq.runtime.paths import CONFIGS

EXPERIMENT = "experiment"  # the group of the experiments
RESULTS = CONFIGS.parent / "docs/results"  # of a checkout; a wheel has none
COMMANDS = ("@package", "python train.py", "seq2seq ")  # comments that are no description
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


class Entry(NamedTuple):
    """A choice of a group.

    Attributes:
        group: as in `group=NAME`.
        name: of its file.
        description: one sentence; of an experiment the source of the published values.
    """

    group: str
    name: str
    description: str


class ExperimentEntry(NamedTuple):
    """An experiment, and the state of its results.

    Attributes:
        group, name, description: see `Entry`.
        rows: number of configurations.
        seeds: number of runs of each configuration.
        planned: number of runs.
        existing: number of them with a result in docs/results; None: there is no such folder.
        minutes: of training, of the existing runs together; None: there are none.
    """

    group: str
    name: str
    description: str
    rows: int
    seeds: int
    planned: int
    existing: int | None
    minutes: float | None


def list_groups() -> list[str]:
    """Names of the groups: tasks, models and experiments first, the others by their names."""
    first = ("task", "model", EXPERIMENT)
    return [*first, *sorted({path.name for path in CONFIGS.glob("*/")} - {*first})]


def list_entries(group: str, results: Path = RESULTS) -> list[Entry | ExperimentEntry]:
    """The choices of a group, by their names.

    Args:
        group: one of `list_groups()`.
        results: the folder with the results of experiments.

    Raises:
        ValueError: a file is damaged.
    """
    paths = sorted((CONFIGS / group).glob("*.yaml"))
    if group == EXPERIMENT:
        return [describe_experiment(path, results) for path in paths]
    return [Entry(group, path.stem, describe(path)) for path in paths]


def describe(path: Path) -> str:
    """The first sentence of the comment at the top of a configuration."""
    lines = []
    for line in path.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#").strip()
        if not text.startswith(COMMANDS):
            lines.append(text)
    return SENTENCE_END.split(" ".join(lines))[0]


def describe_experiment(path: Path, results: Path = RESULTS) -> ExperimentEntry:
    """Size and results of an experiment.

    Raises:
        ValueError: its file or that of its results is damaged.
    """
    experiment = read_experiment(path.stem, read_config(path).get("reproduction"))
    planned = {(row.name, seed) for row in experiment.rows for seed in experiment.seeds}
    size = (len(experiment.rows), len(experiment.seeds), len(planned))
    file = results / f"{path.stem}.csv"
    existing = [
        result
        for result in (read_results(file) if file.is_file() else ())
        if (result.row, result.seed) in planned and result.stopped != "missing"
    ]
    seconds = sum(result.seconds or 0 for result in existing)
    return ExperimentEntry(
        *(EXPERIMENT, experiment.name, experiment.source, *size),
        existing=len(existing) if results.is_dir() else None,
        minutes=round(seconds / 60, 1) if existing else None,
    )
