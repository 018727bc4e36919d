"""The verb `inspect`."""

import importlib.util
from dataclasses import replace

import pytest

from seq2seq.cli import inspect
from seq2seq.cli import main as cli
from seq2seq.inference.trace import Trace
from tests.analysis.fake_trace import make_trace
from tests.cli.calls import call, load_once


@pytest.fixture
def fake_trace(monkeypatch):
    """A run that answers any sources with made-up traces, and loads no engine."""

    class Run:
        decoding = None

        def trace(self, sources, gates, top, decoding) -> Trace:
            self.requested = {"gates": gates, "top": top}
            return make_trace(sources, [source[::-1] for source in sources], top=top, gates=gates)

        def predict(self, sources, decoding) -> list[str]:
            return [source[::-1] for source in sources]

    run = Run()
    monkeypatch.setattr(inspect, "load_run", lambda path: run)
    monkeypatch.setattr(inspect, "choose_decoding", lambda options, decoding: decoding)
    return run


def test_a_trained_model_is_inspected(cached_run, eager, capsys, tmp_path):
    directory = tmp_path / "a/b"
    status, out, err = call(
        capsys, "inspect", cached_run, "abc", "-o", directory, "--max-length", 4
    )
    run = load_once(cached_run)
    answers = run.predict(["abc"], decoding=replace(run.decoding, max_length=4))
    assert (status, out) == (0, f"{answers[0]}\n")
    assert err == f"written to {directory}: inspect.html, inspect.png, inspect.svg\n"
    assert {path.name for path in directory.iterdir()} == {
        "inspect.html",
        "inspect.png",
        "inspect.svg",
    }
    answer = load_once(cached_run).trace("abc").outputs[0]
    shown = (directory / "inspect.html").read_text("utf-8").split("<title>")[1].split("</title>")[0]
    assert shown.startswith("\u2068abc\u2069 → \u2068") and answer[0] in shown


def test_by_default_it_writes_beside_the_model(fake_trace, capsys, tmp_path):
    (tmp_path / "model.npz").touch()
    for run in (tmp_path, tmp_path / "model.npz"):
        assert call(capsys, "inspect", run, "ab", "--no-figure")[0] == 0
        assert [path.name for path in (tmp_path / "analysis").iterdir()] == ["inspect.html"]


def test_several_sources_have_one_page_and_a_figure_each(fake_trace, capsys, tmp_path):
    arguments = ["inspect", "run", "ab", "c", "-o", tmp_path, "--gates", "--top", 3]
    _, out, err = call(capsys, *arguments)
    assert out == "ba\nc\n"
    assert fake_trace.requested == {"gates": True, "top": 3}
    names = ["inspect-1.png", "inspect-1.svg", "inspect-2.png", "inspect-2.svg", "inspect.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert err.count("\n") == 1


def test_figures_that_are_not_drawn_are_reported(fake_trace, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(inspect, "MAX_FIGURES", 1)
    _, _, err = call(capsys, "inspect", "run", "ab", "c", "-o", tmp_path)
    assert err.endswith("figures are of the first 1 of 2 sources; the page shows all\n")
    assert not (tmp_path / "inspect-2.png").exists()


def test_missing_matplotlib_is_reported_before_the_run_is_loaded(capsys, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find_spec(name)
    )
    status, _, err = call(capsys, "inspect", "nowhere", "ab")
    assert status == 2 and "pip install 'keras-seq2seq[analysis]', or --no-figure" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["abc", "\u00e9"], "source 2: symbol 'é' at position 1 was never seen in training"),
        (["abc", "--min-p", "2"], "decoding.min_p must be a number above 0"),
        (["abc", "--lexicon", "missing.txt"], "missing.txt"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    cached_run, eager, capsys, tmp_path, arguments, message
):
    status, out, err = call(capsys, "inspect", cached_run, *arguments, "-o", tmp_path / "new")
    assert (status, out) == (2, "") and message in err and err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_file_for_a_directory_is_refused(capsys, tmp_path):
    (tmp_path / "file").touch()
    status, _, err = call(capsys, "inspect", "run", "ab", "-o", tmp_path / "file")
    assert status == 2 and f"--output {tmp_path / 'file'} is a file" in err


def test_sources_and_runs_are_required(capsys):
    for arguments in (["inspect"], ["inspect", "run"], ["inspect", "run", "a", "--with", "b"]):
        with pytest.raises(SystemExit) as exit:
            cli.main(arguments)
        assert exit.value.code == 2


def test_a_link_in_a_run_is_not_written_through(fake_trace, capsys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run/analysis").symlink_to(tmp_path / "elsewhere")
    status, _, err = call(capsys, "inspect", tmp_path / "run", "ab", "--no-figure")
    assert status == 2 and "analysis is a link, and is not followed" in err
    assert [*(tmp_path / "elsewhere").iterdir()] == []


@pytest.mark.slow
def test_a_style_of_the_current_directory_changes_nothing(trained, python, tmp_path):
    """LaTeX, which is not there, would draw each text."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    done = python("-m", "seq2seq", "inspect", trained, "abc", "-o", "shown")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "shown/inspect.png").is_file()
