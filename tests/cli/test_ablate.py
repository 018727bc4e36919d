"""The verb `ablate`: a row for each change of the state."""

import pytest

from tests.cli.calls import call, check_files


@pytest.mark.slow
def test_ablate(capsys, cached_run, tmp_path):
    status, out, err = call(capsys, "ablate", cached_run, "-o", tmp_path / "new")
    assert status == 0 and "of 5 held-out examples" in out
    rows = check_files(tmp_path / "new", "ablate", err)
    assert [row["state"] for row in rows][:3] == ["as trained", "zeroed", "shuffled"]
    for row in rows:
        assert f"| {row['state']} " in out and row["count"] == "5"
        assert float(row["low"]) <= float(row["exact_match"]) <= float(row["high"])
    status, out, err = call(
        capsys, "ablate", cached_run, "--examples", 3, "--no-figure", "-o", tmp_path
    )
    assert status == 0 and "of 3 held-out examples (of 5, evenly spread)" in out
    assert err == f"written: {tmp_path / 'ablate.tsv'}\n"
