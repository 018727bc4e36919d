"""Values that Hydra's grammar cannot read are text."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seq2seq.cli import main as cli
from seq2seq.config import compose
from seq2seq.config_errors import explain
from seq2seq.runs.overrides import quote_overrides
from tests.conftest import ROOT, slow_except

NAMES = [
    "données.tsv", "run#1.tsv", "R&D.tsv", "it's.tsv", "my pairs (1).tsv", "a=b.tsv", "a,b.tsv",
    "~/x.tsv", "123", "1e3", "true", "[a].tsv", "{a}.tsv", "a:b", "a\\b.tsv", "model=lstm,seed=0",
]  # fmt: skip


@pytest.mark.parametrize("key", slow_except(["task.train"], ["task.train", "run_dir"]))
@pytest.mark.parametrize("name", slow_except(NAMES[::3], NAMES))
def test_a_path_may_have_any_name(key, name):
    config = compose(["task=pairs", f"{key}={name}"])
    group, _, last = key.rpartition(".")
    assert (config[group] if group else config)[last] == name


@pytest.mark.parametrize("separator", [";", ",", "|", "#", "=", "1", "&"])
def test_a_separator_may_be_any_character(separator):
    assert compose(["task=pairs", f"task.tag_separator={separator}"])["task"]["tag_separator"] == (
        separator
    )


def test_symbols_of_a_list_are_quoted_one_by_one():
    assert compose(["decoding.banned=[?,!,a]"])["decoding"]["banned"] == ["?", "!", "a"]


def test_what_hydra_reads_stays_as_it_is():
    overrides = ["seed=3", "task.train=null", "task.train=[a.tsv,b.tsv]", "task.train='a,b'"]
    overrides += ["cell.dropout=0.1", "+x={a: 1}", "~attention", "-m", "--jobs", "a", "x=${y}"]
    assert quote_overrides(overrides) == overrides
    sweep = ["task.train=a.tsv,b.tsv", "seed=1,2"]
    assert quote_overrides(sweep, is_multirun=True) == sweep


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1))
def test_a_quoted_text_is_read_as_it_was(text):
    assume(not (text.startswith("[") and text.endswith("]")))  # a list of files
    [override] = quote_overrides([f"task.train={text}"])
    value = OverridesParser.create().parse_override(override).value()
    if override != f"task.train={text}":
        assert value == text


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["-m", "task=pairs", "task.train=(1).tsv,b.tsv"],
            "can't be read; put text in quotes: \"task.train='(1).tsv,b.tsv'\"",
        ),
        (["seed=1,2"], "are several runs: add -m"),
        (["task=pairs", "task.train=é,b.tsv"], "no such file: é,b.tsv"),
        (["task=pairs", "task.train=123"], "no such file: 123"),
        (["task=pairs", "task.train=~/nothing.tsv"], "no such file: {home}/nothing.tsv"),
    ],
)
def test_the_error_is_one_line_with_the_way_out(arguments, message, tmp_path, python):
    process = python(ROOT / "train.py", *arguments, HOME=str(tmp_path))
    assert process.returncode == 2
    assert message.format(home=tmp_path) in process.stderr and process.stderr.count("\n") == 1


def test_examples_take_any_file_name(tmp_path, capsys, monkeypatch):
    rows = "".join(f"{letter}\t{letter * 2}\n" for letter in "abcdefgh")
    (tmp_path / "it's (données) #1.tsv").write_text(rows)
    monkeypatch.setenv("HOME", str(tmp_path))
    name = "~/it's (données) #1.tsv"
    assert cli.main(["examples", "task=pairs", f"task.train={name}", "--split", "test"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_other_errors_are_explained_as_before():
    assert explain(ValueError("a\nb")) == "a b"


def test_the_directory_of_a_run_of_a_grid_is_taken_as_it_is_named():
    (word,) = quote_overrides(["run_dir=runs/x/model=lstm,seed=0"])
    assert word == "run_dir='runs/x/model=lstm,seed=0'"
