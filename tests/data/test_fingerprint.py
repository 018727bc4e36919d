"""The fingerprint of a task: equal for equal data, different after any change."""

import pytest

from seq2seq.data import Copy, Reverse
from seq2seq.data.fingerprint import fingerprint

SIZES = {"symbols": 4, "max_length": 5, "training_examples": 20}


def test_equal_tasks_have_equal_fingerprints():
    assert fingerprint(Copy(**SIZES)) == fingerprint(Copy(**SIZES))


@pytest.mark.parametrize(
    "changed", [Copy(**SIZES, seed=1), Copy(**{**SIZES, "symbols": 5}), Reverse(**SIZES)]
)
def test_other_data_have_another_fingerprint(changed):
    assert fingerprint(changed) != fingerprint(Copy(**SIZES))


def test_a_side_without_a_normal_form_has_the_fingerprint_of_an_older_run(monkeypatch):
    task = Copy(**SIZES)
    expected, config = fingerprint(task), task.source.to_config()
    older = {key: value for key, value in config.items() if key != "normalization"}
    monkeypatch.setattr(task.source, "to_config", lambda: older)
    assert fingerprint(task) == expected
