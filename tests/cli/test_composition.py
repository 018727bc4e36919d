"""Whatever a file of `--config-dir` holds, Hydra instantiates nothing from it."""

import os
import pickle

import numpy as np
import pytest

from seq2seq.cli import main as cli
from seq2seq.cli.composition import compose_checked
from seq2seq.config import CONFIGS, compose
from tests.conftest import ROOT, slow_except

GLOBAL = "# @package _global_\n"
MKDIR = "{_target_: os.mkdir, path: RAN}"
LOAD = "{_target_: numpy.load, file: weights.npy, allow_pickle: true}"
CALLBACKS = f"hydra:\n  callbacks:\n    x: {MKDIR}\n"
FILE_HANDLER = "{class: logging.FileHandler, filename: RAN}"
HANDLER = f"{{version: 1, root: {{handlers: [h]}}, handlers: {{h: {FILE_HANDLER}}}}}"


def quoted(text):
    """One YAML string that holds YAML."""
    return '"' + text.replace("\n", "\\n") + '"\n'


class Payload:
    def __reduce__(self):
        return os.mkdir, ("RAN",)


SETS = "it sets hydra.{}"
OUTSIDE = "inside the configuration directories"
PLAIN = "can't be read: {}"
LINK = "it lies outside"
NICE = ["experiment=nice"]
ATTACKS = {  # name: (files of the directory, arguments, part of the message)
    "text in text": (
        {"experiment/nice.yaml": GLOBAL + quoted(CALLBACKS)},
        NICE,
        PLAIN.format("keys and values"),
    ),
    "text in text, numpy.load": (
        {"experiment/nice.yaml": GLOBAL + quoted(CALLBACKS.replace(MKDIR, LOAD))},
        NICE,
        PLAIN.format("keys and values"),
    ),
    "block of text": (
        {"experiment/nice.yaml": GLOBAL + "|\n  " + CALLBACKS.replace("\n", "\n  ")},
        NICE,
        PLAIN.format("keys and values"),
    ),
    "list": (
        {"experiment/nice.yaml": GLOBAL + "[hydra, callbacks]\n"},
        NICE,
        PLAIN.format("keys and values"),
    ),
    "several documents": (
        {"experiment/nice.yaml": GLOBAL + "seed: 1\n---\n" + CALLBACKS},
        NICE,
        PLAIN.format("expected a single document"),
    ),
    "alias": (
        {"experiment/nice.yaml": GLOBAL + f"x: &x {{callbacks: {{x: {MKDIR}}}}}\nhydra: *x\n"},
        NICE,
        PLAIN.format("line 3 holds an alias"),
    ),
    "merged mapping": (
        {
            "experiment/nice.yaml": GLOBAL
            + f"x: &x {{hydra: {{callbacks: {{x: {MKDIR}}}}}}}\n<<: *x\n"
        },
        NICE,
        PLAIN.format("line 3 holds an alias"),
    ),
    "tag": (
        {"experiment/nice.yaml": GLOBAL + "x: !!python/object/apply:os.mkdir [RAN]\n"},
        NICE,
        PLAIN.format("line 2 holds an alias or a tag"),
    ),
    "climbs": ({"experiment/nice.yaml": GLOBAL + "defaults: [/../outside/evil]\n"}, NICE, OUTSIDE),
    "climbs by its group": (
        {"experiment/nice.yaml": GLOBAL + "defaults: [{/x/../../outside: evil}]\n"},
        NICE,
        OUTSIDE,
    ),
    "climbs by its option": (
        {"experiment/nice.yaml": GLOBAL + "defaults: [{override /task: ../../outside/evil}]\n"},
        NICE,
        OUTSIDE,
    ),
    "climbs from the package": (
        {"experiment/nice.yaml": GLOBAL + "defaults: [/{package}/outside/evil]\n"},
        NICE,
        OUTSIDE,
    ),
    "absolute": ({"experiment/nice.yaml": GLOBAL + "defaults: [/{outside}/evil]\n"}, NICE, OUTSIDE),
    "backslashes": (
        {"experiment/nice.yaml": GLOBAL + "defaults: ['..\\..\\outside\\evil']\n"},
        NICE,
        OUTSIDE,
    ),
    "link": ({"experiment/nice.yaml": "-> outside/evil.yaml"}, NICE, LINK),
    "link of a directory": (
        {"experiment": "-> outside", "seed.yaml": ""},
        ["experiment=evil"],
        LINK,
    ),
    "callback": ({"experiment/nice.yaml": GLOBAL + CALLBACKS}, NICE, SETS.format("callbacks.x")),
    "callback, numpy.load": (
        {"experiment/nice.yaml": GLOBAL + CALLBACKS.replace(MKDIR, LOAD)},
        NICE,
        SETS.format("callbacks.x"),
    ),
    "callback of one run of a sweep": (
        {"experiment/nice.yaml": GLOBAL + CALLBACKS, "experiment/fine.yaml": GLOBAL + "seed: 3\n"},
        ["-m", "experiment=fine,nice"],
        SETS.format("callbacks.x"),
    ),
    "logging of one run of a sweep": (
        {
            "experiment/nice.yaml": GLOBAL + f"hydra:\n  job_logging: {HANDLER}\n",
            "experiment/fine.yaml": GLOBAL + "seed: 3\n",
        },
        ["-m", "experiment=fine,nice"],
        SETS.format("job_logging"),
    ),
    "escaped key": (
        {"experiment/nice.yaml": GLOBAL + CALLBACKS.replace("hydra", '"\\x68ydra"')},
        NICE,
        SETS.format("callbacks.x"),
    ),
    "package": (
        {"experiment/nice.yaml": f"# @package hydra.callbacks\nx: {MKDIR}\n"},
        NICE,
        SETS.format("callbacks.x"),
    ),
    "package below the root": (
        {"experiment/nice.yaml": f"\n#@package  _global_.hydra.callbacks\nx: {MKDIR}\n"},
        NICE,
        SETS.format("callbacks.x"),
    ),
    "package of a default": (
        {
            "experiment/nice.yaml": "defaults: [other@_global_.hydra.callbacks]\n",
            "experiment/other.yaml": f"x: {MKDIR}\n",
        },
        NICE,
        SETS.format("callbacks.x"),
    ),
    "package of a group": (
        {
            "experiment/nice.yaml": GLOBAL + 'defaults: [{"/part@\\x68ydra.callbacks": other}]\n',
            "part/other.yaml": f"x: {MKDIR}\n",
        },
        NICE,
        SETS.format("callbacks.x"),
    ),
    "package by interpolation": (
        {
            "experiment/nice.yaml": GLOBAL
            + "defaults: ['/part@${part}.callbacks: other']\npart: hydra\n",
            "part/other.yaml": f"x: {MKDIR}\n",
        },
        NICE,
        "",
    ),
    "option by interpolation": (
        {
            "experiment/nice.yaml": GLOBAL + "defaults: [{/part: '${experiment}'}]\n",
            "part/nice.yaml": GLOBAL + CALLBACKS,
        },
        NICE,
        SETS.format("callbacks.x"),
    ),
    "launcher": (
        {
            "experiment/nice.yaml": GLOBAL + "defaults: [{override /hydra/launcher: mine}]\n",
            "hydra/launcher/mine.yaml": "# @package hydra.launcher\n_target_: os.mkdir\n",
        },
        NICE,
        SETS.format("launcher"),
    ),
    "sweeper": (
        {"experiment/nice.yaml": GLOBAL + "hydra:\n  sweeper: {_target_: os.mkdir}\n"},
        ["-m", *NICE],
        SETS.format("sweeper"),
    ),
    "chosen logging": (
        {"hydra/job_logging/mine.yaml": HANDLER},
        ["hydra/job_logging=mine"],
        "unknown hydra/job_logging 'mine'",
    ),
    "overrides": (
        {
            "experiment/nice.yaml": GLOBAL
            + f"hydra:\n  overrides:\n    hydra: ['+hydra.callbacks.x={MKDIR}']\n"
        },
        ["-m", *NICE],
        SETS.format("overrides.hydra"),
    ),
    "environment": (
        {"experiment/nice.yaml": GLOBAL + "hydra:\n  job: {env_set: {PYTHONSTARTUP: x.py}}\n"},
        NICE,
        SETS.format("job.env_set"),
    ),
    "other extension": (
        {
            "experiment/nice.yaml": GLOBAL + "defaults: [evil.yml]\n",
            "experiment/evil.yml.yaml": GLOBAL + CALLBACKS,
        },
        NICE,
        SETS.format("callbacks.x"),
    ),
    "primary": (
        {"mine.yaml": "defaults: [train, _self_]\n" + CALLBACKS},
        ["--config-name", "mine"],
        SETS.format("callbacks.x"),
    ),
    "search path": (
        {"mine.yaml": "defaults: [train]\nhydra: {searchpath: ['pkg://evil']}\n"},
        ["--config-name", "mine"],
        "its hydra.searchpath adds",
    ),
    "search path of an experiment": (
        {"experiment/nice.yaml": GLOBAL + "hydra: {searchpath: ['pkg://evil']}\n"},
        NICE,
        "Overriding hydra.searchpath is only supported from the primary config",
    ),
    "resumes a run": (
        {"experiment/nice.yaml": GLOBAL + "run_dir: theirs\nresume: true\n"},
        NICE,
        "it sets resume, which the command line alone may set",
    ),
    "replaces a run": (
        {"experiment/nice.yaml": GLOBAL + "run_dir: theirs\noverwrite: true\n"},
        NICE,
        "it sets overwrite, which the command line alone may set",
    ),
    "a name that is a path": (
        {"experiment/nice.yaml": GLOBAL + "names: {task: ../outside/x}\n"},
        NICE,
        "names.task must be a plain name, got '../outside/x'",
    ),
    "an activation that is an object": (
        {
            "experiment/nice.yaml": GLOBAL + "attention: {_target_: seq2seq.layers.LSTM, units: 2, "
            "activation: {class_name: TFSMLayer, module: keras.layers, config: {filepath: x}}}\n"
        },
        [*NICE, "attention=dot"],
        "activation must be a plain value, or a part with a _target_; it has class_name, module",
    ),
}


