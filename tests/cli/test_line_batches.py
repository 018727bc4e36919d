"""Lines are answered some at a time, and as soon as they are there."""

import threading
import time

import pytest

from seq2seq.cli import line_batches
from seq2seq.cli.line_batches import batch_as_available, batch_lines


def test_long_lines_go_few_at_a_time(monkeypatch):
    monkeypatch.setattr(line_batches, "CHARACTERS", 10)
    lines = ["a" * n for n in (1, 2, 3, 4, 25, 3, 0, 9, 1)]
    parts = list(batch_lines(lines, 4))
    assert [len(part) for part in parts] == [4, 1, 3, 1]
    assert [line for part in parts for line in part] == lines
    parts = list(batch_as_available(iter(lines * 50), 4))
    assert [line for part in parts for line in part] == lines * 50
    assert all(sum(map(len, part[:-1])) < 10 and len(part) <= 4 for part in parts)


def test_few_lines_are_read_ahead(monkeypatch):
    monkeypatch.setattr(line_batches, "CHARACTERS", 1000)
    count = 0

    def lines():
        nonlocal count
        for _ in range(100):
            count += 1
            yield "a" * 600

    read = batch_as_available(lines(), 2048)
    first = next(read)
    time.sleep(0.2)  # the reader has all the time it wants
    assert len(first) <= 2 and count <= len(first) + 3


def test_lines_are_answered_as_they_arrive_and_in_order():
    """A line is not kept waiting for others; none is lost or exchanged."""
    gate, received = threading.Event(), []

    def lines():
        yield "first"
        gate.wait(10)
        yield from map(str, range(5000))

    for chunk in batch_as_available(lines(), 64):
        received += chunk
        assert len(chunk) <= 64
        if chunk == ["first"]:
            gate.set()
    assert gate.is_set() and received == ["first", *map(str, range(5000))]


def test_lines_read_before_an_error_are_answered():
    def lines():
        yield "a"
        raise ValueError("line 2: not UTF-8")

    read = batch_as_available(lines(), 64)
    assert next(read) == ["a"]
    with pytest.raises(ValueError, match="line 2"):
        next(read)
