"""Lines of a file or of a pipe, some at a time: memory does not grow with the input."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

CHUNK = 2048  # lines answered together
CHARACTERS = 2**20  # of lines answered together: long ones go fewer at a time


def batch_lines(lines: Iterable, size: int) -> Iterator[list]:
    """`lines` in lists of at most `size`, fewer where they are long.

    Where reading fails, what was read before comes first.
    """
    chunk, characters = [], 0
    try:
        for line in lines:
            chunk.append(line)
            characters += line_length(line)
            if len(chunk) == size or characters >= CHARACTERS:
                yield chunk
                chunk, characters = [], 0
    except ValueError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def line_length(line: Any) -> int:
    """Characters of a line, or of the pair that it holds."""
    return len(line) if isinstance(line, str) else sum(map(len, line.pair or ()))


def batch_as_available(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    """`lines` of a pipe in lists of at most `size`, as soon as there is any and no more waits.

    They are read ahead while others are answered, as many as make one list.
    """
    waiting: list[str] = []
    characters = 0  # of those
    ends: list[Exception | None] = []  # what ended the reading
    changed = threading.Condition()

    def has_room() -> bool:
        return len(waiting) < size and characters < CHARACTERS

    def read() -> None:
        nonlocal characters
        end = None
        try:
            for line in lines:
                with changed:
                    changed.wait_for(has_room)
                    waiting.append(line)
                    characters += len(line)
                    changed.notify()
        except Exception as error:  # it is raised below, after what was read before it
            end = error
        with changed:
            ends.append(end)
            changed.notify()

    threading.Thread(target=read, daemon=True).start()
    while True:
        with changed:
            changed.wait_for(lambda: waiting or ends)
            chunk, characters = waiting[:], 0
            waiting.clear()
            changed.notify()
        if not chunk:
            break
        yield chunk
    if ends[0] is not None:
        raise ends[0]