QUICK = (  # an attack by each means
    *("text in text", "list", "several documents", "alias", "tag", "climbs", "link", "callback"),
    *("package of a default", "launcher", "search path", "a name that is a path"),
)


# Hydra 1.4 refuses some of them itself.
HYDRAS_OWN = ("is not supported ('", "Unsupported config file extension '.yml'")


@pytest.mark.parametrize("attack", slow_except(QUICK, ATTACKS))
def test_a_file_of_a_stranger_runs_nothing(attack, tmp_path, capsys, monkeypatch, python):
    files, arguments, message = ATTACKS[attack]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "evil.yaml").write_text(GLOBAL + CALLBACKS)
    (tmp_path / "evil.py").write_text("import os\nos.mkdir('RAN')\n")
    np.save(tmp_path / "weights.npy", np.array([Payload()], object), allow_pickle=True)
    for name, text in files.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(tmp_path / text[3:])
        else:
            package = os.path.relpath(tmp_path, CONFIGS)
            path.write_text(
                text.replace("{package}", package).replace("{outside}", f"{tmp_path}/outside")
            )
    command = ["--config-dir", "mine", "training=quick", *arguments]
    if "-m" in arguments:  # a sweep configures logging, which would close this process's handlers
        process = python(ROOT / "train.py", *command)
        status, error = process.returncode, process.stderr
    else:
        status, error = cli.train(command), capsys.readouterr().err
    assert status == 2 and any(words in error for words in (message, *HYDRAS_OWN))
    assert error.startswith("error: ") and error.count("\n") == 1
    assert not (tmp_path / "RAN").exists() and not [*tmp_path.rglob("config.yaml")]


