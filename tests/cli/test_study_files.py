"""The verbs that study states: tables, files, and what they refuse."""

import csv
import importlib.util

import pytest

from seq2seq import load
from seq2seq.analysis import probing
from seq2seq.cli import probe
from seq2seq.cli.run_argument import predictions_of
from seq2seq.evaluation.predictions import read_examples
from tests.cli.test_main import call

PICTURES = b"\x89PNG", b"<?xml"


@pytest.fixture(scope="module")
def loaded(trained):
    return load(trained)


@pytest.fixture
def run(trained, loaded, replace_load_run):
    """The run, loaded once."""
    replace_load_run(lambda path: loaded)
    return trained


def check_files(place, stem, err):
    """Three files, each named in a line; the rows of the table."""
    paths = [place / f"{stem}.{kind}" for kind in ("tsv", "png", "svg")]
    assert [line for line in err.splitlines() if "written" in line] == [
        f"written: {path}" for path in paths
    ]
    for path, start in zip(paths[1:], PICTURES, strict=True):
        assert path.read_bytes().startswith(start)
    with open(paths[0], encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_ablate(capsys, run, tmp_path):
    status, out, err = call(capsys, "ablate", run, "-o", tmp_path / "new")
    assert status == 0 and "of 5 held-out examples" in out
    rows = check_files(tmp_path / "new", "ablate", err)
    assert [row["state"] for row in rows][:3] == ["as trained", "zeroed", "shuffled"]
    for row in rows:
        assert f"| {row['state']} " in out and row["count"] == "5"
        assert float(row["low"]) <= float(row["exact_match"]) <= float(row["high"])
    status, out, err = call(capsys, "ablate", run, "--examples", 3, "--no-figure", "-o", tmp_path)
    assert status == 0 and "of 3 held-out examples (of 5, evenly spread)" in out
    assert err == f"written: {tmp_path / 'ablate.tsv'}\n"


def test_probe(capsys, run, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "MIN_TEST", 1)
    status, out, err = call(capsys, "probe", run, "--examples", 3000, "-o", tmp_path)
    assert status == 0 and "3,000 training sources, evaluated on 5 held-out ones" in out
    rows = check_files(tmp_path, "probe", err)
    assert {row["from"] for row in rows} == {"hidden", "cell", "both"}
    assert [row["source_length"] for row in rows].count("all") == 3
    assert out.count("source length by position") == 3 and "majority class" in out
    assert "left out, with fewer than 200 training and 1 held-out sources: length " in err


def test_interpolate(capsys, run):
    status, out, err = call(capsys, "interpolate", run, "abc", "ba", "--steps", 5)
    assert status == 0 and err == ""
    rows = [line.split("|") for line in out.splitlines()[2:]]
    assert [row[1].strip() for row in rows] == ["0.000", "0.250", "0.500", "0.750", "1.000"]
    ends = load(run).predict(["abc", "ba"])
    assert [rows[0][2].strip(), rows[-1][2].strip()] == ends


def test_capacity(capsys, trained, tmp_path):
    status, out, err = call(capsys, "capacity", trained, "-o", tmp_path)
    assert status == 0 and "| 16 units | 1 " in out
    rows = check_files(tmp_path, "capacity", err)
    assert rows[0]["source_length"] == "all" and {row["units"] for row in rows} == {"16"}


def test_files_stand_beside_the_model(capsys, run):
    status, _, err = call(capsys, "ablate", run, "--no-figure")
    assert status == 0 and err == f"written: {run / 'analysis' / 'ablate.tsv'}\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["probe", "nowhere"], "nowhere is no run directory: config.yaml"),
        (
            ["probe", "RUN", "--examples", "500"],
            "no length has 200 training and 20 held-out sources",
        ),
        (["interpolate", "RUN", "abc", "?"], "source 2: symbol '?' at position 1"),
        (["interpolate", "RUN", "a", "b", "--steps", "1"], "at least 2, got 1"),
        (["capacity", "nowhere"], "no such directory: nowhere"),
        (["ablate", "RUN", "--pairs", "nowhere.tsv"], "no such file: nowhere.tsv"),
        (["ablate", "RUN", "-o", "RUN/model.npz"], "is a file, a directory was expected"),
    ],
)
def test_bad_requests_are_one_line(capsys, run, arguments, message):
    given = [one.replace("RUN", str(run)) for one in arguments]
    status, out, err = call(capsys, *given)
    assert status == 2 and message in err and out == "" and err.count("\n") == 1


def test_a_missing_extra_is_named_before_any_work(capsys, monkeypatch, replace_load_run):
    replace_load_run(None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for verb in ("ablate", "capacity"):
        status, out, err = call(capsys, verb, "run")
        assert status == 2 and out == "" and err.count("\n") == 1
        words = "matplotlib is not installed: pip install 'seq2seq[analysis]', or --no-figure for"
        assert words in err
    assert "scikit-learn is not installed" in call(capsys, "probe", "run", "--no-figure")[2]


def test_training_sources_are_those_of_the_run(trained):
    sources, told = probe.training_sources(str(trained), 50)
    assert len(sources) == 50 and told == "50 training sources"
    assert all(set(source) <= set("abc") for source in sources)
    held_out = read_examples(predictions_of(str(trained)))
    assert not {example.source for example in held_out} & set(sources)
