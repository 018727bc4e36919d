"""Metrics over free-running predictions: lists of tokens in, numbers out. Plain Python.

Where a source has several right answers, the prediction is compared with the nearest one.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seq2seq.evaluation.bleu import NGrams, bleu, count_ngrams

Tokens = Sequence  # of symbols, or of tuples of real values


class Judgement(NamedTuple):
    """One prediction against its nearest reference.

    Attributes:
        length: tokens in the first reference, by which results are grouped.
        error: `""` if right, else `"content"` (right length, a wrong symbol), `"too_short"` or
            `"too_long"` (it stopped at the wrong place).
        edits: Levenshtein distance to the nearest reference.
        reference_length: tokens in that reference.
        matches: places where prediction and that reference agree.
        places: the longer one's length.
        prefix: places before the first one where they do not agree.
        ngrams: what BLEU counts, over all references; None in families without it.
    """

    length: int
    error: str
    edits: int
    reference_length: int
    matches: int
    places: int
    prefix: int
    ngrams: NGrams | None = None

    def share(self, right: int) -> float:
        """`right` places of the reference's; of an empty one all or nothing, by the error."""
        return right / self.reference_length if self.reference_length else float(not self.error)


def edit_distance(prediction: Tokens, reference: Tokens) -> int:
    """Fewest insertions, deletions and substitutions between the two (Levenshtein 1966).

    A column of the usual table is held as the bits of four whole numbers, which say where it grows
    and falls by one (Myers 1999, as Hyyrö 2003 writes it): long answers are compared fast.

    >>> edit_distance("kitten", "sitting")
    3
    """
    if not reference:
        return len(prediction)
    where: dict = {}  # the places of each symbol in the reference
    for place, symbol in enumerate(reference):
        where[symbol] = where.get(symbol, 0) | 1 << place
    every, last, distance = (1 << len(reference)) - 1, 1 << len(reference) - 1, len(reference)
    grows, falls = every, 0  # from each place of the reference to the next
    for symbol in prediction:
        equal = where.get(symbol, 0)
        diagonal = ((equal & grows) + grows ^ grows) | equal | falls
        more, less = falls | every & ~(diagonal | grows), grows & diagonal
        distance += bool(more & last) - bool(less & last)
        more, less = more << 1 | 1, less << 1
        grows, falls = (less | ~(diagonal | more)) & every, more & diagonal & every
    return distance


