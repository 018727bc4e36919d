"""The text files of a run: damage and edits are noticed, by all that read them."""

import json
import shutil

import numpy as np
import pytest

from seq2seq.evaluation.predictions import read_answers
from seq2seq.runs.compare import read_history, read_summary
from seq2seq.runs.environment import read_environment
from seq2seq.runs.existing import read_run
from seq2seq.runs.safe_instantiate import read_config
from seq2seq.runtime.manifest import (
    MANIFEST,
    NotAsWritten,
    describe_files,
    read_checked,
    read_manifest,
)
from tests.cli.calls import call

READERS = {
    "summary.json": read_summary,
    "history.csv": read_history,
    "predictions.tsv": lambda path: read_answers(path / "predictions.tsv"),
    "config.yaml": lambda path: read_config(path / "config.yaml"),
    "environment.json": read_environment,
}


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run."""
    return shutil.copytree(trained, tmp_path / "run")


def test_it_holds_every_text_file_of_a_run(run):
    assert read_manifest(run).keys() == {*READERS} | {"changes.patch"} & {
        p.name for p in run.iterdir()
    }
    for read in READERS.values():
        assert read(run)


@pytest.mark.parametrize("name", READERS)
def test_no_flipped_bit_is_read_as_other_content(name, run):
    path, rng = run / name, np.random.default_rng(0)
    content = path.read_bytes()
    for _ in range(1_000):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(
            ValueError, match=rf"{name} is not what the run wrote: it is damaged, or"
        ) as caught:
            READERS[name](run)
        assert caught.type is NotAsWritten


def test_what_was_edited_on_purpose_is_read_once_its_line_is_gone(run, capsys):
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "parameters": 7}))
    status, _, err = call(capsys, "report", run)
    assert status == 2 and f"take its line out of {run / MANIFEST}" in err and err.count("\n") == 1
    manifest = read_manifest(run)
    del manifest["summary.json"]
    (run / MANIFEST).write_text(json.dumps(manifest))
    assert read_run(run).summary["parameters"] == 7
    (run / MANIFEST).unlink()  # as in runs of version 0.1
    assert read_run(run).summary["parameters"] == 7


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 100_000, "\xff"])
def test_a_manifest_that_can_not_be_read_is_named(content, run):
    (run / MANIFEST).write_text(content, "latin-1")
    with pytest.raises(ValueError, match=r"manifest\.json is damaged: it holds no checksums"):
        read_run(run)


@pytest.mark.slow
def test_an_edited_configuration_is_not_resumed_silently(run, python):
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("dropout: 0.0", "dropout: 0.1", 1))
    resume = ["-m", "seq2seq", "train", str(run), "--resume", "training.steps=42"]
    done = python(*resume)
    assert done.returncode == 2 and "config.yaml is not what the run wrote" in done.stderr
    manifest = read_manifest(run)
    del manifest["config.yaml"]
    (run / MANIFEST).write_text(json.dumps(manifest))
    done = python(*resume)
    assert done.returncode == 0, done.stderr
    assert "config.yaml was edited since the run began, and is used as edited" in done.stderr
    assert read_manifest(run).keys() >= {"config.yaml", "summary.json"}


def test_a_pipe_in_the_place_of_a_file_is_no_file(run):
    import os

    (run / "summary.json").unlink()
    os.mkfifo(run / "summary.json")
    with pytest.raises(ValueError, match="can't be read: it is no file"):
        read_checked(run / "summary.json")


def test_a_file_is_read_as_it_was_written_or_not_at_all(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("a")
    (tmp_path / MANIFEST).write_text(describe_files(tmp_path, [file.name]))
    assert read_checked(file) == b"a"
    for content in ("b", "", "aa"):
        file.write_text(content)
        with pytest.raises(NotAsWritten):
            read_checked(file)
