"""The command line: sources from standard input, one a line, to answers on standard output."""

from __future__ import annotations

import argparse
import itertools
import os
import re
import sys
from collections.abc import Iterator
from io import BufferedReader

from seq2seq.runtime.predictor import BadSource, load
from seq2seq.runtime.vocabulary import UNKNOWN_POLICIES

MAX_NAMED = 10  # lines without an answer that are named


def main(arguments: list[str] | None = None) -> int:
    """Predict standard input to standard output; the exit status."""
    parser = argparse.ArgumentParser(
        description="Answer sources with a trained model, one a line, from standard input."
    )
    add = parser.add_argument
    add("run", metavar="RUN", help="a run directory, or a model.npz")
    add("--width", type=int, metavar="N", help="beam search with N hypotheses per source")
    add("--length-penalty", metavar="ALPHA", help="length penalty of the beam, or average")
    add("--n-best", type=int, metavar="N", help="N answers per source, separated by tabs")
    add("--scores", action="store_true", help="print the log-probability after each answer")
    add(
        "--unknown",
        choices=(*UNKNOWN_POLICIES, "skip"),
        help="a symbol never seen in training; skip: its line stays empty, and that is no error",
    )
    add(
        "--max-length",
        metavar="N",
        help="maximum length of an answer in tokens, or 1.5x the source's",
    )
    options = parser.parse_args(arguments)
    try:
        predict_standard_input(options)
    except BrokenPipeError:  # the reader (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, MemoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def predict_standard_input(options: argparse.Namespace) -> None:
    """Predict each line of standard input as soon as it arrives."""
    alpha, max_length, predictor = options.length_penalty, options.max_length, load(options.run)
    if alpha is not None and re.fullmatch(r"\d+\.?\d*|\.\d+", alpha):
        alpha = float(alpha)
    if max_length is not None and max_length.isdecimal():
        max_length = int(max_length)
    skip = options.unknown == "skip"
    unknown = "error" if skip else options.unknown
    plan = predictor.plan(options.width, alpha, options.n_best, unknown, max_length)
    count, problems = 0, []
    for lines in batch_as_available(sys.stdin.buffer):
        while lines:
            try:
                for hypotheses in predictor.hypotheses(decode(lines), plan):
                    write_line(hypotheses, options.scores)
                number = len(lines)
            except BadSource as error:  # those before it are answered
                number = error.number
                problems.append(f"line {count + number}: {error.reason}")
                sys.stdout.buffer.write(b"\n")
            count += number
            lines = lines[number:]
        sys.stdout.buffer.flush()
    report_unanswered(problems, count, skip)


def write_line(hypotheses: list, with_scores: bool) -> None:
    """Write the hypotheses of a source, separated by tabs."""
    parts = [(each.text, f"{each.score:.4f}")[: 1 + with_scores] for each in hypotheses]
    line = "\t".join(itertools.chain(*parts)).replace("\n", "\\n").replace("\r", "\\r")
    sys.stdout.buffer.write(line.encode() + b"\n")


def report_unanswered(problems: list[str], count: int, skip: bool) -> None:
    """Name the lines that have no answer; a ValueError unless they are skipped."""
    if len(problems) == 1 and not skip:
        raise ValueError(problems[0])
    for problem in problems[:MAX_NAMED]:
        print(problem, file=sys.stderr)
    if problems:
        summary = f"{len(problems):,} of {count:,} lines have no answer"
        if not skip:
            raise ValueError(f"{summary} (--unknown skip: no error; --unknown token: read them)")
        print(f"note: {summary}", file=sys.stderr)


def batch_as_available(file: BufferedReader) -> Iterator[list[bytes]]:
    """Lines of `file`, without their ends, as many at a time as can be read."""
    unfinished: list[bytes] = []  # of a line whose end has not arrived
    is_first = True
    while block := file.read1(65_536):
        block = block.removeprefix(b"\xef\xbb\xbf") if is_first else block  # a byte-order mark
        is_first = False
        line, *following = block.split(b"\n")
        unfinished.append(line)
        if following:
            *lines, last = b"".join(unfinished), *following
            unfinished = [last]
            yield lines
    if last := b"".join(unfinished):
        yield [last]


def decode(lines: list[bytes]) -> Iterator[str]:
    """Decode lines of UTF-8."""
    for number, line in enumerate(lines, 1):
        try:
            yield line.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            raise BadSource(number, f"not UTF-8 ({error.reason})") from None
