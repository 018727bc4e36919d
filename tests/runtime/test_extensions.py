"""Extensions: modules that are trusted because they were installed for it or allowed."""

import sys

import pytest

from seq2seq.runtime import extensions

CODE = "from pathlib import Path\n\nclass Mine:\n    pass\n\ndef function():\n    pass\n"


@pytest.fixture
def package(tmp_path, monkeypatch, no_extensions):
    """A package `my_package` on the path, which imports `inner` and not `script`."""
    folder = tmp_path / "my_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("from my_package.inner import Mine\n")
    (folder / "inner.py").write_text(CODE)
    (folder / "script.py").write_text(f"open({str(tmp_path / 'RAN')!r}, 'w')\n{CODE}")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_classes_of_an_allowed_module_are_found(package):
    with pytest.raises(extensions.ForeignClass, match="--allow my_package"):
        extensions.find_class("my_package.inner", "Mine")
    assert "my_package" not in sys.modules
    extensions.allow("my_package")
    assert extensions.find_class("my_package.inner", "Mine").__name__ == "Mine"
    assert extensions.find_class("my_package", "Mine").__module__ == "my_package.inner"
    assert extensions.allowed_sources() == ["my_package"]


@pytest.mark.parametrize(
    "module, name, message",
    [
        ("my_package.inner", "Path", "is defined in pathlib"),
        ("my_package.inner", "function", "has no class my_package.inner.function"),
        ("my_package.inner", "Nothing", "has no class"),
        ("my_package.script", "Mine", "has no class my_package.script.Mine"),
        ("my_package.inner.Path", "home", "has no class"),
        ("my_package_2", "Mine", "my_package_2 is no extension"),
        ("os", "system", "^$"),
        ("", "eval", "^$"),
    ],
)
def test_an_allowed_module_gives_its_own_classes_alone(package, module, name, message):
    extensions.allow("my_package")
    with pytest.raises(ValueError, match=message):
        extensions.find_class(module, name)
    assert not (package / "RAN").exists()


def test_an_installed_distribution_registers_its_module(package):
    information = package / "my_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[seq2seq.parts]\nmine = my_package.inner\n")
    assert extensions.registered_modules() == ["my_package.inner"]
    assert extensions.find_class("my_package.inner", "Mine").__name__ == "Mine"
    with pytest.raises(extensions.ForeignClass):
        extensions.find_class("my_package", "Mine")  # it registered a module below
    assert extensions.allowed_sources() == []  # a further process finds it, too


def test_a_file_is_a_module_of_its_name(tmp_path, no_extensions):
    path = tmp_path / "my_parts.py"
    path.write_text(CODE)
    extensions.allow(path)
    extensions.allow(str(path))  # again
    assert extensions.find_class("my_parts", "Mine").__module__ == "my_parts"
    assert extensions.allowed_sources() == [str(path)]


def test_a_class_of_this_program_allows_its_module(no_extensions):
    extensions.allow(type("Mine", (), {"__module__": __name__}))
    assert extensions.find_extension(__name__) == __name__


@pytest.mark.parametrize(
    "source, message",
    [
        ("os", "may not be os"),
        ("keras.layers", "may not be keras"),
        ("seq2seq.cli", "may not be seq2seq"),
        ("not_there", "the extension not_there can't be imported: ModuleNotFoundError"),
        ("not there", "it is no name of a module, nor a .py file"),
        ("../x", "it is no name of a module"),
        ("not_there.py", "not_there.py can't be allowed: no such file"),
        ("json.py", "may not be json"),
        ("pytest.py", "pytest is the name of the module .*; rename the file"),
        ("broken.py", r"broken\.py can't be imported: ZeroDivisionError: division by zero"),
        ("my-parts.py", "it is no name of a module"),
    ],
)
def test_what_can_not_be_allowed_is_named(source, message, tmp_path, monkeypatch, no_extensions):
    monkeypatch.chdir(tmp_path)
    for name in ("json", "pytest", "my-parts"):
        (tmp_path / f"{name}.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ValueError, match=message):
        extensions.allow(source)
    assert extensions.allowed_sources() == [] and "broken" not in sys.modules
