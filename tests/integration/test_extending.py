"""Parts of a user's own, as docs/extending.md writes them, from the first verb to the last."""

import json
import re
import shutil

import numpy as np
import pytest

import seq2seq
from seq2seq.cli import main as cli
from seq2seq.inference.artifact import write_arrays
from seq2seq.runtime import predictor as numpy_runtime
from seq2seq.runtime.file_format import HEADER, read_artifact
from tests.conftest import ROOT, run_python, slow_except

PAGE = (ROOT / "docs/extending.md").read_text("utf-8")
SMALL = ["training.steps=3", "training.batch_size=4", "task.validation_examples=3"]
SMALL += ["task.test_examples=4", "model.encoder.units=8", "task.max_length=4"]
CHOICES = ["--config-dir", "own", "task=rotate", "attention=nearest", "bridge=scaled_copy"]
CHOICES += ["decoding=nth_best"]
ALLOW = ["--allow", "my_parts.py"]


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def files(tmp_path, monkeypatch, eagerly, no_extensions):
    """The page's files in the current directory."""
    (code,) = blocks("python")
    (tmp_path / "my_parts.py").write_text(code)
    for block in blocks("yaml"):
        path, text = block.split("\n", 1)
        (tmp_path / path.removeprefix("# ")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.removeprefix("# ")).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["seq2seq"])
    return tmp_path


