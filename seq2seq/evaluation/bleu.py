"""BLEU (Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation").

The corpus score, 0 to 100, without further tokenization: up to 4-grams, the geometric mean of their
precisions, the brevity penalty, and the smoothing ("exp", NIST's) that sacrebleu has by default, so
that the numbers are those of `sacrebleu.corpus_bleu(..., tokenize="none")`.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

ORDERS = range(1, 5)  # of n-grams


class NGrams(NamedTuple):
    """N-gram counts of a prediction; the corpus score needs only their sums.

    Attributes:
        matches: for each order, n-grams of the prediction that a reference has, each at most as
            often as that reference has it.
        totals: for each order, n-grams of the prediction.
        length: tokens in the prediction.
        reference_length: tokens in the reference whose length is nearest.
    """

    matches: tuple[int, ...]
    totals: tuple[int, ...]
    length: int
    reference_length: int


def count_ngrams(prediction: Sequence, references: Sequence[Sequence]) -> NGrams:
    """Count the n-grams of `prediction` and those that any of `references` has.

    >>> count_ngrams("abab", ["abcab"])
    NGrams(matches=(4, 2, 0, 0), totals=(4, 3, 2, 1), length=4, reference_length=5)
    """
    matches, totals = [], []
    for order in ORDERS:
        ngrams, reference_ngrams = _ngrams(prediction, order), Counter()
        for reference in references:
            reference_ngrams |= _ngrams(reference, order)
        matches.append((ngrams & reference_ngrams).total())
        totals.append(ngrams.total())
    length = len(prediction)
    nearest = min(map(len, references), key=lambda size: (abs(size - length), size))
    return NGrams(tuple(matches), tuple(totals), length, nearest)


def bleu(counts: Sequence[NGrams]) -> float:
    """Corpus score of all `counts`, 0 to 100.

    A corpus without any 4-gram scores 0, whatever else is right in it. Where no n-gram of an order
    matches, half a match is counted, then a quarter for the next such order, and so on.

    >>> bleu([count_ngrams("abcde", ["abcde"])]), bleu([count_ngrams("abc", ["abc"])])
    (100.0, 0.0)
    """
    matches = [sum(row) for row in zip(*(each.matches for each in counts), strict=True)]
    totals = [sum(row) for row in zip(*(each.totals for each in counts), strict=True)]
    length = sum(each.length for each in counts)
    reference_length = sum(each.reference_length for each in counts)
    if not any(matches) or not all(totals):
        return 0.0
    logarithms, smoothing = [], 1.0
    for count, total in zip(matches, totals, strict=True):
        if not count:
            smoothing /= 2
        logarithms.append(math.log((count or smoothing) / total))
    penalty = min(0.0, 1 - reference_length / length)
    return 100 * math.exp(penalty + sum(logarithms) / len(ORDERS))


def _ngrams(tokens: Sequence, order: int) -> Counter:
    return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))
