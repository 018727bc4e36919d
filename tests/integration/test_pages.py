"""The measured parts of the pages come from one script."""

import re
import shutil

import pytest

from tests.conftest import ROOT, run_python

PAGES = ("README.md", "docs/states-seen.md")
MARKED = re.compile(r"<!-- (\w+) -->\n(.*?)<!-- end -->", re.S)
TINY = ["task.min_length=3", "task.max_length=3", "task.test_examples=100"]
TINY += ["task.validation_examples=50", "training.steps=20", "training.steps_per_epoch=20"]


def marked(folder, page):
    return dict(MARKED.findall((folder / page).read_text("utf-8")))


def test_both_pages_are_of_one_commit():
    named = {
        re.search(r"commit (\w+), Python", "".join(marked(ROOT, page).values()))[1]
        for page in PAGES
    }
    assert len(named) == 1


def columns(text):
    """The columns of a table, but those of single lengths, of which a tiny task has fewer."""
    if not text.startswith("|"):
        return None
    cells = [cell.strip() for cell in text.splitlines()[0].split("|")]
    return [cell for cell in cells if not cell.isdecimal()]


@pytest.mark.slow
def test_the_measured_parts_are_written_by_one_script(tmp_path):
    for page in PAGES:
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / page, tmp_path / page)
    (tmp_path / "docs/states-seen").mkdir()
    script = ROOT / "benchmarks/pages.py"
    process = run_python(script, tmp_path / "runs", "--pages", tmp_path, *TINY, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    for page in PAGES:
        original, tiny = marked(ROOT, page), marked(tmp_path, page)
        assert original.keys() == tiny.keys()
        for name, text in tiny.items():
            assert text.strip() and columns(text) == (columns(original[name]) or columns(text))
        around = [MARKED.sub("", (folder / page).read_text("utf-8")) for folder in (ROOT, tmp_path)]
        assert around[0] == around[1]
    pictures = sorted(path.name for path in (tmp_path / "docs/states-seen").iterdir())
    assert pictures == ["ablate.png", "capacity.png", "inspect.png", "probe.png"]
