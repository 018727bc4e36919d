"""Evaluation of a predictor on held-out examples, by free-running predictions."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from seq2seq.data.batching import check_text, encode_row
from seq2seq.data.files import escape
from seq2seq.data.task import Example
from seq2seq.evaluation.metrics import METRICS, score_all, summarize
from seq2seq.evaluation.predictions import COLUMNS
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.display import make_data_frame
from seq2seq.inference.predictor import Predictor
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.validation import check_choice, check_flag

ORACLE_METRICS = ("exact_match", "per_sequence_accuracy")  # also computed with oracle lengths


class Evaluation(NamedTuple):
    """Result of an evaluation.

    Attributes:
        kind: of metrics, one of `seq2seq.evaluation.metrics.METRICS`.
        examples: the held-out examples.
        predictions: text predicted for each.
        scores: of each prediction against its references.
        oracle_scores: of predictions that end where the reference ends; None: not computed.
    """

    kind: str
    examples: Sequence[Example]
    predictions: list[str]
    scores: list
    oracle_scores: list | None = None

    def metrics(self) -> dict:
        """Metrics over all and by length, as in `summary.json`."""
        metrics = summarize(self.kind, self.scores)
        if self.oracle_scores is None:
            return metrics
        oracle, by_length = summarize(self.kind, self.oracle_scores), metrics.pop("by_length")
        for name in ORACLE_METRICS:
            metrics[f"oracle_{name}"] = oracle[name]
            for length, row in by_length.items():
                row[f"oracle_{name}"] = oracle["by_length"][length][name]
        return {**metrics, "by_length": by_length}

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of the metrics by length of the target, which is the index.

        Raises:
            ValueError: pandas is not installed.
        """
        by_length = self.metrics()["by_length"].items()
        rows = [{"length": int(length), **row} for length, row in by_length]
        return make_data_frame(rows, index="length")

    def verdicts(self) -> list[str]:
        """`"right"`, or the kind of error; of real values the mean absolute error."""
        if self.kind == "values":
            return [f"{score.absolute / max(score.values, 1):.4g}" for score in self.scores]
        return [score.error or "right" for score in self.scores]


def evaluate(
    predictor: Predictor,
    examples: Sequence[Example],
    kind: str,
    decoding: Decoding | None = None,
    oracle_length: bool = False,
) -> Evaluation:
    """Predict the answers to all sources, and score them.

    Symbols never seen in training are read as the unknown token, so that held-out data can always
    be evaluated.

    Args:
        predictor: the model.
        examples: held-out examples.
        kind: of metrics, one of `seq2seq.evaluation.metrics.METRICS`.
        decoding: decoding options; None: those of the predictor.
        oracle_length: whether to predict a second time with the length of the (first) reference,
            which separates wrong ends from wrong tokens (Lake and Baroni 2018, experiment 2).

    Raises:
        ValueError: no examples, or a target that does not fit: of real values, another length than
            the answer's, or no numbers; the example is named.
    """
    check_choice("kind of metrics", kind, METRICS)
    if not examples:
        raise ValueError("there is nothing to evaluate: no examples")
    references = [_references(predictor, n, example) for n, example in enumerate(examples, 1)]
    decoding = predictor.decoding if decoding is None else decoding
    if decoding.unknown == "error":
        decoding = replace(decoding, unknown="token")
    sources = [example.source for example in examples]
    best = [hypotheses[0] for hypotheses in predictor.hypotheses(sources, decoding)]
    scores = score_all(kind, [hypothesis.tokens for hypothesis in best], references)
    oracle_scores = None
    if check_flag("oracle_length", oracle_length):
        lengths = [len(first) for first, *_ in references]
        results = predictor.hypotheses(sources, decoding, lengths=lengths)
        tokens = [hypotheses[0].tokens for hypotheses in results]
        oracle_scores = score_all(kind, tokens, references)
    predictions = [hypothesis.text for hypothesis in best]
    return Evaluation(kind, examples, predictions, scores, oracle_scores)


def _references(predictor: Predictor, number: int, example: Example) -> list:
    try:
        for target in example.references:
            check_text(target)
        references = [predictor.target.tokens(target) for target in example.references]
    except ValueError as error:
        raise ValueError(f"target of example {number}: {error}") from None
    if isinstance(predictor.target, Numbers):
        length = predictor.max_length(len(encode_row(example.source, predictor.source, "token")))
        for reference in references:
            if len(reference) != length:
                raise ValueError(
                    f"target of example {number}: it has {len(reference)} values, the answer to "
                    f"{example.source!r} has {length}"
                )
    return references


def format_predictions(evaluation: Evaluation) -> str:
    """Format `predictions.tsv`, with a header; tabs and line ends are escaped: \\t, \\n, \\r.

    `other_targets` has further references as a JSON list, or nothing.
    """
    lines = ["\t".join(COLUMNS)]
    rows = zip(evaluation.examples, evaluation.predictions, evaluation.verdicts(), strict=True)
    for example, prediction, verdict in rows:
        others = json.dumps(example.others, ensure_ascii=False) if example.others else ""
        fields = (example.source, example.target, prediction, verdict, others)
        lines.append("\t".join(map(escape, fields)))
    return "\n".join(lines) + "\n"
