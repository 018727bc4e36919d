"""The verb `interpolate`."""

from tests.cli.calls import call, load_once


def test_interpolate(capsys, cached_run):
    status, out, err = call(capsys, "interpolate", cached_run, "abc", "ba", "--steps", 5)
    assert status == 0 and err == ""
    rows = [line.split("|") for line in out.splitlines()[2:]]
    assert [row[1].strip() for row in rows] == ["0.000", "0.250", "0.500", "0.750", "1.000"]
    ends = load_once(cached_run).predict(["abc", "ba"])
    assert [rows[0][2].strip(), rows[-1][2].strip()] == ends