def test_the_payload_would_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Payload()))
    assert (tmp_path / "RAN").is_dir()


@pytest.mark.parametrize("name", ["mine", "carbohydrates", "linked"])
def test_experiments_of_ones_own_are_composed(name, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "experiment"
    folder.mkdir()
    (folder / "mine.yaml").write_text(GLOBAL + "defaults:\n  - override /task: sort\nseed: 7\n")
    (folder / "carbohydrates.yaml").write_text(
        GLOBAL + "defaults: [mine]\n# hydra is no word to fear\n"
    )
    (folder / "linked.yaml").symlink_to("mine.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    assert cli.train(["--config-dir", ".", f"experiment={name}", "--cfg", "job"]) == 0
    assert "Sort" in (output := capsys.readouterr().out) and "seed: 7" in output


def test_hydras_settings_may_be_changed_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["train.py"])
    flags = ["--config-dir", ".", "+hydra.job.env_set.COLUMNS='60'", "--cfg", "hydra"]
    assert cli.train(flags) == 0
    assert "COLUMNS: '60'" in capsys.readouterr().out


def test_a_checked_composition_is_that_of_the_package(tmp_path):
    assert compose_checked(["task=sort", "seed=3"]) == compose(["task=sort", "seed=3"])
    (tmp_path / "cell").mkdir()
    (tmp_path / "cell/mine.yaml").write_text("defaults: [lstm]\ndropout: 0.5\n")
    assert compose_checked(["cell=mine"], str(tmp_path))["cell"]["dropout"] == 0.5
