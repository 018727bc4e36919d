"""Reading of `predictions.tsv`: the held-out examples of a run and its predictions."""

import json
from pathlib import Path
from typing import NamedTuple

from seq2seq.data.files import read_lines, unescape
from seq2seq.data.task import Example
from seq2seq.runtime.manifest import read_checked

COLUMNS = ("source", "target", "prediction", "verdict", "other_targets")


class Answer(NamedTuple):
    """Prediction of a run for an example.

    Attributes:
        example: the example.
        prediction: the predicted text.
        verdict: `"right"`, or the kind of error.
    """

    example: Example
    prediction: str
    verdict: str


def read_answers(path: Path) -> list[Answer]:
    """Read a file of `seq2seq.evaluation.evaluate.format_predictions`.

    Raises:
        ValueError: the file is missing or damaged.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing: give pairs to evaluate on (--pairs FILE)")
    read_checked(path)
    rows = [line.split("\t") for _, line in read_lines(path)]
    if tuple(rows[0]) != COLUMNS:
        raise ValueError(f"{path} is damaged: it does not hold the columns {', '.join(COLUMNS)}")
    answers = []
    for number, row in enumerate(rows[1:], 2):
        try:
            source, target, prediction, verdict, others = map(unescape, row)
            more = json.loads(others or "[]")
        except (ValueError, RecursionError):
            raise ValueError(f"{path} is damaged in line {number}") from None
        if not isinstance(more, list) or not all(isinstance(text, str) for text in more):
            raise ValueError(f"{path} is damaged in line {number}: other_targets must be texts")
        answers.append(Answer(Example(source, target, tuple(more)), prediction, verdict))
    return answers


def read_examples(path: Path) -> list[Example]:
    """Read the held-out examples only; see `read_answers`."""
    return [answer.example for answer in read_answers(path)]
