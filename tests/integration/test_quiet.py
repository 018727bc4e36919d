"""From Python the package prints as little as its commands do."""

import pytest

SERVE = """
import sys
import seq2seq
assert "keras" not in sys.modules
seq2seq.Vocabulary
assert "keras" not in sys.modules
run = seq2seq.load(sys.argv[1])
for length in range(1, 7):
    run.predict(["a" * length] * length)
    run.predict(["a" * (length - 1)], seq2seq.Beam(2), n_best=2)
run.save("copy.npz")
print(seq2seq.load("copy.npz").predict(["abc"]) == run.predict(["abc"]))
"""


@pytest.mark.slow
def test_loading_and_predicting_print_nothing(python, trained, tmp_path):
    done = python("-c", SERVE, str(trained))
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert (tmp_path / "copy.npz").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Encoder", "Beam", "states", "cross_entropy"])
def test_a_name_is_imported_quietly_and_starts_no_device(name, python):
    """A program may choose its devices after its imports."""
    code = f"from seq2seq import {name}\nimport keras\n"
    if name == "Encoder":
        code += (
            "if keras.backend.backend() == 'tensorflow':\n"
            "    import tensorflow as tf\n"
            "    tf.config.set_logical_device_configuration(\n"
            "        tf.config.list_physical_devices('CPU')[0],\n"
            "        [tf.config.LogicalDeviceConfiguration()] * 2)\n"
            "    assert len(tf.config.list_logical_devices('CPU')) == 2\n"
        )
    done = python("-c", code)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert name == "Encoder" or done.stderr == ""
