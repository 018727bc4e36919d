"""Signals: the first is recorded, the second has its default effect."""

import os
import signal
import threading

import pytest

from seq2seq.training.signals import PARENT, Interrupted, Signals, handled_signals

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize("number", ENDING)
def test_the_first_is_remembered(number, capfd):
    previous_handlers = [signal.getsignal(signum) for signum in ENDING]
    with Signals() as signals:
        assert signals.received is None
        signal.raise_signal(number)
        assert signals.received == number
        assert [signal.getsignal(signum) for signum in ENDING] == previous_handlers
    assert f"{signal.Signals(number).name}: finishing the current step" in capfd.readouterr().err
    assert str(Interrupted(number)) == f"interrupted by {signal.Signals(number).name}"


def test_a_hangup_that_is_ignored_stays_so():
    """As `nohup` wants it."""
    previous_handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in handled_signals()
        with Signals() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert signals.received is None
    finally:
        signal.signal(signal.SIGHUP, previous_handler)
    assert signal.SIGHUP in handled_signals()


def test_the_second_acts():
    with Signals():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_without_a_signal_the_handlers_are_restored():
    with Signals() as signals:
        pass
    assert signals.received is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_leave_signals_alone():
    def enter():
        with Signals():
            handlers.append(signal.getsignal(signal.SIGINT))

    handlers = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_a_process_that_lost_the_one_that_started_it_ends_in_good_order(monkeypatch):
    monkeypatch.setenv(PARENT, str(os.getppid()))
    assert Signals().received is None
    assert PARENT not in os.environ  # what a run starts has another parent
    monkeypatch.setenv(PARENT, "1234567")  # as after a SIGKILL of the grid
    assert Signals().received == signal.SIGTERM
