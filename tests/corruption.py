"""Damage for tests: bytes that were cut, flipped and moved, and JSON with other values."""

import copy
import re
import struct

SIGNATURES = b"PK(?:\1\2|\5\6|\3\4)"  # of the parts of a zip file
SIZES = (0, 1, 8, 12, 14, 99, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
VALUES = [
    *(None, True, False, 0, 1, -1, 2, 3, 10**6, 10**9, 10**18, 10**30, -(10**9), 0.5, 1e308),
    *(float("nan"), float("inf"), -float("inf"), 1e-300, "", "a", "x" * 1000, "\ud800", "\0"),
    *("9" * 30 + "x", "99999999999x+99999999999", "1x", "<end>", [], [1], ["a"], ["a", "a"]),
    *([None], [[]], {}, {"a": 1}, {"name": "greedy"}, {"name": "beam", "width": 10**9}, "words"),
    *("numbers", "tagged", "average", "beam", "sample", "gru", "rnn", "tied", "pointer"),
    *("seq2seq>Copy", "seq2seq>Dense", "seq2seq>Zero", "seq2seq>FixedContext", "seq2seq>Local"),
    {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "eval"},
    {"class_name": "__lambda__", "config": {"value": "x"}},
]


def cut(content, rng):
    """The file ends early."""
    return content[: rng.integers(len(content))]


def flip(content, rng):
    """A few bits are others."""
    changed = bytearray(content)
    for index in rng.integers(0, len(content), rng.integers(1, 4)):
        changed[index] ^= 1 << rng.integers(8)
    return bytes(changed)


def overwrite_end(content, rng):
    """A few bytes near the end are others, where a zip file lists its parts."""
    changed = bytearray(content)
    first = max(0, len(content) - 1500)
    for index in rng.integers(first, len(content), rng.integers(1, 6)):
        changed[index] = rng.integers(256)
    return bytes(changed)


def leave_out(content, rng):
    """Bytes are missing."""
    index = rng.integers(len(content))
    return content[:index] + content[index + rng.integers(1, 20) :]


def insert(content, rng):
    """Bytes were put in."""
    index = rng.integers(len(content))
    return content[:index] + rng.bytes(rng.integers(1, 50)) + content[index:]


def repeat(content, rng):
    """A stretch stands where another one stood."""
    to, start = rng.integers(0, len(content), 2)
    count = rng.integers(1, 200)
    return content[:to] + content[start : start + count] + content[to + count :]


def edit_zip(content, rng):
    """A field of the zip file has another size, position, method or flag."""
    positions = [match.start() for match in re.finditer(SIGNATURES, content)]
    position = positions[rng.integers(len(positions))] + rng.integers(4, 46)
    field = struct.pack("<I", SIZES[rng.integers(len(SIZES))])[: (1, 2, 4)[rng.integers(3)]]
    return content[:position] + field + content[position + len(field) :]


def edit_arrays(content, rng):
    """The header of an array has another type, order or shape."""
    positions = [match.start() for match in re.finditer(rb"\x93NUMPY", content)]
    position = positions[rng.integers(len(positions))]
    texts = (b"'|O'", b"True ", b"9999", b"-1", b"(9999999999, 9999999999)", b"__import__")
    text = texts[rng.integers(len(texts))]
    position += rng.integers(0, 110)
    return content[:position] + text + content[position + len(text) :]


def append(content, rng):
    """Something stands behind it."""
    return content + rng.bytes(rng.integers(1, 2000))


TEXT_DAMAGES = [cut, flip, overwrite_end, leave_out, insert, repeat, append]
DAMAGES = [cut, flip, overwrite_end, leave_out, insert, repeat, edit_zip, edit_arrays, append]


def paths_of(node, path=()):
    """The path of every value in nested dictionaries and lists."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in pairs:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from paths_of(value, (*path, key))


def alter_values(node, rng, within=None):
    """A copy of nested dictionaries that lacks one or two values, or holds others.

    Args:
        node: what is copied.
        rng: NumPy's.
        within: keys of `node`, below which it happens; None: all.
    """
    changed = copy.deepcopy(node)
    for _ in range(rng.integers(1, 3)):
        paths = [at for at in paths_of(changed) if within is None or at[0] in within]
        *path, last = paths[rng.integers(len(paths))]
        part = changed
        for key in path:
            part = part[key]
        if rng.integers(6) == 0:
            del part[last]
        else:
            part[last] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return changed
