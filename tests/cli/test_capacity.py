"""The verb `capacity`."""

from tests.cli.calls import call, check_files


def test_capacity(capsys, trained, tmp_path):
    status, out, err = call(capsys, "capacity", trained, "-o", tmp_path)
    assert status == 0 and "| 16 units | 1 " in out
    rows = check_files(tmp_path, "capacity", err)
    assert rows[0]["source_length"] == "all" and {row["units"] for row in rows} == {"16"}
