"""Capacity: how much goes through one vector. Exact match by the length of the source and by units.

A state has as many numbers for a long source as for a short one: this is the bottleneck for which
attention was made (Bahdanau et al. 2015). No model is run again: runs keep their answers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq.evaluation.predictions import read_answers
from seq2seq.evaluation.proportions import Share, join
from seq2seq.runs.compare import Run, differences
from seq2seq.runtime.codec import make_codec
from seq2seq.runtime.file_format import read_artifact
from seq2seq.runtime.real_values import Numbers

UNITS = "model.encoder.units"


class Series(NamedTuple):
    """Runs of one configuration, which differ in their seeds alone.

    Attributes:
        units: of each layer of the encoder.
        rest: what else sets them apart from the other runs, in words.
        runs: of each run, by source length, how many answers were right.
    """

    units: int
    rest: str
    runs: list[dict[int, Share]]

    @property
    def name(self) -> str:
        """As in `128 units, attention dot`."""
        return f"{self.units} units{', ' if self.rest else ''}{self.rest}"

    @property
    def lengths(self) -> list[int]:
        """Of the sources, in order."""
        return sorted({length for run in self.runs for length in run})

    def at(self, length: int | None = None) -> tuple[float, float, float]:
        """Exact match at a length (None: over all), with the least and the greatest it may be.

        Of one run these are its 95 % interval; of several, the mean over the runs that have that
        length, the least and the greatest.
        """
        shares = [
            join([*run.values()]) if length is None else run[length]
            for run in self.runs
            if length is None or length in run
        ]
        if len(shares) == 1:
            return shares[0].value, *shares[0].interval
        values = [share.value for share in shares]
        return sum(values) / len(values), min(values), max(values)


def measure_capacity(runs: Sequence[Run], paths: Sequence[Path]) -> list[Series]:
    """Runs side by side, those of one configuration together, in order of their units.

    Args:
        runs: their configurations.
        paths: their directories, which hold the answers to their test examples.

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
    for run, label, path in zip(runs, labels, paths, strict=True):
        named = dict(zip(keys, label, strict=True))
        named.pop(UNITS, None)
        units = int(run.config["model"]["encoder"]["units"])
        rest = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in named.items())
        one = series.setdefault((units, rest), Series(units, rest, []))
        one.runs.append(count_right(path))
    return sorted(series.values(), key=lambda one: (one.rest, one.units))


def count_right(path: Path) -> dict[int, Share]:
    """By the length of the source in symbols, how many answers of a run's test were right.

    Raises:
        ValueError: the sources or answers are real values, or files are missing or damaged.
    """
    header, _ = read_artifact(path / "model.npz")
    source, target = (make_codec(header[side]) for side in ("source", "target"))
    if isinstance(source, Numbers) or isinstance(target, Numbers):
        raise ValueError(
            f"{path} is of real values, of which none is right or wrong; capacity counts right "
            "answers and needs runs that read and say symbols"
        )
    right: dict[int, list[bool]] = {}
    for answer in read_answers(path / "predictions.tsv"):
        length = len(source.tokens(answer.example.source))
        right.setdefault(length, []).append(answer.verdict == "right")
    return {length: Share(sum(ones), len(ones)) for length, ones in sorted(right.items())}
