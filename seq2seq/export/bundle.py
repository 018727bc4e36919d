"""The NumPy runtime as one file that can be copied anywhere: `numpy_runtime.py`.

It is made of the modules of `seq2seq.runtime`, in an order in which each uses only those before it.
"""

import ast
from pathlib import Path

PACKAGE = "seq2seq.runtime"
FOLDER = Path(__file__).parents[1] / "runtime"
MODULES = (
    *("validation", "file_format", "tokenization", "vocabulary", "real_values", "tagged", "codec"),
    *("recurrent", "bridges", "attention", "model", "search", "predictor", "command_line"),
)
FILE_NAME = "numpy_runtime.py"
HEADER = '''"""Predictions of a trained model with NumPy only: a file to be copied into any project.

    import numpy_runtime
    numpy_runtime.load("model.npz").predict(["hello"])            # -> ["olleh"]

    python numpy_runtime.py model.npz < sources > answers         # one source a line

It reads `model.npz`, supports every part of a model, and decodes greedily or by beam search. All
computation is float32; sequences are time-major, (time, batch, ...).

It needs Python 3.9 or newer, and NumPy 1.21 or newer. Generated from seq2seq/runtime; do not edit.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 9):
    NEEDED = "numpy_runtime.py needs Python 3.9 or newer, and this is Python "
    NEEDED += ".".join(map(str, sys.version_info[:3]))
    if __name__ == "__main__":
        sys.exit("error: " + NEEDED)
    raise ImportError(NEEDED)

'''
FOOTER = """

if __name__ == "__main__":
    sys.exit(main())
"""


def make_bundle() -> str:
    """Source of the one file.

    Raises:
        ValueError: a module uses another that does not come before it, or two define one name.
    """
    imports: dict[str, None] = {}  # in order, each once
    bodies, owners, earlier = [], {}, set()
    for name in MODULES:
        source = (FOLDER / f"{name}.py").read_text("utf-8")
        tree = ast.parse(source)
        lines = source.splitlines()
        start = 0
        for node in tree.body:
            if isinstance(node, (ast.Import, ast.ImportFrom)) or _is_docstring(node, tree):
                start = node.end_lineno
                _collect_import(node, earlier, imports)
            else:
                for defined in _defined_names(node):
                    if owners.setdefault(defined, name) != name:
                        raise ValueError(f"{name} and {owners[defined]} define {defined}")
        title = (ast.get_docstring(tree) or "").splitlines()[0]
        body = "\n".join(lines[start:]).strip("\n")
        bodies.append(f"# {'-' * 8} {name}: {title}\n\n{body}\n")
        earlier.add(name)
    return HEADER + "\n".join(imports) + "\n\n" + "\n\n".join(bodies) + FOOTER


def write_bundle(folder: Path) -> Path:
    """Write the file to `folder`; its path."""
    path = folder / FILE_NAME
    path.write_text(make_bundle(), "utf-8")
    return path


def _is_docstring(node: ast.AST, tree: ast.Module) -> bool:
    return node is tree.body[0] and isinstance(node, ast.Expr)


def _collect_import(node: ast.AST, earlier: set[str], imports: dict[str, None]) -> None:
    """Add an import of another package; check an import of this one."""
    if isinstance(node, ast.Import):
        imports[ast.unparse(node)] = None
    elif isinstance(node, ast.ImportFrom) and node.module.startswith(PACKAGE):
        module = node.module.removeprefix(PACKAGE + ".")
        if module not in earlier or any(alias.asname for alias in node.names):
            raise ValueError(f"{ast.unparse(node)} is not among the modules before it")
    elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
        for alias in node.names:
            imports[f"from {node.module} import {alias.name}"] = None


def _defined_names(node: ast.AST) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [
        name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)
    ]
