"""The table of runs from Python."""

import pytest

import seq2seq
from tests.runs.fake_runs import config, summary, write_run


@pytest.fixture
def table(tmp_path):
    for seed in (0, 1):
        for attention in ("none", "<b>"):
            path = tmp_path / f"{len(attention)}-{seed}"
            write_run(path, config(seed, attention), summary(0.5 + seed / 4))
    return seq2seq.report(tmp_path)


def test_it_is_the_table_of_report(table):
    assert isinstance(table, seq2seq.RunTable)
    assert str(table) == repr(table) and str(table).startswith("| attention")
    shown = table._repr_html_()
    assert shown.count("<tr>") == 3 and "<b>" not in shown
    assert "<th>attention</th>" in shown and "<td>62.50 ± 17.68</td>" in shown


def test_a_data_frame_has_a_row_for_each_run(table):
    pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert len(frame) == 4 and set(frame["seed"]) == {0, 1}
    assert frame.groupby("attention")["exact_match"].mean().to_list() == [0.625, 0.625]


def test_there_must_be_runs(tmp_path):
    with pytest.raises(ValueError, match="there is no directory of runs"):
        seq2seq.report()
    with pytest.raises(ValueError, match="no such directory"):
        seq2seq.report(tmp_path / "a")