def call(capsys, *arguments):
    status = cli.main([*map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.slow
def test_a_file_of_parts_is_trained_used_and_resumed_where_it_is_allowed(
    files, no_extensions, capsys
):
    status, _, err = call(capsys, "train", *CHOICES, *SMALL, "run_dir=run")
    assert status == 2 and err.count("\n") == 1
    assert "'my_parts.Rotate' is refused" in err and "--allow PATH/my_parts.py" in err
    status, _, err = call(capsys, "train", *ALLOW, *CHOICES, *SMALL, "run_dir=run")
    assert status == 0, err
    test = json.loads((files / "run/summary.json").read_text())["test"]
    assert test["exact_match"] <= test["bag_accuracy"] <= 1
    assert "val_bag_accuracy" in (files / "run/history.csv").read_text().splitlines()[0]
    early = "callbacks=[{_target_: my_parts.StopAt, metric: val_bag_accuracy, value: 0}]"
    more = ["training.steps=6", "training.steps_per_epoch=2", early, "run_dir=early"]
    status, _, err = call(capsys, "train", *ALLOW, *CHOICES, *SMALL[1:], *more)
    assert status == 0, err
    assert json.loads((files / "early/summary.json").read_text())["train"]["steps"] == 2
    no_extensions()
    for verb in (["predict", "run", "abc"], ["inspect", "run", "abc"], ["evaluate", "run"]):
        status, _, err = call(capsys, *verb)
        assert status == 2 and err.count("\n") == 1 and "--allow PATH/my_parts.py" in err, verb
    status, out, err = call(capsys, "predict", "run", "abc", *ALLOW)
    assert status == 0 and out.count("\n") == 1, err
    assert call(capsys, "inspect", "run", "abc", "--no-figure", *ALLOW)[0] == 0
    no_extensions()
    status, _, err = call(capsys, "train", "run", "--resume", "training.steps=5")
    assert status == 2 and "--allow PATH/my_parts.py" in err
    status, _, err = call(capsys, "train", "run", "--resume", "training.steps=5", *ALLOW)
    assert status == 0 and "resuming after step 3" in err
    run = seq2seq.load("run")
    assert [run.predict(["abc"])[0]] == call(capsys, "predict", "run", "abc")[1].splitlines()
    assert run.decoding.strategy.rank == 1  # the likeliest
    assert run.predict(["abc"]) == run.predict(["abc"], strategy=seq2seq.Greedy())
    header, _ = read_artifact("run/model.npz")
    assert header["extensions"] == {"my_parts": None}
    with pytest.raises(ValueError, match="my_parts>ScaledCopy"):
        numpy_runtime.load("run/model.npz")
    for kind in ("onnx", "litert"):
        status, _, err = call(capsys, "export", "run", "--format", kind, "-o", "exported", *ALLOW)
        assert status == 2 and f"my_parts.Nearest is no part of this package: format={kind}" in err
    assert not (files / "exported").exists()


def test_a_package_that_registers_its_parts_needs_no_permission(files, capsys, monkeypatch, caplog):
    site = files / "site"
    information = site / "my_parts-1.0.dist-info"
    information.mkdir(parents=True)
    shutil.move(files / "my_parts.py", site / "my_parts.py")
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-parts\nVersion: 1.0\n")
    (information / "top_level.txt").write_text("my_parts\n")
    (information / "entry_points.txt").write_text("[seq2seq.parts]\nmine = my_parts\n")
    monkeypatch.syspath_prepend(site)
    status, _, err = call(capsys, "train", *CHOICES, *SMALL, "run_dir=run")
    assert status == 0, err
    environment = json.loads((files / "run/environment.json").read_text())
    assert environment["extensions"] == {"my_parts": "my-parts==1.0"}
    status, _, err = call(capsys, "predict", "run", "abc")
    assert status == 0 and "my-parts" not in err
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-parts\nVersion: 2.0\n")
    status, _, err = call(capsys, "predict", "run", "abc")
    versions = "with my_parts of my-parts==1.0, and is loaded with my-parts==2.0"
    assert status == 0 and versions in caplog.text
    (information / "entry_points.txt").unlink()
    status, _, err = call(capsys, "predict", "run", "abc")
    assert status == 2 and "allow it by --allow my_parts" in err
    assert "(it was saved with my-parts==1.0)" in err and err.count("\n") == 1


STRANGE = [  # module, class and registered name in a model that somebody else wrote
    ("my_parts", "Missing", "my_parts>Missing"),
    ("my_parts", "Nearest", "my_parts>ScaledCopy"),
    ("my_parts", "Nearest", "seq2seq>Dot"),
    ("seq2seq.layers.attention", "Nearest", "my_parts>Nearest"),
    ("keras.layers", "Lambda", "my_parts>Nearest"),
    ("os", "system", "my_parts>Nearest"),
    ("my_parts", "Lambda", None),
    ("my_parts.keras", "Lambda", "my_parts>Lambda"),
    ("builtins", "eval", "my_parts>Nearest"),
    ("my_parts", "__lambda__", "my_parts>Nearest"),
]


@pytest.fixture
def edited(files):
    """A function that writes a model, with its header edited, as a stranger may."""
    from seq2seq.config import build_model, build_task, compose
    from seq2seq.inference.artifact import save_model
    from seq2seq.inference.decoding_options import Decoding

    seq2seq.allow("my_parts.py")
    config = compose(["task=copy", *SMALL])
    task = build_task(config)
    settings = {"decoding": Decoding().to_config(), "longest_source": 4, "longest_target": 4}
    settings["target_length"] = None
    model = build_model(config, task)
    save_model(files / "model.npz", model, task.source, task.target, settings)

    def edit(change):
        header, arrays = read_artifact(files / "model.npz")
        change(header)
        header = {key: header[key] for key in header if key not in ("arrays", "checksums")}
        write_arrays(files / "other.npz", header, {k: np.array(v) for k, v in arrays.items()})
        return files / "other.npz"

    return edit


@pytest.mark.parametrize("module, name, registered", STRANGE)
def test_a_model_names_registered_classes_of_the_allowed_module_alone(
    edited, module, name, registered
):
    part = {"module": module, "class_name": name, "registered_name": registered, "config": {}}
    path = edited(lambda header: header["model"]["config"].update(bridge=part))
    assert json.loads(np.load(path)[HEADER].tobytes())["model"]
    with pytest.raises(ValueError, match="is not a part of this package"):
        seq2seq.load(path)


@pytest.mark.parametrize(
    "target",
    [
        *("os.system", "builtins.eval", "subprocess.Popen", "my_parts.os.system", "my_parts.ops"),
        *("my_parts.bag_accuracy", "my_parts.Rotate", "my_parts.Independent", "my_parts..NthBest"),
        *("my_parts.NthBest.choose", "my_parts", "my_other.NthBest", "keras.layers.Lambda"),
        *("seq2seq.decoding.Beam", "seq2seq.inference.artifact.save_model", "", "NthBest"),
        *(None, 5, ["my_parts.NthBest"], {"_target_": "my_parts.NthBest"}, "my_parts.NthBest\0"),
    ],
)
def test_a_model_names_strategies_of_the_allowed_module_alone(edited, target):
    strategy = {"_target_": target, "rank": 1}
    path = edited(lambda header: header["settings"]["decoding"].update(strategy=strategy))
    with pytest.raises(ValueError, match=r"other\.npz (can't be loaded|is damaged)"):
        seq2seq.load(path)


def test_a_strategy_of_the_allowed_module_is_loaded(edited):
    strategy = {"_target_": "my_parts.NthBest", "rank": 3}
    path = edited(lambda header: header["settings"]["decoding"].update(strategy=strategy))
    run = seq2seq.load(path)
    assert run.decoding.strategy.rank == 3 and run.predict(["abc"]) != run.predict(
        ["abc"], strategy=seq2seq.Greedy()
    )
    with pytest.raises(ValueError, match=r"lacks the strategy 'my_parts\.NthBest'"):
        numpy_runtime.load(path).predict(["abc"])


def test_extensions_of_a_stranger_are_shown_without_control_characters(edited, caplog):
    written = {"my_parts": "\x1b[2Jmine==1", "my_parts.below": "x==1", "os": "y==1"}
    path = edited(lambda header: header.update(extensions=written))
    seq2seq.load(path)
    assert "was saved with my_parts of " in caplog.text and "is loaded with a file" in caplog.text
    assert "\x1b" not in caplog.text


@pytest.mark.parametrize("extensions", [[], 5, {"my_parts": 1}, {"my_parts": []}, "os"])
def test_damaged_extensions_are_refused(edited, extensions):
    path = edited(lambda header: header.update(extensions=extensions))
    with pytest.raises(ValueError, match="damaged: its extensions must be texts"):
        seq2seq.load(path)


@pytest.mark.parametrize(
    "target",
    slow_except(
        ["my_parts.ops", "my_parts.os.system", "my_parts2.Rotate", "os.system"],
        [
            *("my_parts.keras.layers.Lambda", "my_parts.ops", "my_parts.dataclass"),
            *("my_parts.Bridge", "my_parts.Vocabulary", "my_parts.os.system", "my_parts"),
            *("my_parts.sub.Rotate", "my_parts..Rotate", "my_parts2.Rotate", "os.system"),
            "my_other.Rotate",
        ],
    ),
)
def test_a_configuration_names_classes_of_the_allowed_module_alone(files, capsys, target):
    (files / "own/task/strange.yaml").write_text(
        f"# @package _global_\ntask:\n  _target_: {target}\n"
    )
    (files / "my_other.py").write_text("open('RAN', 'w')\n")
    words = [*ALLOW, "--config-dir", "own", "task=strange", *SMALL[:2], "run_dir=run"]
    status, _, err = call(capsys, "train", *words)
    assert status == 2 and err.count("\n") == 1, err
    assert f"_target_ '{target}' is refused" in err or f"_target_ '{target}' can't be found" in err
    assert not (files / "RAN").exists() and not (files / "run").exists()


@pytest.mark.slow
def test_several_runs_are_trained_with_what_was_allowed(files):
    words = ["-m", *ALLOW, *CHOICES, *SMALL, "seed=0,1", "run_dir=runs/grid"]
    done = run_python("-m", "seq2seq", "train", *words, cwd=files, timeout=600)
    assert done.returncode == 0, done.stderr
    assert len(list(files.glob("runs/grid/*/model.npz"))) == 2


def test_a_key_that_a_file_of_ones_own_lacks_is_added_by_a_plus(files, capsys):
    words = [*ALLOW, *CHOICES, "task.training_examples=5", "run_dir=run"]
    status, _, err = call(capsys, "train", *words)
    assert status == 2 and "the chosen task has no such key; +task.training_examples=VALUE" in err
