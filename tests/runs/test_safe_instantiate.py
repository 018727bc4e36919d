"""An untrusted configuration can only compute; any other call is refused."""

import pytest

from seq2seq.cli import main as cli
from seq2seq.config import CONFIGS
from seq2seq.data import Copy
from seq2seq.runs.existing import read_run
from seq2seq.runs.safe_instantiate import (
    TRUSTED_MODULES,
    check_arguments,
    find_class,
    instantiate,
    read_config,
)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "subprocess.Popen",
        # what ours have imported
        "seq2seq.cli.main.os.system",
        "seq2seq.data.files.Path",
        "seq2seq.data.files.gzip.GzipFile",
        "seq2seq.models.encoder.keras.layers.Lambda",
        # functions, and modules that are programs
        "seq2seq.config.compose",
        "seq2seq.load",
        "seq2seq.__main__.main",
        # ours and Keras's that touch files
        "seq2seq.runs.directory.RunDirectory",
        "seq2seq.training.trainer.RunDirectory",
        "seq2seq.training.callbacks.Evaluate",
        "keras.callbacks.BackupAndRestore",
        "keras.callbacks.CSVLogger",
        "keras.callbacks.ModelCheckpoint",
        "keras.callbacks.TensorBoard",
        "keras.callbacks.RemoteMonitor",
        "keras.callbacks.LambdaCallback",
        "keras.callbacks.LearningRateScheduler",
        "keras.callbacks.Callback",
        "keras.callbacks.TerminateOnNaN.__init__",
        "keras.callbacks.terminate_on_nan.TerminateOnNaN",
        "keras.src.callbacks.TerminateOnNaN",
        "keras.src.callbacks.csv_logger.CSVLogger",
        "seq2seq.training.trackers.importlib.import_module",
        "seq2seq.training.trackers.keras.callbacks.CSVLogger",
        "seq2seq.training.trackers.numbers_of",
        "keras.layers.StringLookup",
        "keras.layers.TFSMLayer",
        "keras.src.saving.saving_lib.DiskIOStore",
        "keras.utils.get_file",
        # ours and Keras's that run what they are given
        "keras.layers.Lambda",
        "keras.layers.TorchModuleWrapper",
        "keras.optimizers.get",
        "keras.optimizers.deserialize",
        # nothing at all
        "seq2seq.data.Nothing",
        "seq2seq.data..Copy",
        "seq2seq.data.\0",
        "seq2seq",
        "",
        None,
        5,
        ["seq2seq.data.Copy"],
    ],
)
def test_nothing_but_what_computes_is_made(target):
    with pytest.raises(ValueError, match="_target_ .* (is refused|can't be found)"):
        instantiate("task", {"_target_": target})
    with pytest.raises(ValueError, match="_target_ .* (is refused|can't be found)"):
        nested = {"_target_": "seq2seq.models.Seq2Seq", "encoder": [{"_target_": target}]}
        instantiate("model", nested)


def test_all_targets_are_looked_at_before_anything_is_made(monkeypatch):
    created = []
    monkeypatch.setattr(Copy, "__post_init__", lambda self: created.append(self))
    with pytest.raises(ValueError, match="'os.system' is refused"):
        parts = [{"_target_": "seq2seq.data.Copy"}, {"_target_": "os.system", "command": "true"}]
        instantiate("task", {"_target_": "seq2seq.data.Copy", "symbols": parts})
    assert created == []


def test_what_the_catalogue_names_is_made():
    named = set()
    for path in CONFIGS.rglob("*.yaml"):
        named |= {v for k, v in walk(read_config(path)) if k == "_target_" and v is not None}
    assert {find_class(target).__name__ for target in named} >= {"Copy", "Seq2Seq", "Adam"}
    used = {module for module in TRUSTED_MODULES for target in named if target.startswith(module)}
    assert used == set(TRUSTED_MODULES)  # no module is trusted without need


def walk(node):
    for key, value in node.items():
        yield key, value
        if isinstance(value, dict):
            yield from walk(value)


