"""Every YAML composes and makes its objects; wrong ones are refused in one helpful line."""

import pytest

from seq2seq.cli import train as launch
from seq2seq.config import (
    CONFIGS,
    build_decoding,
    build_model,
    build_optimizer,
    build_task,
    compose,
    instantiate,
)
from seq2seq.training_from_config import train_from_config
from tests.conftest import slow_except

# Those of experiments are tested in test_experiments.py.
GROUPS = sorted({path.name for path in CONFIGS.iterdir() if path.is_dir()} - {"experiment"})
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((CONFIGS / group).glob("*"))]


@pytest.fixture
def files(tmp_path):
    """Overrides for the tasks that need a file."""
    (tmp_path / "pairs.tsv").write_text("".join(f"s{n}\tt{n}\n" for n in range(40)))
    (tmp_path / "dictionary").write_text("".join(f"w{n} W N{n}\n" for n in range(40)))
    return {
        "pairs": [f"task.train={tmp_path}/pairs.tsv"],
        "pronunciation": [f"task.path={tmp_path}/dictionary"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("group, option", OPTIONS)
def test_every_choice_makes_its_objects(group, option, files):
    more = files.get(option, []) if group == "task" else []
    if group == "bridge" and option in ("zero", "learned_initial_state"):
        more = ["attention=dot"]  # else the decoder gets no information about the source
    config = compose([f"{group}={option}", *more])
    task = build_task(config)
    assert len(task.examples("test")) > 0
    model = build_model(config, task)
    optimizer = build_optimizer(config)(100)
    assert model.count_params() > 0 and optimizer.learning_rate is not None
    instantiate("training", config["training"])
    strategy = build_decoding(config).strategy
    assert strategy is None if config["decoding"]["_target_"].endswith("Greedy") else strategy


@pytest.mark.parametrize("group, option", OPTIONS)
def test_every_file_opens_with_a_comment_and_is_short(group, option):
    lines = (CONFIGS / group / f"{option}.yaml").read_text().splitlines()
    assert [line for line in lines if not line.startswith("# @package")][0].startswith("# ")
    assert len(lines) <= 28


def test_the_command_line_wins_over_what_a_task_sets():
    assert compose(["task=addition"])["training"]["epochs"] == 150
    assert compose(["task=addition", "training.epochs=3"])["training"]["epochs"] == 3


@pytest.mark.parametrize(
    "task, model",
    slow_except(
        [("inflection", "pointer")],
        [("pairs", "attention"), ("pronunciation", "attention_large"), ("inflection", "pointer")],
    ),
)
def test_a_task_has_the_default_model_that_suits_it(task, model):
    """And a model of the command line is what its file makes it, nothing of the default left."""
    assert compose([f"task={task}"]) == compose([f"task={task}", f"model={model}"])
    assert compose(["task=reverse"])["names"]["model"] == "lstm"
    for chosen in ("lstm", "luong", "lake_baroni"):
        groups = ("model", "cell", "attention", "bridge", "forcing")
        there, elsewhere = (compose([f"task={name}", f"model={chosen}"]) for name in (task, "copy"))
        assert [there[group] for group in groups] == [elsewhere[group] for group in groups]


def test_the_command_line_wins_over_the_default_model_of_a_task():
    overrides = ["cell=gru", "cell.dropout=0.1", "attention=additive", "bridge=dense"]
    config = compose(["task=pairs", *overrides, "model.encoder.units=7"])
    assert (config["cell"]["kind"], config["cell"]["dropout"]) == ("gru", 0.1)
    assert config["attention"]["_target_"].endswith("Additive")
    assert config["bridge"]["_target_"].endswith("Dense")
    assert config["model"]["encoder"]["units"] == 7 and config["model"]["encoder"]["bidirectional"]


def test_an_experiment_holds_differences():
    config = compose(["experiment=length_generalisation", "task.test_max_length=12"])
    assert config["names"]["task"] == "reverse" and config["task"]["test_max_length"] == 12


def test_a_smoke_test_overrides_every_other_setting_of_length():
    config = compose(["experiment=length_generalisation", "training=quick", "training.steps=9999"])
    training = instantiate("training", config["training"])
    assert training.plan(None) == (10, 10) and training.max_eval_examples == 40


def test_endless_examples_are_not_drawn_again_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = compose(["training.replacement=true"])
    with pytest.raises(ValueError, match="training.replacement=true draws .* endless stream"):
        train_from_config(config, build_task(config))
    assert list(tmp_path.iterdir()) == []


def test_names_are_the_choices():
    assert compose(["task=sort"])["names"] == {"task": "sort", "model": "lstm"}


def test_sizes_follow_the_task_and_the_encoder():
    config = compose(["task=addition", "model.encoder.units=20", "model.encoder.layers=2"])
    task = build_task(config)
    model = build_model(config, task)
    assert model.decoder.state_sizes == model.encoder.state_sizes
    assert model.encoder.vocabulary_size == len(task.source) == 15
    assert model.decoder.vocabulary_size == len(task.target) == 15


def test_the_schedule_spans_the_training():
    rate = build_optimizer(compose(["schedule.alpha=0.5"]))(40)._learning_rate
    assert float(rate(0)) == pytest.approx(0.01) and float(rate(40)) == pytest.approx(0.005)
    rate = build_optimizer(compose(["schedule.alpha=0.5", "schedule.decay_steps=10"]))(40)
    assert float(rate._learning_rate(10)) == pytest.approx(0.005)  # or over the chosen updates
    constant = build_optimizer(compose(["schedule=constant"]))(40)
    assert float(constant.learning_rate) == pytest.approx(0.01)


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["model.encoder.units=0"], "units must be a whole number of at least 1, got 0"),
        (["model.encoder.units=many"], "got 'many'"),
        (["cell.dropout=1.5"], "cell.dropout must be at least 0 and less than 1, got 1.5"),
        (["bridge=zero"], "no information about the source"),
        (["bridge=learned_initial_state", "attention=none"], "choose an attention"),
        (["model.encoder.bidirectional=true"], "bridge=layerwise_dense"),
        (["model.encoder.bidirectional=true", "model.encoder.backwards=true"], "choose one"),
        (["attention=dot", "bridge=dense", "model.decoder.units=64"], "attention=general"),
        (["attention=additive", "attention.input_feeding=true"], "exclude each other"),
        (["model.decoder.readout=pointer"], "readout=pointer copies by attention weights"),
        (["task=sinusoids", "model.decoder.readout=tied"], "this decoder has real values"),
        (["task=running_mean", "model=pointer"], "real values are none"),
        (["task=inflection", "model.tied_embeddings=true"], "task.shared_vocabulary=true"),
        (["task=running_mean", "model.tied_embeddings=true"], "real values have no embeddings"),
        (
            ["task=pairs", "task.target_tokens=symbols", "model=pointer", "task.train=FILE"],
            "copies characters of the source, the target is made of symbols",
        ),
        (["model=pointer", "attention=fixed_context"], "there is no key 'before' in FixedContext"),
        (["cell.residual=true"], "residual=true needs at least 2 layers"),
        (["cell=gru", "+cell.forget_bias=1"], "applies to cell.kind=lstm only"),
        (["cell.kind=lstn"], "unknown cell.kind 'lstn'; did you mean 'lstm'"),
        (["model.decoder.units=64"], "bridge=dense"),
        (["model.decoder.layers=2"], "bridge=dense"),
        (["optimizer.learning_rate=-1"], "learning_rate must be a number of at least 0, got -1"),
        (["optimizer.learning_rate=0"], "learning_rate must be a positive number, got 0"),
        (["optimizer.learning_rate=fast"], "got 'fast'"),
        (["optimizer.learning_rate=inf"], "got inf"),
        (["optimizer.beta_2=abc"], "optimizer.beta_2 must be a number of at least 0, got 'abc'"),
        (["optimizer.beta_2=null"], "optimizer.beta_2 must be a number"),
        (["optimizer.global_clipnorm=-1"], "global_clipnorm must be a number of at least 0"),
        (["schedule.alpha=null"], "schedule.alpha must be a number"),
        (["schedule.decay_steps=0"], "schedule.decay_steps must be a whole number of at least 1"),
        (["task=addition", "task.reverse=maybe"], "reverse must be true or false, got 'maybe'"),
        (["+task.foo=1"], "task: there is no key 'foo'"),
        (["task.min_length=-2"], "got -2"),
        (["task.min_length=5", "task.max_length=4"], "max_length=4 is less than min_length=5"),
    ],
)
def test_impossible_values_are_refused(overrides, message, files):
    pairs = files["pairs"][0]
    config = compose(
        [pairs if override == "task.train=FILE" else override for override in overrides]
    )
    with pytest.raises(ValueError, match=message):
        task = build_task(config)
        build_model(config, task)
        build_optimizer(config)


