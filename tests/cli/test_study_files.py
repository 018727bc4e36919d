"""The verbs that study states: tables, files, and what they refuse."""

import importlib.util

import pytest

from tests.cli.calls import call


def test_files_stand_beside_the_model(capsys, cached_run):
    status, _, err = call(capsys, "ablate", cached_run, "--no-figure")
    assert status == 0 and err == f"written: {cached_run / 'analysis' / 'ablate.tsv'}\n"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["probe", "nowhere"], "nowhere is no run directory: config.yaml"),
        (
            ["probe", "RUN", "--examples", "500"],
            "no length has 200 training and 20 held-out sources",
        ),
        (["interpolate", "RUN", "abc", "?"], "source 2: symbol '?' at position 1"),
        (["interpolate", "RUN", "a", "b", "--steps", "1"], "at least 2, got 1"),
        (["capacity", "nowhere"], "no such directory: nowhere"),
        (["ablate", "RUN", "--pairs", "nowhere.tsv"], "no such file: nowhere.tsv"),
        (["ablate", "RUN", "-o", "RUN/model.npz"], "is a file, a directory was expected"),
    ],
)
def test_bad_requests_are_one_line(capsys, cached_run, arguments, message):
    command = [argument.replace("RUN", str(cached_run)) for argument in arguments]
    status, out, err = call(capsys, *command)
    assert status == 2 and message in err and out == "" and err.count("\n") == 1


def test_a_missing_extra_is_named_before_any_work(capsys, monkeypatch, replace_load_run):
    replace_load_run(None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for verb in ("ablate", "capacity"):
        status, out, err = call(capsys, verb, "run")
        assert status == 2 and out == "" and err.count("\n") == 1
        words = (
            "matplotlib is not installed: pip install 'keras-seq2seq[analysis]', or --no-figure for"
        )
        assert words in err
    assert "scikit-learn is not installed" in call(capsys, "probe", "run", "--no-figure")[2]
