"""The house: imports go one way, the package is light to import, and nothing asserts."""

import ast
import re
from pathlib import Path

import pytest

import seq2seq

PACKAGE = Path(seq2seq.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# A folder imports from itself and from those before it; so do the modules beside the folders.
FLOORS = [
    *("runtime", "data", "layers", "decoding", "models", "inference", "evaluation", "runs"),
    *("training", "analysis", "export", "config", "config_errors", "training_from_config"),
    *("training_run", "cli", "__main__"),
]


def module_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {f"seq2seq.{module_of(path)}" for path in FILES}


def floor(module):
    return FLOORS.index(module.split(".")[0])


def imports(path, top_level=False):
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in names if name in MODULES]
            yield from modules
            if len(modules) < len(names):
                yield node.module


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_to_lower_folders(path):
    module = module_of(path)
    for name in imports(path) if module else ():
        if name.startswith("seq2seq."):
            imported = name.removeprefix("seq2seq.")
            assert floor(imported) <= floor(module), f"{module} imports {imported}"


def test_no_two_modules_import_each_other():
    arrows = {f"seq2seq.{module_of(path)}": {*imports(path)} & MODULES for path in FILES}
    while free := [name for name, others in arrows.items() if not others]:
        arrows = {name: others - {*free} for name, others in arrows.items() if name not in free}
    assert not arrows


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_assert_and_no_swallowed_exception(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Assert), node.lineno
        if isinstance(node, ast.ExceptHandler):
            assert not all(isinstance(part, ast.Pass) for part in node.body), node.lineno


@pytest.mark.parametrize("room", ["layers", "models", "decoding"])
def test_layers_models_and_decoding_import_no_backend(room):
    for path in (PACKAGE / room).glob("*.py"):
        packages = {name.split(".")[0] for name in imports(path)}
        # `train_step` is TensorFlow's update; other engines have Keras's own.
        is_engine = path.name in ("backend.py", "train_step.py")
        assert is_engine or not packages & {"tensorflow", "jax", "torch"}


def loaded(python, statement):
    done = python("-c", f"{statement}\nimport sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import seq2seq",
        "import seq2seq.data",
        "import seq2seq.evaluation.metrics",
        "import seq2seq.analysis.page",
        "import seq2seq.cli.main",
        "from seq2seq.data import Scan; Scan()",
    ],
)
def test_light_imports_load_no_engine(python, statement):
    assert not loaded(python, statement) & {"tensorflow", "keras", "jax", "torch"}


def test_importing_the_package_loads_next_to_nothing(python):
    assert "numpy" not in loaded(python, "import seq2seq")


def test_help_loads_no_engine(python):
    for command in (["-m", "seq2seq", "--help"], ["-m", "seq2seq", "train", "--help"]):
        done = python("-X", "importtime", *command)
        assert done.returncode == 0 and "seq2seq" in done.stdout
        assert not re.search(r"\| +(tensorflow|keras)$", done.stderr, re.M)


@pytest.mark.parametrize("name", seq2seq.__all__)
def test_public_names_exist(name):
    assert getattr(seq2seq, name).__doc__


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="attribute Nothing"):
        seq2seq.Nothing  # noqa: B018


# Modules that only import or call others.
WITHOUT_TESTS = {"__init__.py", "__main__.py"}


def test_every_module_has_its_test_file():
    modules = [path.relative_to(PACKAGE) for path in FILES if path.name not in WITHOUT_TESTS]
    expected = {module.with_name(f"test_{module.name}") for module in modules}
    tests = Path(__file__).parent
    assert expected <= {path.relative_to(tests) for path in tests.rglob("test_*.py")}
