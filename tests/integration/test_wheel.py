"""The distribution: what it is called and holds, and that an installed wheel works elsewhere."""

import email
import tarfile
import zipfile

import pytest

import seq2seq
from tests.conftest import ROOT, run_python

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Directory of the wheel and the source distribution."""
    directory = tmp_path_factory.mktemp("dist")
    done = run_python("-m", "build", "-o", directory, ROOT, cwd=directory, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def test_the_wheel_holds_the_package_its_configs_and_its_types(built):
    (path,) = built.glob("keras_seq2seq-*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(wheel.read(metadata))
    package = {str(file.relative_to(ROOT)) for file in ROOT.glob("seq2seq/**/*.py*")}
    package = {name for name in package if "__pycache__" not in name}
    configs = {f"seq2seq/{file.relative_to(ROOT)}" for file in ROOT.glob("configs/**/*.yaml")}
    assert {"seq2seq/py.typed", "seq2seq/__init__.pyi", *package, *configs} <= {*names}
    assert {name.split("/")[0] for name in names} == {"seq2seq", metadata_folder(path)}
    assert (metadata["Name"], metadata["Version"]) == ("keras-seq2seq", seq2seq.__version__)
    assert {"export", "analysis", "jax", "tensorboard"} <= {*metadata.get_all("Provides-Extra")}


def metadata_folder(path):
    return "-".join(path.name.split("-")[:2]) + ".dist-info"


def test_the_source_distribution_can_be_tested(built):
    (path,) = built.glob("keras_seq2seq-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    documents = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff"}
    assert {"train.py", "LICENSE", "tests/conftest.py", "configs/train.yaml", *documents} <= names


def test_an_installed_wheel_trains_in_an_empty_directory(built, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    (wheel,) = built.glob("*.whl")
    arguments = ["-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel]
    done = run_python(*arguments, cwd=tmp_path, PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    assert (site / "seq2seq/configs/task/copy.yaml").is_file()

    def installed(*arguments):
        return run_python(*arguments, cwd=empty, PYTHONPATH=str(site))

    where = installed("-c", "import seq2seq; print(seq2seq.__file__)").stdout
    assert where.startswith(str(site))
    done = installed("-m", "seq2seq", "train", "task=copy", "training.steps=2", "run_dir=run")
    assert done.returncode == 0, done.stderr
    done = installed(site / "bin/seq2seq", "predict", "run", "abc")
    assert done.returncode == 0 and done.stdout.count("\n") == 1, done.stderr
    done = installed("-m", "seq2seq", "inspect", "run", "abc", "--no-figure")
    assert done.returncode == 0 and (empty / "run/analysis/inspect.html").is_file(), done.stderr
