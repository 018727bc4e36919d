"""Files appear whole or not at all."""

import errno

import pytest

from seq2seq.runtime.atomic import write_whole


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "summary.json"
    write_whole(path, "first")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*summary\.json'"):
        write_whole(path, "second")
    assert path.read_text() == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


@pytest.mark.parametrize("mask, mode", [("077", "600"), ("022", "644"), ("002", "664")])
def test_a_file_has_the_mode_that_its_owner_wants(mask, mode, python, tmp_path):
    code = (
        f"import os; os.umask(0o{mask})\n"
        "from pathlib import Path\n"
        "from seq2seq.runtime.atomic import write_whole\n"
        "write_whole(Path('file'), 'text')\n"
    )
    assert python("-c", code).returncode == 0
    assert oct((tmp_path / "file").stat().st_mode)[-3:] == mode


def test_a_folder_that_is_gone_is_named_by_the_file(tmp_path):
    with pytest.raises(OSError, match=r"gone/model\.npz'$"):
        write_whole(tmp_path / "gone/model.npz", "text")
