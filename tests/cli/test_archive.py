"""The verb `archive`: one file of runs, without checkpoints and without names of people."""

import json
import shutil
import tarfile

import pytest

from seq2seq.runs.compare import flatten
from tests.cli.calls import call
from tests.conftest import ROOT

PARTS = ["config.yaml", "environment.json", "history.csv", "model.npz", "predictions.tsv"]
PARTS += ["manifest.json"]


def names(path):
    with tarfile.open(path) as tar:
        return sorted(member.name for member in tar.getmembers())


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run."""
    return shutil.copytree(trained, tmp_path / "runs/one")


def test_one_run_stands_in_a_directory_of_the_archives_name(run, capsys, tmp_path):
    (run / "changes.patch").write_text("patch")
    (run / "kept_data/train/1").mkdir(parents=True)
    (run / "kept_data/train/1/a.tsv").write_text("a\tb\n")
    status, out, err = call(capsys, "archive", run, "-o", tmp_path / "mine.tar.gz")
    size = (tmp_path / "mine.tar.gz").stat().st_size
    expected = f"written to {tmp_path / 'mine.tar.gz'}: 1 run, {size:,} bytes\n"
    assert (status, out, err) == (0, "", expected)
    more = ["changes.patch", "kept_data/train/1/a.tsv", "summary.json"]
    assert names(tmp_path / "mine.tar.gz") == sorted(f"mine/{name}" for name in [*PARTS, *more])
    with tarfile.open(tmp_path / "mine.tar.gz") as tar:
        assert {(m.uid, m.gid, m.uname, m.gname) for m in tar.getmembers()} == {(0, 0, "", "")}
        tar.extractall(tmp_path / "there", filter="data")
    for name in PARTS:
        assert (tmp_path / "there/mine" / name).read_bytes() == (run / name).read_bytes()


def test_the_model_that_a_run_starts_from_is_named_as_missing(run, capsys, tmp_path):
    (run / "manifest.json").unlink()  # the configuration is edited
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(text.replace("init_from: null", "init_from: runs/large"))
    _, _, err = call(capsys, "archive", run, "-o", tmp_path / "mine.tar.gz")
    assert "starts from is not in the archive (init_from=runs/large)" in err


def test_several_runs_keep_their_places_and_the_same_runs_make_the_same_file(run, capsys, tmp_path):
    shutil.copytree(run, tmp_path / "runs/grid/seed=0,units=8")
    (tmp_path / "again").mkdir()
    for name in ("a.tgz", "again/a.tgz"):
        assert call(capsys, "archive", tmp_path / "runs", "-o", tmp_path / name)[0] == 0
    assert (tmp_path / "a.tgz").read_bytes() == (tmp_path / "again/a.tgz").read_bytes()
    assert {name.rpartition("/")[0] for name in names(tmp_path / "a.tgz")} == {
        "a/one", "a/grid/seed=0,units=8",
    }  # fmt: skip


@pytest.mark.parametrize(
    "output, message",
    [
        ("a.zip", "a.zip must end with .tar.gz"),
        ("there.tar.gz", "there.tar.gz exists already; choose another name, or remove it first"),
        ("nowhere/a.tar.gz", "no such directory: "),
    ],
)
def test_where_it_can_not_be_written(output, message, run, capsys, tmp_path):
    (tmp_path / "there.tar.gz").write_text("mine")
    status, _, err = call(capsys, "archive", run, "-o", tmp_path / output)
    assert status == 2 and message in err and err.count("\n") == 1
    assert (tmp_path / "there.tar.gz").read_text() == "mine"


def test_a_failure_leaves_nothing(run, capsys, tmp_path):
    (run / "summary.json").write_text("{")
    status, _, err = call(capsys, "archive", run, "-o", tmp_path / "a.tar.gz")
    assert status == 2 and "summary.json" in err
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
    status, _, err = call(capsys, "archive", tmp_path / "none", "-o", tmp_path / "a.tar.gz")
    assert (status, err) == (2, f"error: no such directory: {tmp_path / 'none'}\n")


@pytest.mark.slow
def test_a_run_whose_data_is_gone_is_made_again_elsewhere(python, tmp_path):
    """Trained with kept data, or packed with it: unpacked, it reads its own copies."""
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    rows = "".join(f"{a}{b}{c}\t{c}{b}{a}\n" for a in "abcdef" for b in "ghijk" for c in "lmno")
    (tmp_path / "data/my.tsv").write_text(rows)
    words = ["task=pairs", "task.train=data/my.tsv", "model=lstm", "model.encoder.units=8"]
    words += ["training.epochs=1"]
    for name, more in (("kept", ["task.keep_data=true"]), ("packed", [])):
        done = python(ROOT / "train.py", *words, f"run_dir={name}", *more)
        assert done.returncode == 0, done.stderr
        options = [] if more else ["--data"]
        done = python("-m", "seq2seq", "archive", name, "-o", f"{name}.tar.gz", *options)
        assert done.returncode == 0 and done.stderr.count("\n") == 1, done.stderr
    done = python("-m", "seq2seq", "archive", "packed", "-o", "without.tar.gz")
    assert "note: " in done.stderr and "(task.train=data/my.tsv); --data packs it" in done.stderr
    (tmp_path / "data/my.tsv").write_text(rows.upper())
    done = python("-m", "seq2seq", "archive", "packed", "-o", "changed.tar.gz", "--data")
    assert done.returncode == 2 and "the examples are not those" in done.stderr
    (tmp_path / "data/my.tsv").unlink()
    for name in ("kept", "packed"):
        with tarfile.open(tmp_path / f"{name}.tar.gz") as tar:
            tar.extractall(tmp_path / "elsewhere", filter="data")
        again = python("-m", "seq2seq", "reproduce", f"elsewhere/{name}", "-o", f"again/{name}")
        assert again.returncode == 0 and ": identical\n" in again.stdout, again.stderr
    assert (tmp_path / "again/kept/kept_data/train/1/my.tsv").read_text() == rows
    done = python("-m", "seq2seq", "train", "kept", "--resume", "training.epochs=2")  # its own copy
    assert done.returncode == 0, done.stderr
    environment = dict(flatten(json.loads((tmp_path / "kept/environment.json").read_text())))
    assert "git_changes" in environment
