"""Whatever text comes in: as many lines out, no exception, and memory that does not grow."""

import random
import subprocess
import sys

import pytest

from seq2seq import Decoder, Encoder, Seq2Seq, Vocabulary
from seq2seq.inference.decoding_options import Decoding
from seq2seq.inference.predictor import Predictor
from tests.conftest import ROOT

# Controls, letters, marks and joiners, separators, private and unassigned ones, and all the rest.
KINDS = [range(0x20), range(0x20, 0x7F), range(0x80, 0x3000), range(0xE000, 0x110000)]
KINDS += [range(0x300, 0x370), range(0x2000, 0x2070), range(0x1F300, 0x1F700), range(0xD800)]
ODD = "ab\t\n\r\0\x1b\\\u2028\x85\u0301👩\u200d\ufeff"  # symbols of the model


def any_line(rng):
    """A line of random characters, mostly short, now and then very long."""
    length = rng.choices(
        [rng.randint(0, 30), rng.randint(30, 200), rng.randint(200, 3000)], [980, 19, 1]
    )
    kinds = [rng.choice(KINDS)] if rng.random() < 0.5 else KINDS
    characters = (chr(rng.choice(rng.choice(kinds))) for _ in range(length[0]))
    return "".join(characters).replace("\n", "\r")


@pytest.fixture(scope="module")
def odd_text_run(tmp_path_factory):
    """A run whose model generates odd characters, mostly until the length limit."""
    import numpy as np

    letters, rng = Vocabulary(ODD), np.random.default_rng(0)
    sizes = {"units": 8, "vocabulary_size": len(letters), "embedding_size": 8}
    model = Seq2Seq(Encoder(**sizes), Decoder(**sizes))
    for weight in model.weights:
        weight.assign(rng.normal(0.0, 1.2, weight.shape))
    lengths = {"longest_source": 9, "longest_target": 9, "target_length": None}
    run = tmp_path_factory.mktemp("odd_text_run")
    predictor = Predictor(model, letters, letters, Decoding(unknown="token"), lengths)
    predictor.save(run / "model.npz")
    return run


CODE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[3:], stdin=open(sys.argv[1], "rb"), stdout=open(sys.argv[2], "wb"))
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def answer(directory, lines, *command):
    """The answers to `lines`, and the most MiB that the program needed."""
    (directory / "in").write_bytes(b"".join(f"{line}\n".encode() for line in lines))
    arguments = [
        sys.executable,
        "-c",
        CODE,
        directory / "in",
        directory / "out",
        sys.executable,
        *command,
    ]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
    status, peak = map(int, done.stdout.split())
    assert status == 0, done.stderr[-2000:]
    out = (directory / "out").read_bytes()
    assert out.endswith(b"\n")
    return out.decode().split("\n")[:-1], peak


@pytest.mark.slow
def test_a_hundred_thousand_lines_of_any_text(odd_text_run, tmp_path):
    rng = random.Random(0)
    lines = [any_line(rng) for _ in range(100_000)]
    assert max(map(len, lines)) > 2000 and "" in lines
    programs = {  # with the number of lines: Keras takes ten times as long
        "keras": (20_000, ("-m", "seq2seq", "predict", odd_text_run)),
        "numpy": (100_000, ("-m", "seq2seq.runtime", odd_text_run)),
    }
    answers = {}
    for name, (count, command) in programs.items():
        few, smaller_peak = answer(tmp_path, lines[: count // 2], *command)
        answers[name], peak = answer(tmp_path, lines[:count], *command)
        assert len(answers[name]) == count and answers[name][: count // 2] == few
        # A busy machine alone makes Keras's peaks differ by 130 MiB.
        assert peak < smaller_peak + (200 if name == "keras" else 5), (name, smaller_peak, peak)
    same = sum(
        keras_answer == numpy_answer
        for keras_answer, numpy_answer in zip(answers["keras"], answers["numpy"], strict=False)
    )
    assert same > 19_950 and len(set(answers["numpy"])) > 500


def test_any_text_is_answered_by_the_numpy_program(odd_text_run, tmp_path):
    rng = random.Random(1)
    lines = [
        *("\r", "\r\r", "\0", "\u2028", "\x85", "\ufeff", "", "\ufeff\r"),
        *(any_line(rng) for _ in range(500)),
    ]
    out, _ = answer(tmp_path, lines, "-m", "seq2seq.runtime", odd_text_run, "--max-length", "1x")
    assert len(out) == len(lines) and len(set(out)) > 50


def test_a_line_of_a_million_characters_is_read_at_once(odd_text_run, tmp_path):
    from seq2seq.runtime.command_line import batch_as_available

    long, path = "x" * 10**6, tmp_path / "in"
    path.write_text(f"{long}\n{long}\r\n\n{long}")
    with open(path, "rb") as file:
        received = [line for lines in batch_as_available(file) for line in lines]
    assert [len(line) for line in received] == [10**6, 10**6 + 1, 0, 10**6]
