"""Composition of configurations by Hydra, and construction of objects from them."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf

from seq2seq.runs.experiment import Experiment, read_experiment
from seq2seq.runs.overrides import quote_overrides
from seq2seq.runs.safe_instantiate import instantiate
from seq2seq.runtime.paths import CONFIGS
from seq2seq.runtime.validation import check_count

# Behaviour that Hydra 1.3 asks for; 1.4 has no other.
BASE = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}
GROUPS = {path.name for path in CONFIGS.glob("*/")}


def compose(overrides: list[str], config_dir: str | None = None) -> dict:
    """The configuration of `python train.py OVERRIDES`, resolved, as plain dictionaries.

    Args:
        overrides: of the defaults.
        config_dir: directory of further configurations, which are checked inside
            `seq2seq.cli.composition.checked_directory` alone.
    """
    with _composed(overrides, config_dir) as config:
        return resolve(config)


@contextlib.contextmanager
def _composed(overrides: list[str], config_dir: str | None = None) -> Iterator[DictConfig]:
    """Compose a configuration, which can be resolved inside the block.

    Hydra's global state is the caller's again when the block ends: a program that calls this
    package may have composed a configuration of its own.
    """
    kinds = (GlobalHydra, HydraConfig, VersionBase)
    states = {kind: Singleton._instances.pop(kind, None) for kind in kinds}
    try:
        with hydra.initialize_config_dir(str(CONFIGS), **BASE):
            if config_dir is not None:
                _add_directory(config_dir)
            config = hydra.compose("train", quote_overrides(overrides), return_hydra_config=True)
            HydraConfig.instance().set_config(config)
            yield config
    finally:
        for kind, state in states.items():
            Singleton._instances.pop(kind, None)
            if state is not None:
                Singleton._instances[kind] = state


def _add_directory(path: str) -> None:
    """Let Hydra read the configurations of a directory, too, as its flag `--config-dir` does."""
    search_path = create_config_search_path(str(CONFIGS))
    schema = SearchPathQuery(provider="schema")
    search_path.prepend("command-line", f"file://{os.path.abspath(path)}", anchor=schema)
    GlobalHydra.instance().clear()
    Hydra.create_main_hydra2("seq2seq", search_path)


def compose_experiment(name: str, config_dir: str | None = None) -> Experiment:
    """Compose the file of an experiment: its rows and expected results.

    Args:
        name: of the file, without its extension.
        config_dir: see `compose`.

    Raises:
        ValueError: they are missing or invalid.
    """
    with _composed([f"experiment={name}"], config_dir) as config:
        node = config["reproduction"]
        plain = OmegaConf.to_container(node) if OmegaConf.is_config(node) else node
    return read_experiment(name, plain)


def resolve(config: DictConfig) -> dict:
    """Convert `config` to plain dictionaries, without the keys of Hydra and of multiruns."""
    items = config.items_ex(resolve=False)
    plain = {key: value for key, value in items if key not in ("hydra", "reproduction")}
    config_copy = OmegaConf.create(plain, flags={"allow_objects": False})
    resolved = OmegaConf.to_container(config_copy, resolve=True, throw_on_missing=True)
    chosen = HydraConfig.get().runtime.choices
    for group in GROUPS & resolved.keys():
        if not isinstance(chosen.get(group), str):
            raise ValueError(f"{group} must be one choice, as in {group}=NAME")
    return resolved


def to_yaml(config: dict) -> str:
    """The text of `config.yaml` of a run."""
    return OmegaConf.to_yaml(config)


def overrides() -> list[str]:
    """Overrides of this run, from the command line."""
    return list(HydraConfig.get().overrides.task)


class Job(NamedTuple):
    """One of several runs of a command.

    Attributes:
        config: its configuration, resolved.
        overrides: its overrides of the defaults.
        swept: the overrides that differ between the runs, in the order given.
    """

    config: dict
    overrides: list[str]
    swept: list[str]


def describe_job(config: DictConfig, command: Sequence[str]) -> Job | None:
    """Job of this run if it is one of several; None: it is the only one.

    Args:
        config: as Hydra made it.
        command: the overrides of the command line, unchanged.
    """
    settings = HydraConfig.get()
    if settings.mode is None or settings.mode.name != "MULTIRUN":
        return None
    params = [f"{key}={value}" for key, value in (settings.sweeper.get("params") or {}).items()]
    parsed = OverridesParser.create().parse_overrides([*params, *command])
    keys = {override.get_key_element() for override in parsed if override.is_sweep_override()}
    task_overrides = list(settings.overrides.task)
    return Job(
        resolve(config),
        task_overrides,
        [override for override in task_overrides if override.partition("=")[0] in keys],
    )


def build_task(config: dict) -> Any:
    """The task of a configuration.

    Raises:
        ValueError: it is invalid, or was made in Python, so that only Python has its examples.
    """
    if isinstance(config["task"], dict) and config["task"].get("in_memory"):
        raise ValueError(
            "this run's task was made in Python and its examples are in no file; from Python, with "
            "the same task, seq2seq.train(..., task=TASK) repeats it, and with "
            '"run_dir=PATH", "resume=true" resumes it'
        )
    return instantiate("task", config["task"])


def build_model(config: dict, task: Any) -> Any:
    """The model of a configuration, with the sizes that the task's vocabularies have."""
    from seq2seq.runtime.real_values import Numbers
    from seq2seq.runtime.tagged import Tagged
    from seq2seq.runtime.vocabulary import END, START

    def sized(part: dict, side: Any) -> dict:
        size = "features" if isinstance(side, Numbers) else "vocabulary_size"
        return {**part, size: side.features if isinstance(side, Numbers) else len(side)}

    node, tagged = config["model"], isinstance(task.source, Tagged)
    source = task.source.symbols if tagged else task.source
    tags = {"tags": len(task.source.tags)} if tagged else {}
    _check_vocabularies(node, source, task.target)
    return instantiate(
        "model",
        {
            **node,
            "encoder": sized(node["encoder"], source),
            "decoder": {**sized(node["decoder"], task.target), **tags},
            "start_id": START,
            "end_id": END,
        },
    )


