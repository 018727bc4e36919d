"""The verb `completion`: scripts that the shells read, and what the one of bash completes."""

import shutil
import subprocess

import pytest

from seq2seq.cli.completion import SHELLS
from tests.cli.calls import call


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    from seq2seq.cli.completion import make_script
    from seq2seq.cli.main import make_parsers

    folder = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        (folder / shell).write_text(make_script(make_parsers()[0], shell) + "\n")
    return folder


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed_and_names_verbs_flags_and_choices(capsys, scripts, shell):
    status, out, err = call(capsys, "completion", shell)
    assert (status, err) == (0, "") and out == (scripts / shell).read_text()
    for word in ("predict", "train", "length-penalty", "config-dir", "sample", "task=addition"):
        assert word in out


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_shell_reads_the_script(scripts, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([shell, "-n", scripts / shell], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


COMPLETE = """
source "$1"; shift
COMP_LINE="$1"; COMP_POINT=${#1}; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($#-1))
_shtab_seq2seq 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    "line, words, expected",
    [
        ("pre", ["pre"], ["predict"]),
        ("predict --st", ["predict", "--st"], ["--strategy"]),
        ("predict --strategy ", ["predict", "--strategy", ""], ["greedy", "beam", "sample"]),
        ("predict my", ["predict", "my"], ["my.tsv"]),
        ("predict run --input my", ["predict", "run", "--input", "my"], ["my.tsv"]),
        ("report f", ["report", "f"], ["folder"]),
        ("train --config-d", ["train", "--config-d"], ["--config-dir"]),
        ("train --config-dir f", ["train", "--config-dir", "f"], ["folder"]),
        ("train --resu", ["train", "--resu"], ["--resume"]),
        ("train task=add", ["train", "task", "=", "add"], ["addition"]),
        ("train cell", ["train", "cell"], ["cell=gru", "cell=lstm", "cell=rnn"]),
        ("train task.train=my", ["train", "task.train", "=", "my"], ["my.tsv"]),
        ("examples task=add", ["examples", "task", "=", "add"], ["addition"]),
        ("reproduce scan_l", ["reproduce", "scan_l"], ["scan_length"]),
        ("list ta", ["list", "ta"], ["tasks"]),
        ("completion ", ["completion", ""], list(SHELLS)),
    ],
)
def test_bash_completes(scripts, tmp_path, line, words, expected):
    (tmp_path / "my.tsv").touch()
    (tmp_path / "folder").mkdir()
    command = ["bash", "-c", COMPLETE, "bash", scripts / "bash", f"seq2seq {line}", "seq2seq"]
    done = subprocess.run([*command, *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.split() == expected


def test_an_unknown_shell_is_one_line(capsys):
    with pytest.raises(SystemExit) as caught:
        call(capsys, "completion", "fish")
    err = capsys.readouterr().err
    assert caught.value.code == 2 and err.count("\n") == 1 and "invalid choice: 'fish'" in err
