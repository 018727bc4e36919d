"""Calls of verbs in this process."""

import csv
import functools
import io

from seq2seq import load
from seq2seq.cli import main as cli


@functools.cache
def load_once(path):

    return load(path)


def call(capsys, *arguments):
    status = cli.main([*map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def pipe(monkeypatch, content):
    """Let standard input hold `content` (text or bytes)."""
    data = content.encode() if isinstance(content, str) else content
    stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)))
    monkeypatch.setattr("sys.stdin", stream)


PICTURES = b"\x89PNG", b"<?xml"


def check_files(directory, stem, err):
    """Three files, each named in a line; the rows of the table."""
    paths = [directory / f"{stem}.{kind}" for kind in ("tsv", "png", "svg")]
    assert [line for line in err.splitlines() if "written" in line] == [
        f"written: {path}" for path in paths
    ]
    for path, start in zip(paths[1:], PICTURES, strict=True):
        assert path.read_bytes().startswith(start)
    with open(paths[0], encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))