def _check_vocabularies(node: dict, source: Any, target: Any) -> None:
    """Raise a ValueError if a setting needs vocabularies of both sides that fit."""
    from seq2seq.runtime.real_values import Numbers

    tied, pointer = node["tied_embeddings"] is True, node["decoder"]["readout"] == "pointer"
    if isinstance(source, Numbers) or isinstance(target, Numbers):
        if tied:
            raise ValueError("model.tied_embeddings=true: real values have no embeddings")
        if pointer:
            raise ValueError("model.decoder.readout=pointer copies symbols; real values are none")
        return
    if tied and source.symbols != target.symbols:
        raise ValueError(
            "model.tied_embeddings=true: this task's source and target have different "
            "vocabularies; of task=pairs, task.shared_vocabulary=true makes them one"
        )
    if pointer and source.tokenizer != target.tokenizer:
        raise ValueError(
            f"model.decoder.readout=pointer copies {source.tokenizer} of the source, the target is "
            f"made of {target.tokenizer}; split both alike, or choose another readout"
        )


def build_decoding(config: dict) -> Any:
    """The decoding settings of a configuration: a strategy's keys, and those that all share."""
    from seq2seq.decoding import Greedy
    from seq2seq.inference.decoding_options import Decoding

    node = config["decoding"]
    shared = {key: node[key] for key in node if key in Decoding.__dataclass_fields__}
    strategy = instantiate("decoding", {key: node[key] for key in node if key not in shared})
    return Decoding(None if type(strategy) is Greedy else strategy, **shared)


def build_optimizer(config: dict) -> Callable[[int], Any]:
    """Function from the number of updates to an optimizer."""
    optimizer, schedule = config["optimizer"], config["schedule"]
    for group, node in (("optimizer", optimizer), ("schedule", schedule)):
        for key, value in node.items():
            _check_number(f"{group}.{key}", value)
    if not 0 < optimizer["learning_rate"] < float("inf"):
        rate = optimizer["learning_rate"]
        raise ValueError(f"optimizer.learning_rate must be a positive number, got {rate!r}")

    if schedule.get("decay_steps") is not None:
        check_count("schedule.decay_steps", schedule["decay_steps"])

    def make(steps: int) -> Any:
        if schedule["_target_"] is None:
            return instantiate("optimizer", optimizer)
        decay_steps = steps if schedule["decay_steps"] is None else schedule["decay_steps"]
        rates = instantiate("schedule", {**schedule, "decay_steps": decay_steps})
        return instantiate("optimizer", {**optimizer, "learning_rate": rates})

    return make


def _check_number(name: str, value: Any) -> None:
    """Check a number of an optimizer or a schedule; None disables it where Keras allows that."""
    may_be_null = name.rpartition(".")[2] in ("decay_steps", "global_clipnorm", "weight_decay")
    if name.endswith("._target_") or isinstance(value, bool) or (value is None and may_be_null):
        return
    if not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}")
