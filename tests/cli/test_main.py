"""The command line: wrong usage is one line."""

import pytest

from seq2seq.cli import main as cli


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["predict"], "the following arguments are required: RUN"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["predict", "run", "--nonsense"], "unrecognised arguments: --nonsense; put -- before"),
        (["predict", "run", "-12+3"], "put -- before a text that begins with a dash"),
        (["predict", "run", "abc", "--prefix", "-in"], "a dash is written --option=VALUE"),
        (["predict", "run", "--width", "0"], "argument --width: expected a whole number of at"),
        ([], "the following arguments are required: VERB"),
    ],
)
def test_wrong_usage_is_one_line_and_exits_with_two(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    error = capsys.readouterr().err
    assert caught.value.code == 2 and message in error
    assert error.startswith("error: ") and error.count("\n") == 1 and "--help" in error
