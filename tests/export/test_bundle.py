"""The one file that is copied anywhere keeps to the Python that its docstring names."""

import ast
import builtins
import re

import pytest

from seq2seq.export.bundle import make_bundle, write_bundle
from tests.runtime.bundled import numpy_runtime

SOURCE = make_bundle()
MIN_PYTHON = (3, 9)


def find_newer(tree):
    """The lines that Python 3.9 can't evaluate although it can parse them."""
    annotations = set()
    for node in ast.walk(tree):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            annotations |= set(ast.walk(part)) if part is not None else set()
    for node in set(ast.walk(tree)) - annotations:
        if isinstance(node, ast.Call) and any(word.arg == "strict" for word in node.keywords):
            yield node.lineno
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            for side in (node.left, node.right):
                is_none = isinstance(side, ast.Constant) and side.value is None
                is_class = isinstance(side, ast.Name) and isinstance(
                    getattr(numpy_runtime, side.id, getattr(builtins, side.id, None)), type
                )
                if is_none or is_class:
                    yield node.lineno


@pytest.mark.parametrize(
    "code, count",
    [
        ("zip(a, b, strict=True)", 1),
        ("isinstance(a, list | tuple)", 2),
        ("isinstance(a, State | None)", 2),
        ("def f(a: int | None) -> int | str: return {} | {}", 0),
    ],
)
def test_what_needs_a_newer_python_is_found(code, count):
    assert len([*find_newer(ast.parse(code))]) == count


def test_the_file_needs_no_newer_python():
    tree = ast.parse(SOURCE, feature_version=MIN_PYTHON)
    assert [*find_newer(tree)] == []
    futures = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert futures[0].module == "__future__" and futures[0].names[0].name == "annotations"


def test_the_file_names_the_python_that_it_needs():
    named = re.search(r"Python (\d+)\.(\d+) or newer", numpy_runtime.__doc__)
    assert tuple(map(int, named.groups())) == MIN_PYTHON


OLD = """
import runpy, sys
sys.version_info = (3, 8, 18)
sys.argv = [sys.argv[1], "model.npz"]
runpy.run_path(sys.argv[0], run_name=%r)
"""


@pytest.mark.parametrize("name, status, start", [("__main__", 1, "error: "), ("other", 1, "")])
def test_an_older_python_is_reported(python, name, status, start, tmp_path):
    ast.parse(SOURCE, feature_version=(3, 8))  # else it could not report the version
    done = python("-c", OLD % name, write_bundle(tmp_path))
    sentence = "numpy_runtime.py needs Python 3.9 or newer, and this is Python 3.8.18"
    assert done.returncode == status and done.stderr.splitlines()[-1].endswith(sentence)
    if start:
        assert done.stderr == f"{start}{sentence}\n"


def test_sequences_that_do_not_align_are_refused():
    assert [*numpy_runtime.align("ab", [1, 2])] == [("a", 1), ("b", 2)]
    with pytest.raises(ValueError, match="sequences of 2, 3 elements do not align"):
        numpy_runtime.align([1, 2], [1, 2, 3])
