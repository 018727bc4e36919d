"""The notebooks run, and show what they promise."""

import json

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))


def test_notebooks_hold_no_outputs_and_no_paths_of_a_machine():
    assert [path.stem for path in NOTEBOOKS] == ["lengths", "my_file", "state"]
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text("utf-8"))
        code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
        assert "/home/" not in path.read_text("utf-8") and "/tmp/" not in path.read_text("utf-8")


@pytest.fixture(scope="module")
def execute(tmp_path_factory):
    """A function that runs a notebook in an empty directory; the outputs of its code cells."""
    client = pytest.importorskip("nbclient", reason="needs keras-seq2seq[test]")
    import nbformat

    def run(name):
        notebook = nbformat.read(ROOT / f"docs/notebooks/{name}.ipynb", 4)
        resources = {"metadata": {"path": str(tmp_path_factory.mktemp(name))}}
        client.NotebookClient(notebook, timeout=900, resources=resources).execute()
        return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]

    return run


def texts(outputs):
    """All plain texts of the outputs of a cell."""
    return "".join(o.get("text", o.get("data", {}).get("text/plain", "")) for o in outputs)


@pytest.mark.slow
def test_the_state_notebook(execute):
    cells = execute("state")
    assert "(True, False)" in texts(cells[1])
    assert "epoch 8  step 800/800" in texts(cells[2])  # progress, and at the end the run
    assert "<table>" in cells[2][-1].data["text/html"]
    answers, swapped = texts(cells[4]).splitlines()[-2:]
    assert eval(swapped) == eval(answers)[::-1]
    assert "<iframe" in cells[6][-1].data["text/html"]


@pytest.mark.slow
def test_the_notebook_on_a_file(execute):
    cells = execute("my_file")
    expected = ["seven", "forty two", "three hundred and eighteen", "nine hundred"]
    assert eval(texts(cells[2])) == expected
    assert eval(texts(cells[-1])) == expected  # without TensorFlow, too
    assert "<table" in cells[3][-1].data["text/html"]


@pytest.mark.slow
def test_the_notebook_on_lengths(execute):
    cells = execute("lengths")
    assert "| Additive  | 2 " in texts(cells[1])
    assert "<table" in cells[1][-1].data["text/html"]
    assert "image/png" in cells[-1][-1].data
