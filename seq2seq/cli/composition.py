"""Composition of configurations from untrusted files.

Hydra instantiates whatever its own settings name: callbacks, launchers, sweepers, handlers of
logging. Files are therefore checked where Hydra reads and composes them, not by a second parser,
which could read a file differently:

- a configuration is a mapping of plain values, and lies inside the directory it is looked up in;
- after each composition, of the command and of every run of a sweep, Hydra's own settings must be
  what they are without the added directory. Nothing has been instantiated at that point.
"""

import contextlib
import copy
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import hydra._internal.hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from seq2seq.config import compose
from seq2seq.runs.safe_instantiate import check_arguments, read_plain_yaml

FILE = "file://"
ADDED = "command-line"  # Hydra's name for the provider of --config-dir
PRIMARY = "train"
# Keys of hydra.job that describe the command, and name nothing that is made.
DESCRIPTIVE = ("name", "override_dirname", "config_name", "id", "num")


class ContainedSource(FileConfigSource):
    """Configurations of one directory, read from inside it alone."""

    @staticmethod
    def scheme() -> str:
        """Return the scheme of a search path that is read by this class."""
        return "contained"

    def load_config(self, config_path: str) -> ConfigResult:
        """Read a configuration.

        Raises:
            ValueError: it lies outside the directory (a link), or is no mapping of plain values.
        """
        root = Path(os.path.realpath(self.path))
        path = Path(os.path.realpath(root / self._normalize_file_name(config_path)))
        if not path.is_relative_to(root):
            raise ValueError(f"{config_path}.yaml is refused: it lies outside {self.path}")
        text, _ = read_plain_yaml(path)
        return ConfigResult(
            config=OmegaConf.load(io.StringIO(text)),
            path=f"{self.scheme()}://{self.path}",
            provider=self.provider,
            header=ConfigSource._get_header_dict(text[:512]),
        )


class ContainedRepository(CachingConfigRepository):
    """Configurations by names that can't leave the directory."""

    def load_config(self, config_path: str) -> ConfigResult | None:
        """Read a configuration.

        Raises:
            ValueError: its name is an absolute path or leaves the directory.
        """
        name = PurePosixPath(config_path.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in config_path:
            raise ValueError(
                f"the configuration {config_path!r} is refused: a defaults list names "
                "configurations inside the configuration directories"
            )
        return super().load_config(config_path)


class ContainedLoader(ConfigLoaderImpl):
    """Hydra's composition, with the checks of this module."""

    def __init__(self, config_search_path: ConfigSearchPath):
        for element in config_search_path.get_path():
            if element.path.startswith(FILE):
                element.path = f"{ContainedSource.scheme()}://{element.path.removeprefix(FILE)}"
        super().__init__(config_search_path)
        package = copy.deepcopy(config_search_path)
        elements = package.get_path()
        elements[:] = [element for element in elements if element.provider != ADDED]
        is_added = len(elements) < len(config_search_path.get_path())
        self._without_added = ContainedLoader(package) if is_added else None

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str], parsed_overrides: list | None = None
    ) -> tuple[list, CachingConfigRepository]:
        # Hydra 1.4 may have parsed them already.
        parsed = parsed_overrides or OverridesParser.create().parse_overrides(overrides)
        repository = ContainedRepository(self.repository)
        primary = repository.load_config(config_name) if config_name else None
        if primary is not None and OmegaConf.select(primary.config, "hydra.searchpath"):
            raise ValueError(
                f"{config_name}.yaml is refused: its hydra.searchpath adds other configurations"
            )
        return parsed, repository

    def _load_configuration_impl(
        self, config_name: str | None, overrides: list[str], run_mode: RunMode, **options: Any
    ) -> DictConfig:
        config = super()._load_configuration_impl(config_name, overrides, run_mode, **options)
        if self._without_added is not None:
            parsed = OverridesParser.create().parse_overrides(overrides)
            options.pop("parsed_overrides", None)  # of Hydra 1.4: those of the command
            lines: dict[bool, list] = {True: [], False: []}
            for override in parsed:
                lines[override.is_hydra_override()].append(override.input_line)
            expected = self._without_added._load_configuration_impl(
                PRIMARY, lines[True], run_mode, **options
            )
            expected.hydra.overrides.task = lines[False]
            _check_unchanged(_settings(config), _settings(expected))
            _check_replaced(config, {override.key_or_group for override in parsed})
        return config


def _settings(config: DictConfig) -> dict:
    """Hydra's settings of a configuration, without what describes the command alone."""
    settings = OmegaConf.to_container(config.hydra, resolve=False)
    del settings["runtime"]
    job = settings["job"]
    settings["job"] = {key: job[key] for key in job if key not in DESCRIPTIVE}
    return settings


def _check_unchanged(settings: Any, expected: Any, key: str = "hydra") -> None:
    """Raise a ValueError that names the first of Hydra's settings that is not as expected."""
    if isinstance(settings, dict) and isinstance(expected, dict):
        for name in sorted({*settings, *expected}, key=str):
            _check_unchanged(settings.get(name), expected.get(name), f"{key}.{name}")
    elif settings != expected:
        raise ValueError(
            f"a file of --config-dir is refused: it sets {key}, and Hydra's own settings, which "
            "can name any code, are changed by the command line alone"
        )


def _check_replaced(config: DictConfig, keys: set[str]) -> None:
    """Raise a ValueError if a file, and not the command line, sets `overwrite` or `resume`."""
    for key in ("overwrite", "resume"):
        if OmegaConf.select(config, key) not in (None, False) and key not in keys:
            raise ValueError(
                f"a file of --config-dir is refused: it sets {key}, which the command line alone "
                "may set"
            )


@contextlib.contextmanager
def checked_composition() -> Iterator[None]:
    """Let Hydra compose with `ContainedLoader` until the block ends."""
    SourcesRegistry.instance().register(ContainedSource)
    loader = hydra._internal.hydra.ConfigLoaderImpl
    hydra._internal.hydra.ConfigLoaderImpl = ContainedLoader  # Hydra has no argument for it
    try:
        yield
    finally:
        hydra._internal.hydra.ConfigLoaderImpl = loader


@contextlib.contextmanager
def checked_directory(config_dir: str | None, overrides: Sequence[str] = ()) -> Iterator[None]:
    """Let `seq2seq.config` compose with `--config-dir` until the block ends, as `train` does.

    Args:
        config_dir: directory of further configurations; None: there is none.
        overrides: of the defaults.

    Raises:
        ValueError: there is no such directory, or an override is refused; in the block, a file is.
    """
    directory = [] if config_dir is None else [f"--config-dir={config_dir}"]
    check_arguments([*directory, "--", *overrides])
    with checked_composition():
        yield


def compose_checked(overrides: Sequence[str], config_dir: str | None = None) -> dict:
    """The configuration of `python train.py --config-dir DIRECTORY OVERRIDES`, with its checks.

    Args:
        overrides: of the defaults.
        config_dir: see `checked_directory`.

    Raises:
        ValueError: see `checked_directory`.
    """
    with checked_directory(config_dir, overrides):
        return compose([*overrides], config_dir)
