"""Overrides of decoding: which words are taken, what they change, and what they contradict."""

import argparse

import pytest

from seq2seq.cli import main as cli
from seq2seq.cli.decoding_overrides import check_key, override_decoding, split_overrides
from seq2seq.config import build_decoding, compose
from seq2seq.config_errors import explain
from seq2seq.decoding import Beam, Sample
from seq2seq.inference.decoding_options import Decoding
from tests.cli.calls import call, pipe


@pytest.mark.parametrize(
    "line, taken, remaining",
    [
        ("R abc decoding=beam decoding.width=5", "decoding=beam decoding.width=5", "R abc"),
        ("decoding=beam R a=b", "decoding=beam", "R a=b"),
        (
            "R decoding decoding. decoder=x decoding.x",
            "",
            "R decoding decoding. decoder=x decoding.x",
        ),
        ("R -- decoding=beam", "", "R -- decoding=beam"),
        ("R decoding=greedy -- decoding=beam", "decoding=greedy", "R -- decoding=beam"),
        ("R --prefix decoding=a decoding=beam", "decoding=beam", "R --prefix decoding=a"),
        ("R --scores decoding=beam", "decoding=beam", "R --scores"),
        ("R +decoding.x=1 training.steps=3", "", "R +decoding.x=1 training.steps=3"),
    ],
)
def test_words_of_decoding_are_split_off_and_texts_stay(line, taken, remaining):
    parser = cli.make_parsers()[1]["predict"]
    assert split_overrides(parser, line.split()) == (taken.split(), remaining.split())


def override(decoding, *words, **flags):
    return override_decoding(decoding, words, argparse.Namespace(**flags))


SAMPLED = Decoding(Sample(top_k=2), 7, banned=["a"])
RUN = Decoding(Beam(width=9, length_penalty=0.3), max_length=7, banned=["a"])


@pytest.mark.parametrize(
    "words, expected, choice",
    [
        ([], RUN, None),
        (["decoding.width=4"], Decoding(Beam(4, 0.3), 7, banned=["a"]), None),
        (["decoding=beam"], RUN, "beam"),
        (["decoding=greedy"], Decoding(None, 7, banned=["a"]), "greedy"),
        (
            ["decoding=sample", "decoding.top_k=2"],
            SAMPLED,
            "sample",
        ),
        (
            ["decoding.top_k=2", "decoding=sample"],
            SAMPLED,
            "sample",
        ),
        (["decoding.max_length=1.5x"], Decoding(RUN.strategy, "1.5x", banned=["a"]), None),
        (["decoding.banned=[!,b]"], Decoding(RUN.strategy, 7, banned=["!", "b"]), None),
        (["decoding.max_length=null"], Decoding(RUN.strategy, banned=["a"]), None),
        (["decoding.width=3", "decoding.width=4"], Decoding(Beam(4, 0.3), 7, banned=["a"]), None),
    ],
)
def test_overrides_change_what_they_name_and_nothing_else(words, expected, choice):
    assert override(RUN, *words) == (expected, choice)


def test_they_mean_what_they_mean_in_training():
    words = ["decoding=beam", "decoding.width=3", "decoding.length_penalty=0.6"]
    assert override(Decoding(), *words)[0] == build_decoding(compose(words))


@pytest.mark.parametrize(
    "words, message",
    [
        (
            ["decoding=baem"],
            "unknown decoding 'baem'; did you mean 'beam'? There are: beam, greedy",
        ),
        (["decoding.width=0"], "decoding.width must be a whole number of at least 1, got 0"),
        (["decoding.width=two"], "decoding.width must be a whole number of at least 1, got 'two'"),
        (["decoding.widht=2"], "decoding=beam has no key 'widht'; did you mean 'decoding.width'?"),
        (["decoding.top_k=2"], "decoding=beam has no key 'top_k'; it belongs to decoding=sample"),
        (["decoding._target_=os.mkdir"], "decoding=beam has no key '_target_'"),
        (["decoding.width=1,2"], "decoding.width=1,2: one value was expected"),
        (["decoding.unknown=maybe"], "unknown decoding.unknown 'maybe'"),
        (["decoding="], "unknown decoding ''; There are: beam, greedy, sample"),
        (["decoding=null"], "Config group override must be a string"),
    ],
)
def test_the_checks_are_those_of_training(words, message):
    with pytest.raises(Exception) as caught:
        override(RUN, *words)
    assert explain(caught.value, words).startswith(message)


