"""Untidy files (tests/untidy) through every verb, and through the NumPy runtime.

What each file's rows become is tested beside the modules; here every way in must read them alike.
"""

import re
from pathlib import Path

import pytest

import seq2seq
from seq2seq.config import build_task, compose
from seq2seq.data.files import unescape
from seq2seq.evaluation.predictions import read_examples
from seq2seq.runtime import predictor as numpy_runtime
from seq2seq.training_from_config import train_from_config
from tests.cli.calls import call, pipe

UNTIDY = Path(__file__).parents[1] / "untidy"
NUMBERS = ["task.source_tokens=numbers", "task.target_tokens=numbers", "model=lstm"]
TAGS = ["task.columns=[1,2,3]"]
PAIRS = {  # how each file is trained on, and a row to enlarge one that is too small to be divided
    "affixes.tsv": (["task.target_tokens=symbols"], None),
    "blank_lines.tsv": ([], "w{n}\tW{n}\n"),
    "comments.tsv": (["task.comment=#"], None),
    "constant.tsv": (NUMBERS, None),
    "decimal_commas.tsv": (NUMBERS, "0,{n} 0,7 0,9\t1,1\n"),
    "données.tsv": ([], None),
    "empty_targets.tsv": ([], None),
    "gaps.tsv": ([*NUMBERS, "task.on_bad_row=skip"], None),
    "graphemes.tsv": (
        ["task.source_tokens=graphemes", "task.target_tokens=graphemes"],
        "क्षि{n}\tए{n}\n",
    ),
    "hindi.tsv": (["task.source_tokens=words", "task.target_tokens=words"], None),
    "meter.tsv": (NUMBERS, None),
    "multivariate.tsv": (NUMBERS, None),
    "nfc.tsv": ([], None),
    "nulls.tsv": ([], None),
    "offset.tsv": (NUMBERS, None),
    "pairs.csv": ([], None),
    "pairs_stdin.tsv": (["task.columns=[HEADER,TARGET]"], None),
    "quotes.tsv": ([], None),
    "spaces.tsv": ([], None),
    "tags_nested.tsv": (TAGS, "lemma{n}\tform{n}\tN;ABL(PL;PSS(2,PL))\n"),
    "tags_twice.tsv": (TAGS, None),
    "thai.tsv": (["task.source_tokens=words", "task.target_tokens=words"], None),
}
DICTIONARIES = {
    "cmudict-07b-utf8.dict": "WORD{n}  W ER1 D K{n}\n",
    "mfa.dict": "more{n}\t0.9\t0.1\t1.0\t1.0\tm ɔ {n}\n",
    "pinyin.dict": "字{n} z ix4\n",
    "sampa.dict": "wort{n} v O6 t\n",
    "words_with_tabs.dict": "more words {n}\tM AO1 R\n",
}
SMALL = ["model.encoder.units=8", "training.epochs=1", "run_dir=run"]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::RuntimeWarning")]


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch, eager):
    monkeypatch.chdir(tmp_path)


def read(name, row, ending="\n"):
    """The file's text, made large enough to be divided."""
    text = (UNTIDY / name).read_bytes().decode()
    if name == "pairs_stdin.tsv":  # its columns by name: the names must differ
        text = text.replace("HEADER\tHEADER", "HEADER\tTARGET")
    return text + "".join(row.format(n=n) for n in range(40)) if row else text


def learn(*overrides):
    """Train for two updates; the run as it is loaded by its users, and by the NumPy runtime."""
    config = compose([*overrides, *SMALL])
    outcome, path = train_from_config(config, build_task(config))
    assert outcome.error is None
    return seq2seq.load(path), numpy_runtime.load(path / "model.npz")


def close(first, second):
    """Equal but for the last digits of numbers."""
    first, second = first.split(), second.split()
    return first == second or all(
        float(a) == pytest.approx(float(b), rel=1e-4)
        for x, y in zip(first, second, strict=True)
        for a, b in zip(x.split(","), y.split(","), strict=True)
    )


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_go_through_every_verb(name, capsys, monkeypatch):
    words, row = PAIRS[name]
    Path(name).write_text(read(name, row), "utf-8", newline="")
    run, runtime = learn("task=pairs", f"task.train='{name}'", *words)
    examples = read_examples(Path("run/predictions.tsv"))
    sources = [example.source for example in examples if example.source]
    answers = run.predict(sources, unknown="token")
    predictions = runtime.predict(sources, unknown="token")
    assert len(answers) == len(sources)
    assert all(map(close, answers, predictions)) if words[:3] == NUMBERS else answers == predictions

    skip = ["--on-bad-row", "skip"] if name == "gaps.tsv" else []
    unknown = ["--unknown", "token"]
    status, out, err = call(capsys, "evaluate", "run", "--pairs", name, *unknown, *skip)
    assert status == 0 and out, err
    (Path("sources")).write_text("".join(f"{source}\n" for source in sources), "utf-8")
    status, out, err = call(capsys, "predict", "run", "--input", "sources", *unknown)
    assert status == 0 and [*map(unescape, out.splitlines())] == answers, err
    if words[:3] != NUMBERS:  # values have no probability
        lines = Path(name).read_text("utf-8").splitlines()
        status, out, err = call(capsys, "score", "run", "--pairs", name, *unknown)
        named = name in ("pairs.csv", "pairs_stdin.tsv")
        assert status == 0 and len(out.splitlines()) == len(lines) - named, err
        pipe(monkeypatch, Path(name).read_bytes())
        monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
        if not name.endswith(".csv"):
            assert call(capsys, "score", "run", *unknown)[1] == out


@pytest.mark.parametrize("name", DICTIONARIES)
def test_dictionaries_go_through_every_verb(name, capsys):
    Path(name).write_text(read(name, DICTIONARIES[name]), "utf-8", newline="")
    run, runtime = learn("task=pronunciation", f"task.path='{name}'")
    sources = [example.source for example in read_examples(Path("run/predictions.tsv"))]
    answers = run.predict(sources, unknown="token")
    assert runtime.predict(sources, unknown="token") == answers
    phones = run.target.symbols[4:]
    assert not [phone for phone in phones if re.fullmatch(r"[\d.]+", phone) and "." in phone]
    status, out, err = call(capsys, "evaluate", "run")
    assert status == 0 and "word error rate" in out, err


def test_a_dictionary_in_latin_1_is_refused_with_the_way_out(capsys):
    with pytest.raises(ValueError, match=r"cmudict-07b\.dict, line \d+: not UTF-8 .*iconv"):
        build_task(compose(["task=pronunciation", f"task.path='{UNTIDY / 'cmudict-07b.dict'}'"]))


def test_questions_in_nfd_have_the_answers_of_nfc():
    run, runtime = learn("task=pairs", f"task.train='{UNTIDY / 'nfc.tsv'}'")
    questions = (UNTIDY / "nfd_sources.txt").read_text("utf-8").splitlines()
    composed = [
        seq2seq.Vocabulary("", "characters", "nfc").canonical(question) for question in questions
    ]
    assert questions != composed
    for model in (run, runtime):
        assert model.predict(questions) == model.predict(composed)


def test_every_file_is_tried():
    tried = {*PAIRS, *DICTIONARIES, "cmudict-07b.dict", "nfd_sources.txt", "README.md"}
    assert tried == {path.name for path in UNTIDY.iterdir()}
