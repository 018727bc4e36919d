"""Metrics over free-running predictions, from lists of tokens.

Where a source has several references, the prediction is compared with the nearest one.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein

from seq2seq.evaluation.bleu import NGrams, bleu, count_ngrams

Tokens = Sequence  # of symbols, or of tuples of real values


class TokenScore(NamedTuple):
    """Scores of a prediction against its nearest reference.

    Attributes:
        length: tokens in the first reference, by which results are grouped.
        error: `""` if right, else `"content"` (right length, a wrong symbol), `"too_short"` or
            `"too_long"` (it stopped at the wrong place).
        edits: Levenshtein distance to the nearest reference.
        reference_length: tokens in that reference.
        matches: positions where prediction and that reference agree.
        positions: length of the longer of the two.
        prefix: positions before the first one where they do not agree.
        ngrams: counts for BLEU, over all references; None without BLEU.
        further: values of metrics of the user's own, see `register_metrics`.
    """

    length: int
    error: str
    edits: int
    reference_length: int
    matches: int
    positions: int
    prefix: int
    ngrams: NGrams | None = None
    further: tuple[float, ...] = ()

    def fraction(self, count: int) -> float:
        """`count` over the reference's length; of an empty reference 1 or 0, by the error."""
        return count / self.reference_length if self.reference_length else float(not self.error)


def edit_distance(prediction: Tokens, reference: Tokens) -> int:
    """Fewest insertions, deletions and substitutions between the two (Levenshtein 1966).

    >>> edit_distance("kitten", "sitting")
    3
    """
    return Levenshtein.distance(prediction, reference)


def score_tokens(prediction: Tokens, references: Sequence[Tokens]) -> TokenScore:
    """Score `prediction` against the nearest of `references`.

    >>> [score_tokens(word, ["olleh"]).error for word in ("olleh", "ollfh", "ol", "olleha")]
    ['', 'content', 'too_short', 'too_long']
    """
    edits, nearest = min(
        ((edit_distance(prediction, reference), reference) for reference in references),
        key=lambda pair: pair[0],
    )
    if edits == 0:
        error = ""
    elif len(prediction) == len(nearest):
        error = "content"
    else:
        error = "too_short" if len(prediction) < len(nearest) else "too_long"
    agree = [a == b for a, b in zip(prediction, nearest, strict=False)]
    return TokenScore(
        length=len(references[0]),
        error=error,
        edits=edits,
        reference_length=len(nearest),
        matches=sum(agree),
        positions=max(len(prediction), len(nearest)),
        prefix=agree.index(False) if False in agree else len(agree),
    )


def summarize_tokens(scores: Sequence[TokenScore]) -> dict[str, float]:
    """Rates and means over `scores`; all are 0 to 1 but `edit_distance` and the counts.

    `exact_match` is the fraction of predictions that equal a reference; `token_accuracy` the
    fraction of positions that agree, over the longer of prediction and reference; `edit_distance`
    the mean number of edits; `content`, `too_short`, `too_long` count the errors by kind.

    Two are means over examples of a fraction of the reference: `per_sequence_accuracy` of its
    positions that are right (Deletang et al. 2023), `prefix_accuracy` of those before the first
    error (the "fine" score of Grefenstette et al. 2015). A prediction that ends early is wrong in
    the positions that it lacks; tokens beyond the reference do not count.
    """
    count = len(scores)
    errors = {
        kind: sum(j.error == kind for j in scores) for kind in ("content", "too_short", "too_long")
    }
    positions = sum(j.positions for j in scores)
    return {
        "exact_match": (count - sum(errors.values())) / count,
        "token_accuracy": sum(j.matches for j in scores) / positions if positions else 1.0,
        "edit_distance": sum(j.edits for j in scores) / count,
        "per_sequence_accuracy": math.fsum(j.fraction(j.matches) for j in scores) / count,
        "prefix_accuracy": math.fsum(j.fraction(j.prefix) for j in scores) / count,
        "count": count,
        **errors,
    }


def summarize_pronunciation(scores: Sequence[TokenScore]) -> dict[str, float]:
    """`summarize_tokens`, with the word and phone error rates of the field.

    A word is wrong unless it equals any of its references; phone errors are the edits to the
    nearest reference over that reference's phones.
    """
    summary = summarize_tokens(scores)
    phones = sum(j.reference_length for j in scores)
    return {
        "word_error_rate": sum(bool(j.error) for j in scores) / len(scores),
        "phone_error_rate": sum(j.edits for j in scores) / max(phones, 1),
        **summary,
    }


def score_translation(prediction: Tokens, references: Sequence[Tokens]) -> TokenScore:
    """`score_tokens`, with the n-gram counts of BLEU."""
    return score_tokens(prediction, references)._replace(
        ngrams=count_ngrams(prediction, references)
    )


def summarize_translation(scores: Sequence[TokenScore]) -> dict[str, float]:
    """`summarize_tokens`, with the corpus `bleu`, 0 to 100; see `seq2seq.evaluation.bleu`."""
    return {"bleu": bleu([j.ngrams for j in scores]), **summarize_tokens(scores)}


