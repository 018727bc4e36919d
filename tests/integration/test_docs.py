"""The code of the documentation runs, and its statements hold."""

import importlib.util
import re
import shlex

import numpy as np
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from seq2seq import load
from seq2seq.cli import main as cli
from seq2seq.cli.flags import split_flags
from seq2seq.config import build_task, compose, compose_experiment
from seq2seq.runtime.paths import EXPERIMENTS
from seq2seq.training_from_config import train_from_config
from tests.conftest import ROOT
from tests.runs.fake_runs import config, history, lengths, summary, write_run

LESSON = (ROOT / "docs/states.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
MODELS = (ROOT / "docs/models.md").read_text("utf-8")
DECODING = (ROOT / "docs/decoding.md").read_text("utf-8")
RUNS = (ROOT / "docs/runs.md").read_text("utf-8")
STATES_SEEN = (ROOT / "docs/states-seen.md").read_text("utf-8")
TASKS = (ROOT / "docs/tasks.md").read_text("utf-8")


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


@pytest.fixture(scope="module")
def lesson():
    """The names that the lesson's blocks define, each block's own values kept by its place."""
    names, stages = {}, []
    for block in blocks(LESSON):
        exec(compile(block, "docs/states.md", "exec"), names)
        stages.append(dict(names))
    return stages


def same(first, second):
    return np.allclose(first, second, atol=1e-6)


def test_one_lstm(lesson):
    assert lesson[0]["series"].shape == (1, 3, 1)
    assert tuple(lesson[0]["output"].shape) == (1, 2)


def test_every_step(lesson):
    names = lesson[1]
    assert tuple(names["sequence"].shape) == (1, 3, 2)
    assert same(names["sequence"][:, -1], names["output"])


def test_last_output_and_states(lesson):
    names = lesson[2]
    for name in ("last", "state_h", "state_c"):
        assert tuple(names[name].shape) == (1, 2)
    assert same(names["last"], names["state_h"])
    assert not same(names["state_c"], names["state_h"])


def test_last_output_equals_the_hidden_state(lesson):
    names = lesson[3]
    assert same(names["output"], names["sequence"][:, -1])
    assert same(names["output"], names["state_h"])


def test_steps_by_hand(lesson):
    names = lesson[4]
    assert same(names["state"].hidden, names["state_h"])
    assert same(names["state"].cell, names["state_c"])


def test_stacking(lesson):
    names = lesson[5]
    assert names["refused"]
    assert tuple(names["stacked"].shape) == (1, 2)


def test_a_decoder_continues_and_one_from_zeros_does_not(lesson):
    names = lesson[7]
    assert same(names["continued"], names["whole"][:, 3:])
    assert not same(names["from_zeros"], names["whole"][:, 3:])
    assert not same(names["without_cell"], names["whole"][:, 3:])


def test_a_step_at_a_time(lesson):
    names = lesson[8]
    for time in range(2):
        assert same(names["outputs"][time], names["continued"][:, time])


def test_a_model(lesson):
    names = lesson[9]
    for handed, ended in zip(names["initial_state"].layers, names["memory"].state, strict=True):
        assert same(handed.hidden, ended.hidden) and same(handed.cell, ended.cell)
    assert len(names["initial_state"].layers) == 2
    assert names["hypotheses"].tokens.shape == (1, 1, 10)


def test_the_error_is_printed_as_it_is(lesson):
    printed = " ".join(LESSON.split("    the encoder has", 1)[1].split("## Training")[0].split())
    assert "the encoder has " + printed == lesson[10]["message"]


def test_the_lesson_ends_at_train():
    assert "python train.py" in LESSON.split("## Training")[1]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(blocks(README))))
