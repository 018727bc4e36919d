"""Flags that every verb has: version, quiet and verbose."""

import pytest

from seq2seq import __version__
from seq2seq.cli import main as cli
from seq2seq.cli.flags import split_flags
from seq2seq.runtime.verbosity import NORMAL, QUIET, VERBOSE, set_verbosity
from tests.cli.calls import call


@pytest.fixture(autouse=True)
def restored():
    yield
    set_verbosity(NORMAL)


@pytest.mark.parametrize(
    "words, jobs, verbosity, remaining",
    [
        ("--jobs 3 -m seed=0,1", 3, NORMAL, "-m seed=0,1"),
        ("-m seed=0,1 --jobs=3", 3, NORMAL, "-m seed=0,1"),
        ("~task runs/a --resume", 1, NORMAL, "~task runs/a --resume"),
        ("-q -c job task=copy", 1, QUIET, "-c job task=copy"),
        ("-m seed=1,2 --verbose -cd mine", 1, VERBOSE, "-m seed=1,2 -cd mine"),
        ("--help", 1, NORMAL, "--help"),
    ],
)
def test_flags_of_training_are_split_off_hydras(words, jobs, verbosity, remaining):
    flags, others = split_flags(words.split())
    assert (flags.jobs, flags.verbosity, others) == (jobs, verbosity, remaining.split())


@pytest.mark.parametrize("verb", [None, "train", *cli.VERBS])
def test_every_verb_prints_the_version(capsys, verb):
    for words in [["--version"], ["--version", "task=copy"]][: 2 if verb == "train" else 1]:
        with pytest.raises(SystemExit) as caught:
            cli.main([*([verb] if verb else []), *words])
        assert caught.value.code == 0 and capsys.readouterr().out == f"seq2seq {__version__}\n"


@pytest.mark.parametrize("verb", ["train", *cli.VERBS])
def test_every_verb_takes_one_of_quiet_and_verbose(capsys, verb):
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "-q", "--verbose"])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and error.count("\n") == 1
    assert "argument -v/--verbose: not allowed with argument -q/--quiet" in error


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_quiet_leaves_out_notes_and_no_error(capsys, flag):
    status, out, err = call(capsys, "examples", "task=addition", flag)
    assert status == 0 and out and err == ""
    assert "no end" in call(capsys, "examples", "task=addition")[2]  # the next command is not quiet
    for words in (["examples", "task=adition"], ["train", "task=adition"]):
        status, _, err = call(capsys, *words, flag)
        assert status == 2 and err.startswith("error: unknown task 'adition'")


def test_verbose_shows_the_traceback_of_an_error(capsys):
    with pytest.raises(ValueError, match=r"no such file: nowhere\.tsv"):
        call(capsys, "examples", "-v", "task=pairs", "task.train=nowhere.tsv")
    with pytest.raises(ValueError, match="steps"):
        call(capsys, "train", "training.steps=-1", "task=copy", "--verbose")


def test_quiet_training_and_prediction(capsys, trained):
    status, out, err = call(capsys, "predict", trained, "abc", "?", "--unknown", "skip", "-q")
    assert status == 0 and out.count("\n") == 2 and err == ""
    status, _, err = call(capsys, "predict", trained, "abc", "?", "-q")
    assert status == 2 and err.startswith("error: line 2: symbol '?'") and err.count("\n") == 1
    _, _, err = call(capsys, "predict", trained, "abc", "-v")
    assert f"loaded {trained}; decoding as configured: Decoding(" in err and "Keras 3." in err


def test_extensions_are_allowed_by_a_flag_that_may_stand_anywhere():
    flags, remaining = split_flags(["--allow", "a.py", "task=copy", "--allow=b", "-m"])
    assert flags.allow == ["a.py", "b"] and remaining == ["task=copy", "-m"]
