"""What a run ran on: described, and compared."""

import pytest

from seq2seq.training.environment import (
    describe_environment,
    environment_changes,
    read_environment,
)


def test_the_environment_is_described():
    found = describe_environment(7, "data")
    assert found["seed"] == 7 and found["packages"]["keras"] and found["command"]
    assert found["data"] == "data" and "intra_op" in found["threads"] and found["devices"]


def test_two_starts_on_one_machine_have_one_environment():
    one, two = describe_environment(7, "data"), describe_environment(7, "data")
    two |= {"started": "later", "command": ["other"]}
    assert environment_changes(one, two) == {}
    two["packages"] = {**one["packages"], "keras": "0"}
    assert environment_changes(one, two) == {"packages.keras": [one["packages"]["keras"], "0"]}


@pytest.mark.parametrize("content", [None, "", "{", "[]"])
def test_what_can_not_be_read_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "environment.json").write_text(content)
    with pytest.raises(ValueError, match="environment.json"):
        read_environment(tmp_path)
