"""Extensions: classes of the user's own that configurations and models may name.

Trusted are modules that an installed distribution registers in the entry point group
`seq2seq.parts`, and modules that the user allows, on the command line by `--allow` or in Python by
`allow`. A file that comes from elsewhere never adds to them.

A distribution registers the module of its parts in its `pyproject.toml`:

    [project.entry-points."seq2seq.parts"]
    mypackage = "mypackage.parts"
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points, packages_distributions, version
from pathlib import Path
from types import ModuleType

from seq2seq.runtime.quiet import filtered_stderr

GROUP = "seq2seq.parts"
# Modules whose classes do more than compute, whoever asks for them.
NEVER = frozenset({"seq2seq", "keras", "tensorflow", "jax", "numpy", *sys.stdlib_module_names})
_allowed: dict[str, str] = {}  # name of a module: the package or file as it was allowed


class ForeignClass(ValueError):
    """Error: a class is neither of this package nor of an extension."""


def allow(*sources: str | Path | ModuleType | type) -> None:
    """Allow configurations and models to name the classes that are defined in modules.

    A module is allowed with the modules below it that it imports; importing it runs its code.

    Args:
        sources: names of importable modules, paths of Python files (`my_task.py`), modules, or
            classes, whose modules are allowed.

    Raises:
        ValueError: a module or file that can't be imported, or a module of Python, of Keras or of
            this package.

    Example:
        seq2seq.allow("my_task.py")
        run = seq2seq.load("runs/latest")
    """
    for source in sources:
        if isinstance(source, type):
            source = sys.modules[source.__module__]
        if isinstance(source, ModuleType):
            _check_name(source.__name__, source.__name__)
            _allowed[source.__name__] = source.__name__
        elif str(source).endswith(".py"):
            path = Path(source).resolve()
            _allowed[_import_file(path)] = str(path)
        else:
            _check_name(str(source), str(source))
            _import(str(source))
            _allowed[str(source)] = str(source)


def allowed_sources() -> list[str]:
    """Names and paths that were allowed, for a further process."""
    return list(_allowed.values())


def imported_extensions() -> list[str]:
    """Modules of extensions that this process has imported."""
    return [name for name in (*_allowed, *registered_modules()) if name in sys.modules]


def registered_modules() -> list[str]:
    """Modules that installed distributions register in the entry point group `seq2seq.parts`."""
    return [entry.value.partition(":")[0] for entry in entry_points(group=GROUP)]


def find_extension(module: str) -> str | None:
    """Name of the extension that contains `module`, imported; None: it belongs to none.

    Raises:
        ValueError: the extension can't be imported.
    """
    for extension in (*_allowed, *registered_modules()):
        if module == extension or module.startswith(extension + "."):
            if extension not in sys.modules:
                _import(extension)
            return extension
    return None


def describe_extensions(modules: Iterable[str]) -> dict[str, str | None]:
    """Distribution of each extension that contains one of `modules`.

    Returns:
        `"NAME==VERSION"` by the extension's module; None: no distribution has it, as of a file.
    """
    names = {name for name in map(find_extension, modules) if name}
    distributions = packages_distributions() if names else {}
    described: dict[str, str | None] = {}
    for name in sorted(names):
        owners = distributions.get(name.partition(".")[0], [])
        described[name] = f"{owners[0]}=={version(owners[0])}" if owners else None
    return described


def find_class(module: str, name: str) -> type:
    """Find a class of an extension.

    Only modules that the extension itself imports are searched: a file can't have others run.

    Raises:
        ForeignClass: the module belongs to no extension.
        ValueError: the extension lacks the class, or it is defined elsewhere.
    """
    extension = find_extension(module)
    if extension is None:
        raise ForeignClass(advise(module))
    cls = getattr(sys.modules.get(module), name, None)
    if not inspect.isclass(cls):
        raise ValueError(f"the extension {extension} has no class {module}.{name}")
    if find_extension(cls.__module__) is None:
        raise ForeignClass(f"{module}.{name} is defined in {cls.__module__}, outside {extension}")
    return cls


def advise(module: str) -> str:
    """Advice on how a module that is no extension becomes one, empty for those that never do."""
    package = module.partition(".")[0]
    if package in NEVER or not package.isidentifier():
        return ""
    return (
        f"{package} is no extension: if you trust it, allow it by --allow {package} or --allow "
        f"PATH/{package}.py, in Python by seq2seq.allow"
    )


def _check_name(name: str, source: str) -> None:
    package = name.partition(".")[0]
    if package in NEVER:
        raise ValueError(f"{source} can't be allowed: a module of your own may not be {package}")
    if not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"{source} can't be allowed: it is no name of a module, nor a .py file")


def _import(name: str) -> ModuleType:
    try:
        with filtered_stderr():  # most import Keras
            return importlib.import_module(name)
    except Exception as error:  # whatever its code raises
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"the extension {name} can't be imported: {reason}") from error


def _import_file(path: Path) -> str:
    """Import a file as the module of its name; the name."""
    name = path.stem
    _check_name(name, str(path))
    if not path.is_file():
        raise ValueError(f"{path} can't be allowed: no such file")
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return name
    existing = known or importlib.util.find_spec(name)
    origin = getattr(existing, "__file__", None) or getattr(existing, "origin", None)
    if existing is not None and origin != str(path):
        raise ValueError(
            f"{path} can't be allowed: {name} is the name of the module {origin}; rename the file"
        )
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before its code runs: Keras looks the classes' module up
    try:
        with filtered_stderr():
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"{path} can't be imported: {reason}") from error
    return name
