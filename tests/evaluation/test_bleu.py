"""BLEU is that of sacrebleu 2.6.0: `corpus_bleu(..., tokenize="none")` gave these numbers."""

import pytest

from seq2seq.evaluation.bleu import bleu, count_ngrams

GOLDEN = [  # predictions, the references of each, the score
    (["the cat is on the mat"], [["the cat sat on the mat"]], 37.99178428257963),
    (["1 2 3 4 5 6", "7 8 9"], [["1 2 3 4 5 6"], ["7 8 9"]], 100.0),
    (["1 2 3", "4 5"], [["1 2 3"], ["4 5"]], 0.0),  # right, but without a 4-gram
    (["1 2 3 4 5"], [["6 7 8 9 10"]], 0.0),
    (  # too short, with an empty answer
        ["5 4 3 2 1", "9 9 9 1 2 3 4 5", "", "1"],
        [["5 4 3 2 1 0"], ["9 9 9 1 2 3 5 4"], ["1 2"], ["1 1 1"]],
        57.44988420730937,
    ),
    (["1 2 1 3 1 4 1 5"], [["2 1 2 3 4 1 5 5"]], 29.071536848410968),  # no 3- or 4-gram is right
    (["1 2 3 4 5 6 7 8 9 10 11 12"], [["1 2 3 4 5"]], 31.702331385234313),  # too long
    (  # two references each
        ["1 2 3 4 9 9", "a b c d"],
        [["1 2 3 4 5 6 7", "1 2 9 9"], ["a b c d e", "d c b a"]],
        66.49549929951772,
    ),
]


@pytest.mark.parametrize("predictions, references, score", GOLDEN)
def test_scores_are_those_of_sacrebleu(predictions, references, score):
    counts = [
        count_ngrams(prediction.split(), [right.split() for right in rights])
        for prediction, rights in zip(predictions, references, strict=True)
    ]
    assert bleu(counts) == pytest.approx(score, abs=1e-9)


def test_a_corpus_is_summed_up_and_not_averaged():
    right, wrong = count_ngrams("abcdef", ["abcdef"]), count_ngrams("zy", ["ab"])
    assert bleu([right]) == 100 and bleu([wrong]) == 0
    assert bleu([right, wrong]) == pytest.approx(100 * (6 / 8 * 5 / 6) ** (1 / 4))