def test_the_readmes_blocks_run(number, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/latest").symlink_to(trained)
    exec(compile(blocks(README)[number], "README.md", "exec"), {})


@pytest.mark.slow
def test_training_from_python(tmp_path, monkeypatch, eagerly):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks(RUNS.split("## From Python")[1].split("\n## ")[0]):
        exec(compile(block, "docs/runs.md", "exec"), names)
    assert len(names["run"].predict(["abc"])) == 1


@pytest.mark.slow
def test_the_commands_on_tasks_make_their_data():
    commands = re.findall(r"^python train.py (.*?)^```", TASKS, re.M | re.S)
    assert len(commands) == 2
    for command in commands:
        task = build_task(compose(command.replace("\\\n", " ").split()))
        assert len(task.examples("test")) == 1000 and task.examples("train")[0].source
    for key in re.findall(r"`task\.(\w+)=", TASKS):
        assert any(f"  {key}: " in file.read_text() for file in (ROOT / "configs/task").iterdir())


def test_the_models_by_hand_run():
    names = {}
    for block in blocks(MODELS):
        exec(compile(block, "docs/models.md", "exec"), names)
    assert tuple(names["output"].attention.shape) == (1, 6)
    np.testing.assert_allclose(np.sum(names["output"].attention), 1, atol=1e-6)


@pytest.mark.slow
def test_the_blocks_on_decoding_run(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/latest").symlink_to(trained)
    names = {}
    for block in blocks(DECODING):
        exec(compile(block, "docs/decoding.md", "exec"), names)
    assert [len(best) for best in names["best"]] == [3, 3] and len(names["answers"]) == 2


@pytest.fixture(scope="module")
def small_runs(tmp_path_factory):
    """`runs/latest` and a run in `runs/units`, of words of up to three letters; hardly trained."""
    directory = tmp_path_factory.mktemp("small_runs")
    config = compose(
        ["task=reverse", "task.max_length=3", "task.test_examples=60", "model.encoder.units=8"]
        + ["training.steps=2", "task.validation_examples=2", f"run_dir={directory}/runs/units/8"]
    )
    train_from_config(config, build_task(config))
    (directory / "runs/latest").symlink_to(directory / "runs/units/8")
    return directory


@pytest.mark.slow
def test_the_commands_of_the_second_lesson_run(small_runs, monkeypatch, capsys, replace_load_run):
    """Each prints the heads of the table that stands under it, and makes the picture."""
    pytest.importorskip("matplotlib", reason="charts need keras-seq2seq[analysis]")
    pytest.importorskip("sklearn", reason="probes need keras-seq2seq[analysis]")
    monkeypatch.chdir(small_runs)
    run = load("runs/latest")
    replace_load_run(lambda path: run)
    verbs = []
    for command, below in re.findall(
        r"^(seq2seq [^\n]*)\n```\n(.*?)(?=^```|\Z)", STATES_SEEN, re.M | re.S
    ):
        assert cli.main(command.split()[1:]) == 0
        output = capsys.readouterr().out
        verbs.append(command.split()[1])
        if table := re.search(r"^\|.*\|$", below, re.M):
            heads = [re.sub(" +", " ", head) for head in (table[0], *output.splitlines())]
            heads = [re.sub(r"( \d+ \|)+$", "", head) for head in heads]  # lengths: of tiny words
            assert heads[0] in heads[1:]
        for picture in re.findall(r"\(states-seen/(.*?)\)", below):
            assert list(small_runs.glob(f"runs/**/analysis/{picture}"))
    assert verbs == ["inspect", "ablate", "probe", "interpolate", "capacity"]


def test_the_pictures_of_the_second_lesson_are_there():
    pictures = set(re.findall(r"\(states-seen/(.*?)\)", STATES_SEEN))
    assert pictures == {path.name for path in (ROOT / "docs/states-seen").iterdir()}
    assert {"ablate.png", "probe.png", "capacity.png", "inspect.png"} == pictures


@pytest.mark.slow
def test_states_are_values(small_runs, monkeypatch):
    monkeypatch.chdir(small_runs)
    names = {}
    for block in blocks(STATES_SEEN):
        exec(compile(block, "docs/states-seen.md", "exec"), names)
    answers, trace, layer = names["answers"], names["trace"], names["layer"]
    assert answers == names["run"].predict(["abc", "cab"])
    assert names["swapped"] == answers[::-1]
    assert names["deaf"][0] == names["deaf"][1] and len(names["held"]) == 2
    assert layer.hidden.shape == layer.gates["f"].shape == (2, 4, 8)
    assert trace.handed_over[0].cell.shape == (2, 8)
    same_trace = type(trace).load("trace.npz")
    assert same_trace.outputs == trace.outputs


@pytest.mark.slow
def test_the_reports_run(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="charts need keras-seq2seq[analysis]")
    monkeypatch.chdir(tmp_path)
    for seed in range(2):
        end = summary(0.5, lengths(*[1.0] * 15, *[0.5] * 15), token_accuracy=0.75)
        for folder in ("reverse-lstm", "grid"):
            write_run(tmp_path / f"runs/{folder}/{seed}", config(seed), end, history(0.1, 0.5))
    heads = []
    for text in (README, MODELS, RUNS):
        for command in re.findall(r"^(seq2seq report .*)$", text, re.M):
            assert cli.main(shlex.split(command, comments=True)[1:]) == 0
            heads.append(capsys.readouterr().out.splitlines()[0])
    assert len(heads) >= 6 and "| 95 % interval " in heads[0]
    files = re.findall(r"^\| `(\S+?)`(?:, `\.svg`)? \|", RUNS.split("writes:")[1], re.M)
    assert {path.name for path in (tmp_path / "results").iterdir()} == {
        *files,
        *(name.replace("png", "svg") for name in files),
    }


def test_every_flag_of_reports_is_described():
    text = (ROOT / "seq2seq/cli/report.py").read_text("utf-8")
    for flag in re.findall(r'"(--[a-z-]+)"', text):
        assert f"`{flag}" in RUNS, flag


def test_every_flag_of_decoding_is_described():
    flags = set(re.findall(r'"(--[a-z-]+)"', (ROOT / "seq2seq/cli/options.py").read_text("utf-8")))
    for flag in flags - {"--strategy"}:
        assert flag in DECODING, flag


@pytest.mark.parametrize("text", [README, RUNS], ids=["README.md", "docs/runs.md"])
def test_the_commands_of_training_are_understood(text):
    """Each makes its configuration; of several runs, the last."""
    commands = re.findall(r"^python train\.py *([^#\n]*)", text.replace("\\\n", ""), re.M)
    assert len(commands) >= 3
    for command in commands:
        flags, arguments = split_flags(shlex.split(command))
        assert flags.jobs == 1 or "-m" in arguments
        overrides = OverridesParser.create().parse_overrides(
            [argument for argument in arguments if argument != "-m"]
        )
        (runs,) = BasicSweeper.split_arguments(overrides, None)
        assert ("-m" in arguments) == (len(runs) > 1)
        compose(runs[-1])


def test_every_choice_is_in_the_table():
    for group in ("cell", "bridge", "attention", "forcing", "curriculum", "model"):
        for path in (ROOT / "configs" / group).glob("*.yaml"):
            assert f"`{path.stem}`" in MODELS, f"{group}={path.stem}"


@pytest.mark.slow
def test_the_tables_of_results_equal_their_files():
    path = ROOT / "benchmarks/results.py"
    spec = importlib.util.spec_from_file_location("results", path)
    results = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(results)
    page = results.PAGE.read_text("utf-8")
    gathered = {
        experiment: results.gather(experiment, None)
        for experiment in map(compose_experiment, EXPERIMENTS)
    }
    assert page == results.fill(page, results.make_blocks(gathered))
    names = {path.stem for path in results.FILES.iterdir()}
    assert names and names <= set(EXPERIMENTS)
