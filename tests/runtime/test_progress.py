"""Progress: seen where work takes long, and nowhere else."""

import io
import threading

import pytest

import seq2seq.runtime.progress as module
from seq2seq.runtime.progress import busy, progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    """The text that is shown, without a delay."""
    file = io.StringIO()
    monkeypatch.setattr(module._Display, "file", file)
    monkeypatch.setattr(module, "TERMINAL_DELAY", 0)
    monkeypatch.setattr(module, "LOG_DELAY", 0.01)
    return file


def wait_for(file, text):
    for _ in range(500):
        if text in file.getvalue():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{text!r} is not in {file.getvalue()!r}")


def test_a_log_has_lines(shown):
    with progress("predicting", 2_000, "sources") as advance:
        advance(1_500)
        wait_for(shown, "predicting: 1,500 of 2,000 sources, 0 s\n")


def test_a_log_of_an_endless_stream(shown):
    with progress("predicting", unit="lines") as advance:
        advance()
        advance()
        wait_for(shown, "predicting: 2 lines, 0 s\n")
    with progress("loading runs/latest"):
        wait_for(shown, "loading runs/latest: 0 s\n")


def test_a_terminal_has_a_bar_that_goes_away(monkeypatch, shown):
    terminal = Terminal()
    monkeypatch.setattr(module._Display, "file", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress("probing", 8, "probes") as advance:
        advance(3)
        wait_for(terminal, "3/8")
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is erased
    assert "probing" in terminal.getvalue()


def test_quick_work_shows_nothing(monkeypatch):
    for file in (io.StringIO(), Terminal()):
        monkeypatch.setattr(module._Display, "file", file)
        with progress("predicting", 2) as advance:
            advance()
        assert file.getvalue() == ""


def test_work_inside_work_shows_no_bar_of_its_own(shown):
    with progress("ablating", 9, "changes"):
        with progress("predicting", 100, "sources") as advance:
            advance(50)
        wait_for(shown, "ablating: 0 of 9 changes")
    with busy(), progress("predicting", 100, "sources"):
        pass
    assert "predicting" not in shown.getvalue()
    with pytest.raises(RuntimeError), progress("probing"):
        raise RuntimeError
    with progress("probing"):  # what failed is over
        wait_for(shown, "probing: 0 s")


def test_from_python_nothing_is_shown(monkeypatch, capfd):
    monkeypatch.setattr(module, "LOG_DELAY", 0)
    with progress("predicting", 3) as advance:
        advance()
    assert capfd.readouterr() == ("", "")
