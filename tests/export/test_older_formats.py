"""Artefacts of format 2 answer as they did when they were written.

tests/golden/ holds two of them, with random weights, and what the program that wrote them answered
(commit 5b8d18d). They can't be written again by this version, which writes the next format: to make
others, check that commit out, save models by `Predictor.save`, and keep `predict` and `score`.
"""

import json

import pytest

import seq2seq
from seq2seq.runtime import numpy_runtime
from tests.conftest import ROOT

GOLDEN = ROOT / "tests/golden"
WRITTEN = json.loads((GOLDEN / "format2.json").read_text("utf-8"))


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("load", [seq2seq.load, numpy_runtime.load], ids=["keras", "numpy"])
def test_an_older_artefact_answers_as_it_did(name, load):
    run, written = load(GOLDEN / name), WRITTEN[name]
    assert run.predict(written["sources"]) == written["answers"]
    if "scores" in written and load is seq2seq.load:
        targets = ["यह हिन्दी है"] * len(written["sources"])
        assert run.score(written["sources"], targets) == pytest.approx(written["scores"], abs=1e-3)


def test_an_older_artefact_is_written_in_the_new_format_with_its_meaning(tmp_path):
    name = "tags_format2.npz"
    seq2seq.load(GOLDEN / name).save(tmp_path / "again.npz")
    header, _ = numpy_runtime.read_artefact(tmp_path / "again.npz")
    assert header["format"] == numpy_runtime.FORMAT == 3
    assert header["source"]["multiset"] is False
    assert header["target"]["tokeniser"] == "words_without_marks"
    for load in (seq2seq.load, numpy_runtime.load):
        answers = load(tmp_path / "again.npz").predict(WRITTEN[name]["sources"])
        assert answers == WRITTEN[name]["answers"]