def test_a_key_of_another_strategy_names_it():
    with pytest.raises(ValueError, match="decoding=greedy has no key 'width'; it belongs to deco"):
        check_key("width", "greedy", {"unknown": "error"})


@pytest.mark.parametrize(
    "flags, words, message",
    [
        (
            {"width": 3},
            ["decoding.width=5"],
            "--width 3 and decoding.width=5 contradict each other",
        ),
        (
            {"strategy": "greedy"},
            ["decoding=beam"],
            "--strategy greedy and decoding=beam contradict",
        ),
        ({"banned": ["a", "b"]}, ["decoding.banned=[a]"], "--banned a,b and decoding.banned="),
        ({"early_stopping": True}, ["decoding.early_stopping=false"], "--early-stopping and decod"),
        ({"unknown": "skip"}, ["decoding.unknown=token"], "--unknown skip and decoding.unknown=t"),
    ],
)
def test_flags_and_overrides_that_contradict_are_an_error(flags, words, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        override(RUN, *words, **flags)


def test_flags_and_overrides_that_agree_are_taken():
    words = ["decoding.width=3", "decoding.unknown=error", "decoding.banned=[a]"]
    flags = {"strategy": "beam", "width": 3, "unknown": "skip", "ban": ["a"]}
    assert override(RUN, "decoding=beam", *words, **flags)[0].strategy.width == 3


def test_prediction_with_overrides_is_that_with_flags(capsys, cached_run):
    sources = ("predict", cached_run, "ab", "c", "--n-best", 3, "--scores")
    expected = call(capsys, *sources, "--width", 4, "--length-penalty", 0.6)
    words = ("decoding=beam", "decoding.width=4", "decoding.length_penalty=0.6")
    assert call(capsys, *sources, *words) == expected and expected[0] == 0
    assert (
        call(capsys, *sources, "decoding=beam", "--width", 4, "--length-penalty", 0.6) == expected
    )
    status, _, err = call(capsys, "predict", cached_run, "ab", "decoding=greedy", "--width", 4)
    assert (status, err) == (2, "error: --width belongs to --strategy beam\n")
    status, out, err = call(capsys, "predict", cached_run, "ab", "decoding.width=4")
    assert (status, out) == (2, "") and "it belongs to decoding=beam" in err


def test_a_text_that_begins_so_is_a_text_after_two_dashes(capsys, cached_run, monkeypatch):
    flags = ("predict", cached_run, "--unknown", "token")
    assert call(capsys, *flags, "--", "decoding=beam")[1].count("\n") == 1
    pipe(monkeypatch, "decoding=beam\n")
    assert call(capsys, *flags)[1].count("\n") == 1
    assert call(capsys, *flags, "a=b")[1].count("\n") == 1


@pytest.mark.slow
def test_evaluation_and_scores_take_overrides(capsys, cached_run, tmp_path):
    words = ("decoding=beam", "decoding.width=3")
    expected = call(capsys, "evaluate", cached_run, "--json", "--width", 3)
    assert call(capsys, "evaluate", cached_run, "--json", *words) == expected
    (tmp_path / "pairs").write_text("a?\tab\n")
    score = ("score", cached_run, "--pairs", tmp_path / "pairs")
    assert call(capsys, *score)[0] == 2
    expected = call(capsys, *score, "--unknown", "token")
    assert call(capsys, *score, "decoding.unknown=token") == expected and expected[0] == 0
    _, out, err = call(capsys, *score, "decoding.unknown=token", *words)
    assert out == expected[1] and "note: of decoding only decoding.unknown changes" in err
    status, _, err = call(capsys, *score, "decoding.unknown=token", "--unknown", "error")
    assert status == 2 and "contradict each other" in err and err.count("\n") == 1


@pytest.mark.slow
def test_symbols_by_overrides_are_those_by_flags(capsys, cached_run):
    for key, flag in (("banned", "--banned"), ("allowed", "--allowed")):
        words = ["predict", cached_run, "abc", "--max-length", 3]
        by_override = call(capsys, *words, f"decoding.{key}=[a]")
        assert by_override == call(capsys, *words, flag, "a") and by_override[0] == 0
        status, _, err = call(capsys, *words, f"decoding.{key}=[a]", flag, "b")
        assert status == 2 and f"{flag} b and decoding.{key}=[a] contradict each other" in err
