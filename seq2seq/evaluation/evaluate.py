"""Judging a predictor on held-out examples, from free-running predictions."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from seq2seq.data.batching import check_text, encode_row
from seq2seq.data.files import escape
from seq2seq.data.task import Example
from seq2seq.evaluation.metrics import FAMILIES, judge_all, summarise
from seq2seq.evaluation.predictions import COLUMNS
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.validation import check_choice, check_flag

ORACLE = ("exact_match", "per_sequence_accuracy")  # metrics that are told with the oracle's length


class Evaluation(NamedTuple):
    """What an evaluation found.

    Attributes:
        family: which metrics, see `seq2seq.evaluation.metrics.FAMILIES`.
        examples: the held-out examples.
        predictions: the text said for each.
        judged: each prediction against its references.
        oracle: the same of predictions whose end was put where the reference ends; None: there are
            none.
    """

    family: str
    examples: Sequence[Example]
    predictions: list[str]
    judged: list
    oracle: list | None = None

    def metrics(self) -> dict:
        """The metrics, over all and by length, as `summary.json` holds them."""
        found = summarise(self.family, self.judged)
        if self.oracle is None:
            return found
        told, by_length = summarise(self.family, self.oracle), found.pop("by_length")
        for name in ORACLE:
            found[f"oracle_{name}"] = told[name]
            for length, row in by_length.items():
                row[f"oracle_{name}"] = told["by_length"][length][name]
        return {**found, "by_length": by_length}

    def verdicts(self) -> list[str]:
        """`"right"`, or what is wrong; of real values the mean absolute error."""
        if self.family == "values":
            return [f"{one.absolute / max(one.values, 1):.4g}" for one in self.judged]
        return [one.error or "right" for one in self.judged]


def evaluate(
    predictor: Predictor,
    examples: Sequence[Example],
    family: str,
    decoding: Decoding | None = None,
    oracle_length: bool = False,
) -> Evaluation:
    """Let `predictor` answer every source freely, and judge what it says.

    Symbols that training never showed are read as the unknown token, so that held-out data can
    always be judged.

    Args:
        predictor: the model.
        examples: held-out examples.
        family: which metrics, see `seq2seq.evaluation.metrics.FAMILIES`.
        decoding: how answers are made; None: as the predictor's settings say.
        oracle_length: whether everything is answered a second time with each answer's end put where
            that of the reference (the first) is: not before, and cut off there. It tells wrong ends
            from wrong tokens (Lake and Baroni 2018, experiment 2).

    Raises:
        ValueError: no examples, or a target that does not fit: of real values, another length than
            the answer's, or no numbers; it says which example.
    """
    check_choice("family of metrics", family, FAMILIES)
    if not examples:
        raise ValueError("there is nothing to evaluate: no examples")
    references = [_references(predictor, n, example) for n, example in enumerate(examples, 1)]
    decoding = predictor.decoding if decoding is None else decoding
    if decoding.unknown == "error":
        decoding = replace(decoding, unknown="token")
    sources = [example.source for example in examples]
    best = [hypotheses[0] for hypotheses in predictor.hypotheses(sources, decoding)]
    judged = judge_all(family, [hypothesis.tokens for hypothesis in best], references)
    oracle = None
    if check_flag("oracle_length", oracle_length):
        lengths = [len(first) for first, *_ in references]
        told = predictor.hypotheses(sources, decoding, lengths=lengths)
        oracle = judge_all(family, [hypotheses[0].tokens for hypotheses in told], references)
    return Evaluation(family, examples, [one.text for one in best], judged, oracle)


def _references(predictor: Predictor, number: int, example: Example) -> list:
    try:
        for target in example.references:
            check_text(target)
        references = [predictor.target.tokens(target) for target in example.references]
    except ValueError as error:
        raise ValueError(f"target of example {number}: {error}") from None
    if isinstance(predictor.target, Numbers):
        length = predictor.limit(len(encode_row(example.source, predictor.source, "token")))
        for reference in references:
            if len(reference) != length:
                raise ValueError(
                    f"target of example {number}: it has {len(reference)} values, the answer to "
                    f"{example.source!r} has {length}"
                )
    return references


def format_predictions(evaluation: Evaluation) -> str:
    """The lines of `predictions.tsv`, with a header; tabs and line ends are written \\t, \\n, \\r.

    `other_targets` holds further right answers as a JSON list, or nothing.
    """
    lines = ["\t".join(COLUMNS)]
    rows = zip(evaluation.examples, evaluation.predictions, evaluation.verdicts(), strict=True)
    for example, prediction, verdict in rows:
        others = json.dumps(example.others, ensure_ascii=False) if example.others else ""
        fields = (example.source, example.target, prediction, verdict, others)
        lines.append("\t".join(map(escape, fields)))
    return "\n".join(lines) + "\n"
