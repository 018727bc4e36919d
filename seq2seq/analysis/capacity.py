"""Capacity of the state: exact match by the length of the source and by units.

A state has the same size for a long source and a short one: the bottleneck that attention removes
(Bahdanau et al. 2015). No model is run again: runs have their predictions.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq.evaluation.predictions import read_answers
from seq2seq.evaluation.statistics import Proportion, pool
from seq2seq.runs.compare import Run, differences
from seq2seq.runtime.codec import make_codec
from seq2seq.runtime.file_format import read_artifact
from seq2seq.runtime.real_values import Numbers

UNITS = "model.encoder.units"


class Series(NamedTuple):
    """Runs of one configuration, which differ only in their seeds.

    Attributes:
        units: of each layer of the encoder.
        label: other differences from the other runs.
        runs: of each run, the proportion of right answers by source length.
    """

    units: int
    label: str
    runs: list[dict[int, Proportion]]

    @property
    def name(self) -> str:
        """Name, as in `128 units, attention dot`."""
        return f"{self.units} units{', ' if self.label else ''}{self.label}"

    @property
    def lengths(self) -> list[int]:
        """Lengths of the sources, in order."""
        return sorted({length for run in self.runs for length in run})

    def at(self, length: int | None = None) -> tuple[float, float, float]:
        """Exact match at a length (None: over all), with its lower and upper bound.

        Of one run these are its 95 % interval; of several, the mean over the runs that have that
        length, the lowest and the highest.
        """
        proportions = [
            pool([*run.values()]) if length is None else run[length]
            for run in self.runs
            if length is None or length in run
        ]
        if len(proportions) == 1:
            return proportions[0].value, *proportions[0].interval
        values = [proportion.value for proportion in proportions]
        return sum(values) / len(values), min(values), max(values)


def measure_capacity(runs: Sequence[Run], paths: Sequence[Path]) -> list[Series]:
    """Group runs by configuration, in order of their units.

    Args:
        runs: their configurations.
        paths: their directories, with the predictions for their test examples.

    Raises:
        ValueError: the runs are of different tasks, or of real values; or a directory is damaged.
    """
    tasks = sorted({run.summary["task"] for run in runs})
    if len(tasks) > 1:
        raise ValueError(
            f"the runs are of different tasks ({', '.join(tasks)}), which can't be compared; give "
            "runs of one"
        )
    keys, labels = differences([run.config for run in runs])
    series: dict[tuple, Series] = {}
    for run, values, path in zip(runs, labels, paths, strict=True):
        named = dict(zip(keys, values, strict=True))
        named.pop(UNITS, None)
        units = int(run.config["model"]["encoder"]["units"])
        label = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in named.items())
        group = series.setdefault((units, label), Series(units, label, []))
        group.runs.append(count_right(path))
    return sorted(series.values(), key=lambda group: (group.label, group.units))


def count_right(path: Path) -> dict[int, Proportion]:
    """Count the right answers of a run's test by the length of the source in symbols.

    Raises:
        ValueError: the sources or answers are real values, or files are missing or damaged.
    """
    header, _ = read_artifact(path / "model.npz")
    source, target = (make_codec(header[side]) for side in ("source", "target"))
    if isinstance(source, Numbers) or isinstance(target, Numbers):
        raise ValueError(
            f"{path} is of real values, which are not right or wrong; capacity counts right "
            "answers and needs runs whose sources and targets are symbols"
        )
    right: dict[int, list[bool]] = {}
    for answer in read_answers(path / "predictions.tsv"):
        length = len(source.tokens(answer.example.source))
        right.setdefault(length, []).append(answer.verdict == "right")
    return {length: Proportion(sum(flags), len(flags)) for length, flags in sorted(right.items())}