def test_configs_lie_where_the_package_finds_them():
    assert (CONFIGS / "train.yaml").is_file()


@pytest.mark.parametrize(
    "overrides, message",
    [
        (
            ["task=sinusoids", "decoding=beam"],
            "Beam.* does not fit this model, whose targets are real values",
        ),
        (
            ["task=sinusoids", "decoding.no_repeat_ngram_size=2"],
            "decoding.no_repeat_ngram_size is for tokens",
        ),
        (["decoding=beam", "decoding.coverage_penalty=0.2"], "has no attention weights"),
        (["decoding.unknown=copy"], "unknown=copy needs attention"),
        (["decoding.banned=[A]"], "decoding.banned names 'A', which the model cannot generate"),
    ],
)
def test_decoding_that_does_not_fit_is_refused_before_anything_is_written(
    overrides, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = compose(overrides)
    with pytest.raises(ValueError, match=message):
        train_from_config(config, build_task(config))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "taken",
    slow_except(
        ("~bridge", "~seed", "~task"),
        [
            "~schedule",
            "~bridge",
            "~cell",
            "~optimizer",
            "~decoding",
            "~names",
            "~seed",
            "~model",
            "~task",
        ],
    ),
)
def test_a_key_that_is_taken_away_is_named(taken, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    assert launch.train(["task=copy", "training=quick", taken]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {taken}: the program needs this key") and err.count("\n") == 1
    assert [*tmp_path.iterdir()] == []


def test_the_directory_stays_where_it_is(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    assert launch.train(["task=copy", "hydra.job.chdir=true"]) == 2
    assert "hydra.job.chdir=true: relative paths are read where" in capsys.readouterr().err


@pytest.mark.parametrize(
    "setting", ["hydra.run.dir=x", "+hydra.sweep.dir=x", "hydra.sweep.subdir=x"]
)
def test_settings_of_hydra_that_change_nothing_are_refused(capsys, monkeypatch, tmp_path, setting):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    assert launch.train(["task=copy", setting]) == 2
    err = capsys.readouterr().err
    assert f"{setting}: it would change nothing; run_dir=PATH is the run directory" in err
    assert [*tmp_path.iterdir()] == []
