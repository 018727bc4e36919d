"""predictions.tsv: any text survives, and damage is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import seq2seq
from seq2seq.data import Example
from seq2seq.evaluation.evaluate import Evaluation, format_predictions
from seq2seq.evaluation.metrics import score_all
from seq2seq.evaluation.predictions import COLUMNS, read_examples
from tests.corruption import TEXT_DAMAGES

EXAMPLES = [Example("a\tb", "é\n", ("\\n", '"')), Example("", "x"), Example("\u2028", "\0", ("y",))]


def rewrite(path, content):
    path.unlink()
    path.write_bytes(content)


def predictions():
    """The content of a `predictions.tsv`."""
    references = [[list(text) for text in example.references] for example in EXAMPLES]
    judged = score_all("tokens", [["a"]] * len(EXAMPLES), references)
    return format_predictions(Evaluation("tokens", EXAMPLES, ["a", "\t", ""], judged)).encode()


def test_damaged_predictions_are_named_or_are_examples(tmp_path):
    path, rng, refused = tmp_path / "predictions.tsv", np.random.default_rng(0), 0
    path.write_bytes(predictions())
    assert read_examples(path) == EXAMPLES
    for turn in range(900):
        rewrite(path, TEXT_DAMAGES[turn % len(TEXT_DAMAGES)](predictions(), rng))
        try:
            examples = read_examples(path)
            assert all(isinstance(text, str) for example in examples for text in example.references)
        except ValueError as error:
            assert "predictions.tsv" in str(error)
            refused += 1
    assert refused == 856


@pytest.mark.parametrize("others", ["[" * 100_000, "[1]", '{"a": 1}', '"text"', "[null]", "nan"])
def test_other_targets_must_be_texts(tmp_path, others):
    path = tmp_path / "predictions.tsv"
    head = predictions().split(b"\n")[0].decode()
    path.write_text(f"{head}\na\tb\tc\tright\t{others}\n")
    with pytest.raises(ValueError, match="predictions.tsv is damaged in line 2"):
        read_examples(path)


def test_damaged_predictions_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is missing.*--pairs"):
        read_examples(tmp_path / "predictions.tsv")
    header = "\t".join(COLUMNS) + "\n"
    for content, message in [
        ("", "is empty"),
        ("a\tb\n", "is damaged"),
        (f"{header}a\tb\n", "is damaged in line 2"),
        (f"{header}a\tb\tb\tright\t[\n", "is damaged in line 2"),
    ]:
        (tmp_path / "predictions.tsv").write_text(content)
        with pytest.raises(ValueError, match=message):
            read_examples(tmp_path / "predictions.tsv")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, TEXTS, st.lists(TEXTS), TEXTS)
def test_any_text_survives_the_predictions_file(
    tmp_path_factory, source, target, others, prediction
):
    example = seq2seq.Example(source, target, tuple(others))
    judged = score_all("tokens", [prediction], [example.references])
    path = tmp_path_factory.mktemp("any") / "predictions.tsv"
    text = format_predictions(Evaluation("tokens", [example], [prediction], judged))
    path.write_text(text, "utf-8", newline="")
    assert text.count("\n") == 2
    assert read_examples(path) == [example]
