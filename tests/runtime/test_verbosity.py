"""Verbosity: notes, progress and the log of a command."""

import io
import logging

import pytest

from seq2seq.runtime import progress, verbosity
from seq2seq.runtime.verbosity import NORMAL, QUIET, VERBOSE, note, set_verbosity


@pytest.fixture(autouse=True)
def restored():
    yield
    set_verbosity(NORMAL)


@pytest.mark.parametrize(
    "level, expected", [(QUIET, ""), (NORMAL, "a note\n"), (VERBOSE, "a note\na log\n")]
)
def test_quiet_prints_no_notes_and_verbose_prints_the_log(capsys, level, expected):
    set_verbosity(level)
    note("a note")
    logging.getLogger("seq2seq").info("a log")
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("level", [QUIET, NORMAL, VERBOSE])
def test_warnings_are_printed_at_every_level(caplog, level):
    set_verbosity(level)
    logging.getLogger("seq2seq").warning("warning: damaged")
    assert "warning: damaged" in caplog.text


def test_notes_of_the_log_are_notes(caplog):
    for level, count in ((QUIET, 0), (NORMAL, 1), (QUIET, 1), (VERBOSE, 2)):
        set_verbosity(level)
        logging.getLogger("seq2seq").warning("note: %s is new", "a run")
        assert len(caplog.records) == count


def test_the_log_has_one_handler_and_loses_it(capsys):
    for level in (VERBOSE, VERBOSE, NORMAL):
        set_verbosity(level)
        logging.getLogger("seq2seq").info("loaded")
    assert capsys.readouterr().err == "loaded\nloaded\n"
    assert not logging.getLogger("seq2seq").handlers


def test_quiet_shows_no_progress(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(progress._Display, "file", file)
    monkeypatch.setattr(progress, "LOG_DELAY", 0)
    set_verbosity(QUIET)
    with progress.progress("predicting"):
        pass
    assert file.getvalue() == ""


def test_tracebacks_by_flag_or_by_environment_variable(monkeypatch):
    monkeypatch.delenv(verbosity.TRACEBACK, raising=False)
    assert not verbosity.has_tracebacks()
    monkeypatch.setenv(verbosity.TRACEBACK, "1")
    assert verbosity.has_tracebacks()
    monkeypatch.delenv(verbosity.TRACEBACK)
    set_verbosity(VERBOSE)
    assert verbosity.has_tracebacks() and verbosity.verbosity_flags() == ["--verbose"]
