"""Loading: files, run directories, ensembles, and what is missing."""

import os
import re

import numpy as np
import pytest

import seq2seq
from seq2seq import (
    Vocabulary,
)
from tests.inference.small_predictor import make


def test_saved_and_loaded_is_the_same(tmp_path, predictor):
    predictor.save(tmp_path / "model.npz")
    loaded = seq2seq.load(tmp_path / "model.npz")
    assert (loaded.settings, loaded.decoding) == (predictor.settings, predictor.decoding)
    sources = ["abc", "a", "cab"]
    assert loaded.predict(sources) == predictor.predict(sources)
    (tmp_path / "run").mkdir()
    (tmp_path / "model.npz").rename(tmp_path / "run" / "model.npz")
    assert seq2seq.load(tmp_path / "run").predict(sources) == predictor.predict(sources)


def test_a_missing_part_of_a_run_is_named(tmp_path):
    with pytest.raises(ValueError, match="no such run"):
        seq2seq.load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="model.npz is missing.*give a run directory"):
        seq2seq.load(tmp_path)
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(ValueError, match="model.npz is missing.*first evaluation"):
        seq2seq.load(tmp_path)


@pytest.mark.slow
def test_ensembles_of_runs(predictor):
    together = seq2seq.ensemble([predictor, predictor])
    assert together.predict(["ab", "c"]) == predictor.predict(["ab", "c"])
    np.testing.assert_allclose(
        together.score(["ab"], ["b"]), predictor.score(["ab"], ["b"]), atol=1e-5
    )
    different = make()
    different.target = Vocabulary("abd")
    with pytest.raises(ValueError, match="must have one target vocabulary"):
        seq2seq.ensemble([predictor, different])


def test_where_there_is_no_link_to_the_newest_run_it_is_named(tmp_path):
    for age, name in enumerate(["b", "a"]):
        (tmp_path / f"copy-lstm/{name}").mkdir(parents=True)
        (tmp_path / f"copy-lstm/{name}/model.npz").touch()
        os.utime(tmp_path / f"copy-lstm/{name}/model.npz", (age, age))
    newest = re.escape(str(tmp_path / "copy-lstm/a"))
    with pytest.raises(
        ValueError, match=rf"no such run: .*latest \(the newest run there is {newest}\)"
    ):
        seq2seq.load(tmp_path / "latest")
    with pytest.raises(ValueError, match="no such run: [^(]*$"):
        seq2seq.load(tmp_path / "other")