def judge(prediction: Tokens, references: Sequence[Tokens]) -> Judgement:
    """`prediction` against the nearest of `references`.

    >>> [judge(said, ["olleh"]).error for said in ("olleh", "ollfh", "ol", "olleha")]
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
    agree = [said == right for said, right in zip(prediction, nearest, strict=False)]
    return Judgement(
        length=len(references[0]),
        error=error,
        edits=edits,
        reference_length=len(nearest),
        matches=sum(agree),
        places=max(len(prediction), len(nearest)),
        prefix=agree.index(False) if False in agree else len(agree),
    )


def summarise_tokens(judgements: Sequence[Judgement]) -> dict[str, float]:
    """Shares and means over `judgements`; all are 0 to 1 but `edit_distance` and the counts.

    `exact_match` is the share of predictions that equal a reference; `token_accuracy` the share of
    places that agree, counted over the longer of prediction and reference; `edit_distance` the mean
    number of edits; `content`, `too_short`, `too_long` count the wrong ones by kind.

    Two are means over examples of a share of the reference's places: `per_sequence_accuracy` counts
    those that the prediction got right (the score of Deletang et al. 2023), `prefix_accuracy` those
    before its first mistake (the "fine" score of Grefenstette et al. 2015). A prediction that ends
    early is wrong in the places that it lacks; what it says beyond the reference does not count.
    """
    count = len(judgements)
    errors = {
        kind: sum(j.error == kind for j in judgements)
        for kind in ("content", "too_short", "too_long")
    }
    places = sum(j.places for j in judgements)
    return {
        "exact_match": (count - sum(errors.values())) / count,
        "token_accuracy": sum(j.matches for j in judgements) / places if places else 1.0,
        "edit_distance": sum(j.edits for j in judgements) / count,
        "per_sequence_accuracy": math.fsum(j.share(j.matches) for j in judgements) / count,
        "prefix_accuracy": math.fsum(j.share(j.prefix) for j in judgements) / count,
        "count": count,
        **errors,
    }


def summarise_pronunciation(judgements: Sequence[Judgement]) -> dict[str, float]:
    """`summarise_tokens`, with the word and phone error rates of the field.

    A word is wrong unless it equals any of its references; phone errors are the edits to the
    nearest reference over that reference's phones.
    """
    summary = summarise_tokens(judgements)
    phones = sum(j.reference_length for j in judgements)
    return {
        "word_error_rate": sum(bool(j.error) for j in judgements) / len(judgements),
        "phone_error_rate": sum(j.edits for j in judgements) / max(phones, 1),
        **summary,
    }


def judge_translation(prediction: Tokens, references: Sequence[Tokens]) -> Judgement:
    """`judge`, with the n-grams that BLEU counts."""
    return judge(prediction, references)._replace(ngrams=count_ngrams(prediction, references))


def summarise_translation(judgements: Sequence[Judgement]) -> dict[str, float]:
    """`summarise_tokens`, with the corpus `bleu`, 0 to 100; see `seq2seq.evaluation.bleu`."""
    return {"bleu": bleu([j.ngrams for j in judgements]), **summarise_tokens(judgements)}


class Deviation(NamedTuple):
    """One real-valued prediction against its reference: sums over its values."""

    length: int
    absolute: float
    squared: float
    values: int


def deviate(prediction: Tokens, references: Sequence[Tokens]) -> Deviation:
    """Errors of `prediction` against the first of `references`, which has the same length.

    Raises:
        ValueError: the lengths differ.
    """
    reference = references[0]
    errors = [
        said - right
        for step, right_step in zip(prediction, reference, strict=True)
        for said, right in zip(step, right_step, strict=True)
    ]
    squared = math.fsum(error * error for error in errors)
    return Deviation(len(reference), math.fsum(map(abs, errors)), squared, len(errors))


def summarise_values(deviations: Sequence[Deviation]) -> dict[str, float]:
    """Mean absolute error and root mean squared error over all values."""
    values = max(sum(d.values for d in deviations), 1)
    return {
        "mae": math.fsum(d.absolute for d in deviations) / values,
        "rmse": math.sqrt(math.fsum(d.squared for d in deviations) / values),
        "count": len(deviations),
    }


class Metrics(NamedTuple):
    """A family of metrics: how one prediction is judged, and how judgements are summed up."""

    judge: Callable
    summarise: Callable


FAMILIES = {
    "tokens": Metrics(judge, summarise_tokens),
    "pronunciation": Metrics(judge, summarise_pronunciation),
    "translation": Metrics(judge_translation, summarise_translation),
    "values": Metrics(deviate, summarise_values),
}


def judge_all(
    family: str, predictions: Sequence[Tokens], references: Sequence[Sequence[Tokens]]
) -> list:
    """Each prediction against all right answers of its source, judged as the family does."""
    judge_one = FAMILIES[family].judge
    return [judge_one(p, r) for p, r in zip(predictions, references, strict=True)]


def group_by_length(judged: Sequence, most: int | None = None) -> list[tuple[str, list]]:
    """`judged` by reference length, as (label, group); with `most`, neighbours are put together.

    >>> judged = judge_all("tokens", ["ab", "c", "abc"], [["ab"], ["d"], ["abc"]])
    >>> [(label, len(group)) for label, group in group_by_length(judged, most=2)]
    [('1-2', 2), ('3', 1)]
    """
    groups: dict[int, list] = {}
    for one in judged:
        groups.setdefault(one.length, []).append(one)
    lengths = sorted(groups)
    size = -(-len(lengths) // (most or len(lengths)))
    chunks = [lengths[start : start + size] for start in range(0, len(lengths), size)]
    return [
        (
            str(chunk[0]) if len(chunk) == 1 else f"{chunk[0]}-{chunk[-1]}",
            [one for length in chunk for one in groups[length]],
        )
        for chunk in chunks
    ]


def summarise(family: str, judged: Sequence) -> dict:
    """All metrics of a family over `judged`, and under `by_length` those of each length.

    Lengths are text, since JSON knows no other keys.

    Raises:
        ValueError: nothing was judged.

    >>> result = summarise("tokens", judge_all("tokens", ["ab", "c"], [["ab"], ["d"]]))
    >>> result["exact_match"], result["by_length"]["1"]["content"]
    (0.5, 1)
    """
    if not judged:
        raise ValueError("there is nothing to evaluate: no predictions")
    over = FAMILIES[family].summarise
    by_length = {label: over(group) for label, group in group_by_length(judged)}
    return {**over(judged), "by_length": by_length}
