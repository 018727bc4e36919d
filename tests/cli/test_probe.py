"""The verb `probe`."""

import pytest

from seq2seq.analysis import probing
from seq2seq.cli import probe
from seq2seq.cli.run_argument import predictions_of
from seq2seq.evaluation.predictions import read_examples
from tests.cli.calls import call, check_files


@pytest.mark.slow
def test_probe(capsys, cached_run, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "MIN_TEST", 1)
    status, out, err = call(capsys, "probe", cached_run, "--examples", 3000, "-o", tmp_path)
    assert status == 0 and "3,000 training sources, evaluated on 5 held-out ones" in out
    rows = check_files(tmp_path, "probe", err)
    assert {row["from"] for row in rows} == {"hidden", "cell", "both"}
    assert [row["source_length"] for row in rows].count("all") == 3
    assert out.count("source length by position") == 3 and "majority class" in out
    assert "left out, with fewer than 200 training and 1 held-out sources: length " in err


def test_training_sources_are_those_of_the_run(trained):
    sources, description = probe.training_sources(str(trained), 50)
    assert len(sources) == 50 and description == "50 training sources"
    assert all(set(source) <= set("abc") for source in sources)
    held_out = read_examples(predictions_of(str(trained)))
    assert not {example.source for example in held_out} & set(sources)
