"""An installed wheel works in an empty directory: the configs travel with it."""

import pytest

from tests.conftest import ROOT, run_python


@pytest.mark.slow
def test_an_installed_wheel_trains_in_an_empty_directory(tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    arguments = ["-m", "pip", "install", "-q", "--no-deps", "--target", site, ROOT]
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
