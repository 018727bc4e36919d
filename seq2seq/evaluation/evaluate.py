"""Judging a predictor on held-out examples, from free-running predictions."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seq2seq.data.task import Example
from seq2seq.evaluation.metrics import judge_all, summarise
from seq2seq.evaluation.predictor import Predictor

COLUMNS = ("source", "target", "prediction", "verdict", "other_targets")
SEPARATOR = "\x1f"  # between further right answers; the unit separator stands in no ordinary text


class Evaluation(NamedTuple):
    """What an evaluation found.

    Attributes:
        family: which metrics, see `seq2seq.evaluation.metrics.FAMILIES`.
        examples: the held-out examples.
        predictions: the text said for each.
        judged: each prediction against its references.
    """

    family: str
    examples: Sequence[Example]
    predictions: list[str]
    judged: list

    def metrics(self) -> dict:
        """The metrics, over all and by length, as `summary.json` holds them."""
        return summarise(self.family, self.judged)

    def verdicts(self) -> list[str]:
        """`"right"`, or what is wrong; of real values the mean absolute error."""
        if self.family == "values":
            return [f"{one.absolute / max(one.values, 1):.4g}" for one in self.judged]
        return [one.error or "right" for one in self.judged]


def evaluate(predictor: Predictor, examples: Sequence[Example], family: str) -> Evaluation:
    """Let `predictor` answer every source freely, and judge what it says.

    Symbols that training never showed are read as the unknown token, so that held-out data can
    always be judged.

    Args:
        predictor: the model.
        examples: held-out examples.
        family: which metrics, see `seq2seq.evaluation.metrics.FAMILIES`.

    Raises:
        ValueError: no examples, or real-valued answers of another length than their references.
    """
    found = predictor.hypotheses([example.source for example in examples], unknown="token")
    best = [hypotheses[0] for hypotheses in found]
    references = [[predictor.target.tokens(r) for r in e.references] for e in examples]
    judged = judge_all(family, [hypothesis.tokens for hypothesis in best], references)
    return Evaluation(family, examples, [hypothesis.text for hypothesis in best], judged)


def format_predictions(evaluation: Evaluation) -> str:
    """The lines of `predictions.tsv`, with a header; fields are quoted where they must be."""
    out = io.StringIO()
    writer = csv.writer(out, "excel-tab", lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = zip(evaluation.examples, evaluation.predictions, evaluation.verdicts(), strict=True)
    for example, prediction, verdict in rows:
        others = SEPARATOR.join(example.others)
        writer.writerow([example.source, example.target, prediction, verdict, others])
    return out.getvalue()


def read_examples(path: Path) -> list[Example]:
    """The held-out examples of a `predictions.tsv`.

    Raises:
        ValueError: the file is missing or not what `format_predictions` wrote.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing: give pairs to evaluate on (--pairs FILE)")
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = [*csv.reader(file, "excel-tab")] or [[]]
    if tuple(header) != COLUMNS or any(len(row) != len(COLUMNS) for row in rows):
        raise ValueError(f"{path} is damaged: it does not hold the columns {', '.join(COLUMNS)}")
    return [
        Example(source, target, tuple(filter(None, others.split(SEPARATOR))))
        for source, target, _, _, others in rows
    ]