@pytest.mark.parametrize(
    "text",
    [
        "${oc.env:HOME}",
        "${oc.create:{_target_: seq2seq.data.Copy}}",
        "${oc.create:{_target_: builtins.print, _args_: [ran]}}",
    ],
)
def test_text_is_never_evaluated(text, capsys):
    with pytest.raises(ValueError, match="must be a whole number of at least 1, got '"):
        instantiate("task", {"_target_": "seq2seq.data.Copy", "symbols": text})
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("key", ["_args_", "_partial_", "_convert_", "_recursive_"])
def test_hydras_own_keys_have_no_meaning(key):
    with pytest.raises(ValueError, match=f"there is no key '{key}'"):
        instantiate("task", {"_target_": "seq2seq.data.Copy", key: True})


def bomb(depth):
    """YAML of 10 ** depth values in `depth` short lines."""
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, depth)]
    return "\n".join(["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]", *lines])


@pytest.mark.parametrize(
    "text, message",
    [
        (bomb(12), "line 2 holds an alias or a tag"),
        ("a: !!python/object/apply:os.system [true]", "line 1 holds an alias or a tag"),
        ("a: !!python/name:os.system", "line 1 holds an alias or a tag"),
        ("a: 1\nb: !!binary aGVsbG8=", "line 2 holds an alias or a tag"),
        ("a: " + "[" * 20_000, "line 1 is nested deeper than 50"),
        ("a: " + "{" * 20_000, "line 1 is nested deeper than 50"),
        ("a: [1", "expected ',' or ']'"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("\0", "special characters are not allowed"),
        ("? [1]\n: 2", "unhashable key"),
        ("- 1\n- 2", "keys and values were expected"),
        ("5", "keys and values were expected"),
        ("", "keys and values were expected"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("a: " + "1:" * 200_000 + "1", "it has 400,004 bytes, a configuration has 262,144 at most"),
    ],
)
def test_a_damaged_configuration_is_named(tmp_path, text, message):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=f"config.yaml can't be read: .*{message}") as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_configuration_is_read_as_it_stands(tmp_path):
    (tmp_path / "config.yaml").write_text("a: ${oc.env:HOME}\nb: [1, 2.5, true, null]\nc: '1'\n")
    config = read_config(tmp_path / "config.yaml")
    assert config == {"a": "${oc.env:HOME}", "b": [1, 2.5, True, None], "c": "1"}
    (tmp_path / "config.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ValueError, match="can't be read: 'utf-8' codec can't decode"):
        read_config(tmp_path / "config.yaml")
    with pytest.raises(ValueError, match="can't be read: .*No such file"):
        read_config(tmp_path / "other.yaml")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--experimental-rerun", "config.pickle"], "reads a pickle"),
        (["--config-path", "/tmp"], "are added by --config-dir"),
        (["-cp", "/tmp"], "are added by --config-dir"),
        (["hydra.searchpath=[file:///tmp]"], "are added by --config-dir"),
        (["+hydra.searchpath=[file:///tmp]"], "are added by --config-dir"),
        (["hydra={searchpath:[/tmp]}"], "are added by --config-dir"),
    ],
)
def test_arguments_that_bypass_the_checks_are_refused(arguments, message, capsys, monkeypatch):
    with pytest.raises(ValueError, match=message):
        check_arguments(arguments)
    monkeypatch.setattr("sys.argv", ["train.py"])
    assert cli.train(arguments) == 2
    captured = capsys.readouterr()
    assert (
        captured.out == "" and captured.err.startswith("error: ") and captured.err.count("\n") == 1
    )


@pytest.mark.parametrize(
    "key, value",
    [
        ("activation", {"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}}),
        ("recurrent_initializer", [{"class_name": "Constant"}]),
        ("kernel_regularizer", {}),
    ],
)
def test_only_plain_values_reach_keras(key, value):
    node = {"_target_": "seq2seq.layers.LSTM", "units": 3, key: value}
    with pytest.raises(ValueError, match=f"bridge.{key} must be a plain value"):
        instantiate("bridge", node)
    plain = {"_target_": "seq2seq.layers.LSTM", "units": 3, "activation": "relu"}
    assert instantiate("bridge", plain).cell.activation.__name__ == "relu"
