"""Options of decoding, and their order on the command line."""

import pytest

from seq2seq.cli import main as cli
from tests.cli.calls import call


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ("predict R --width 3 abc", {"sources": ["abc"], "width": 3}),
        ("predict R abc --width 3 def", {"sources": ["abc", "def"]}),
        ("predict --width 3 R abc", {"run": "R", "sources": ["abc"]}),
        ("predict R --unknown token -- -abc --x", {"sources": ["-abc", "--x"]}),
        ("predict R -- -abc", {"sources": ["-abc"]}),
        ("predict R -3", {"sources": ["-3"]}),
        ("predict R --prefix=-in --banned=-- --banned a", {"prefix": "-in", "banned": ["--", "a"]}),
        ("predict R --input -", {"input": "-", "sources": []}),
        ("evaluate R --pairs -", {"pairs": "-"}),
        ("inspect R --top 3 a b --gates", {"sources": ["a", "b"], "gates": True}),
        ("interpolate R abc --steps 3 def", {"sources": ["abc", "def"]}),
        ("interpolate R --steps 3 -- -a -b", {"sources": ["-a", "-b"]}),
        ("report A -o X B", {"directories": ["A", "B"], "output": "X"}),
        ("report --metric exact_match A", {"directories": ["A"], "metric": ["exact_match"]}),
        ("report A --metric a,b B", {"directories": ["A", "B"], "metric": ["a", "b"]}),
        ("capacity A -o X B", {"runs": ["A", "B"]}),
    ],
)
def test_options_and_texts_stand_in_any_order(arguments, expected, monkeypatch):
    verb, received = arguments.split()[0], []
    monkeypatch.setattr(cli.VERBS[verb], "run", received.append)
    assert cli.main(arguments.split()) == 0
    assert {name: getattr(received[0], name) for name in expected} == expected


@pytest.mark.slow
def test_constraints_on_the_command_line(capsys, cached_run, tmp_path):
    (tmp_path / "words").write_text("abba\ncc\n")
    _, out, _ = call(capsys, "predict", cached_run, "ab", "c", "--lexicon", tmp_path / "words")
    assert set(out.split()) <= {"abba", "cc"}
    _, out, _ = call(capsys, "predict", cached_run, "ab", "--prefix", "ccc", "--width", 3)
    assert out.startswith("ccc")
    flags = ("--banned", "a", "--no-repeat-ngram-size", 1, "--min-length", 1)
    _, out, _ = call(capsys, "predict", cached_run, "ab", "ba", *flags)
    assert all("a" not in line and len(set(line)) == len(line) for line in out.split())


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--strategy", "beam", "--top-k", 2], "--top-k belongs to --strategy sample"),
        (["--temperature", 2, "--width", 3], "--temperature belongs to --strategy sample"),
        (["--strategy", "greedy", "--n-best", 2], "n_best=2 is more than this strategy returns: 1"),
        (["--width", 2, "--n-best", 3], "width 2 has no 3 best hypotheses"),
        (["--max-length", "twice"], "max_length must be a whole number, or like"),
        (["--banned", "z"], "names 'z', which the model cannot generate"),
        (["--unknown", "copy"], "unknown=copy needs attention"),
        (["--coverage-penalty", 1], "this model has no attention weights"),
        (["--lexicon", "/nowhere"], "no such file: /nowhere"),
        (["--prefix", "z"], "symbol 'z' at position 1"),
    ],
)
def test_flags_that_do_not_fit_are_refused(capsys, cached_run, flags, message):
    status, out, err = call(capsys, "predict", cached_run, "ab", *flags)
    assert status == 2 and message in err and out == "" and err.count("\n") == 1