class RegressionScore(NamedTuple):
    """Errors of a real-valued prediction: sums over its values."""

    length: int
    absolute: float
    squared: float
    values: int


def score_values(prediction: Tokens, references: Sequence[Tokens]) -> RegressionScore:
    """Score `prediction` against the first of `references`, which has the same length.

    Raises:
        ValueError: the lengths differ.
    """
    reference = references[0]
    errors = [
        predicted - true
        for step, true_step in zip(prediction, reference, strict=True)
        for predicted, true in zip(step, true_step, strict=True)
    ]
    squared = math.fsum(error * error for error in errors)
    return RegressionScore(len(reference), math.fsum(map(abs, errors)), squared, len(errors))


def summarize_values(scores: Sequence[RegressionScore]) -> dict[str, float]:
    """Mean absolute error and root mean squared error over all values."""
    values = max(sum(d.values for d in scores), 1)
    return {
        "mae": math.fsum(d.absolute for d in scores) / values,
        "rmse": math.sqrt(math.fsum(d.squared for d in scores) / values),
        "count": len(scores),
    }


class Metrics(NamedTuple):
    """Metrics of a kind of task: the score of a prediction, and the summary of scores."""

    score: Callable
    summarize: Callable


METRICS = {
    "tokens": Metrics(score_tokens, summarize_tokens),
    "pronunciation": Metrics(score_tokens, summarize_pronunciation),
    "translation": Metrics(score_translation, summarize_translation),
    "values": Metrics(score_values, summarize_values),
}


BUILT_IN = tuple(METRICS)


def register_metrics(kind: str, **functions: Callable[[Tokens, Sequence[Tokens]], float]) -> None:
    """Add a kind of metrics: those of `"tokens"`, and the mean of each function over the examples.

    A task chooses it by its attribute `metrics`, and may pick the best weights by one of the
    functions, as in `monitor = ("vowel_accuracy", "max")`.

    Args:
        kind: a name of your own; the same name again replaces it.
        functions: by the names of the metrics. Each gets a prediction and the references of its
            source, lists of tokens, and returns a number.

    Raises:
        ValueError: the name of a kind or metric of this package.

    >>> register_metrics("endings", last_token=lambda p, references: p[-1:] == references[0][-1:])
    >>> summarize("endings", score_all("endings", ["ab", "c"], [["xb"], ["d"]]))["last_token"]
    0.5
    """
    if kind in BUILT_IN:
        raise ValueError(f"metrics {kind!r} are this package's own; choose another name")

    def score(prediction: Tokens, references: Sequence[Tokens]) -> TokenScore:
        values = tuple(float(f(prediction, references)) for f in functions.values())
        return score_tokens(prediction, references)._replace(further=values)

    def summarize_further(scores: Sequence[TokenScore]) -> dict[str, float]:
        summary = summarize_tokens(scores)
        if taken := sorted(summary.keys() & functions.keys()):
            raise ValueError(f"{taken[0]} is a metric of this package; choose another name")
        columns = zip(*(score.further for score in scores), strict=True)
        means = (math.fsum(column) / len(scores) for column in columns)
        return {**summary, **dict(zip(functions, means, strict=True))}

    METRICS[kind] = Metrics(score, summarize_further)


def score_all(
    kind: str, predictions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
) -> list:
    """Score each prediction against all references of its source; `kind` is one of `METRICS`."""
    score = METRICS[kind].score
    return [score(p, r) for p, r in zip(predictions, references, strict=True)]


def group_by_length(scores: Sequence, max_groups: int | None = None) -> list[tuple[str, list]]:
    """Group scores by reference length, as (label, group); neighbours are merged to `max_groups`.

    >>> scores = score_all("tokens", ["ab", "c", "abc"], [["ab"], ["d"], ["abc"]])
    >>> [(label, len(group)) for label, group in group_by_length(scores, max_groups=2)]
    [('1-2', 2), ('3', 1)]
    """
    groups: dict[int, list] = {}
    for score in scores:
        groups.setdefault(score.length, []).append(score)
    lengths = sorted(groups)
    size = -(-len(lengths) // (max_groups or len(lengths)))
    chunks = [lengths[start : start + size] for start in range(0, len(lengths), size)]
    return [
        (
            str(chunk[0]) if len(chunk) == 1 else f"{chunk[0]}-{chunk[-1]}",
            [score for length in chunk for score in groups[length]],
        )
        for chunk in chunks
    ]


def summarize(kind: str, scores: Sequence) -> dict:
    """Metrics of a kind over `scores`, and under `by_length` those of each length.

    Lengths are text, since JSON has no other keys.

    Raises:
        ValueError: there are no scores.

    >>> result = summarize("tokens", score_all("tokens", ["ab", "c"], [["ab"], ["d"]]))
    >>> result["exact_match"], result["by_length"]["1"]["content"]
    (0.5, 1)
    """
    if not scores:
        raise ValueError("there is nothing to evaluate: no predictions")
    summarize_group = METRICS[kind].summarize
    groups = group_by_length(scores)
    by_length = {label: summarize_group(group) for label, group in groups}
    return {**summarize_group(scores), "by_length": by_length}
