"""The verb `completion`: a script that completes the command line in a shell."""

import argparse
from typing import Any

from seq2seq.cli.flags import make_train_parser
from seq2seq.runtime.paths import CONFIGS, EXPERIMENTS

SHELLS = ("bash", "zsh", "tcsh")
FILES = ("FILE", "FILE.tar.gz", "PATH", "RUN")  # names of arguments that are files or directories
DIRECTORIES = ("DIR", "DIRECTORY")
# Words, or files where no word fits; bash splits a word at each "=", and completes its last part.
BASH = """
_seq2seq_words_or_files() {
  local typed="${COMP_LINE:0:COMP_POINT}"
  typed="${typed##* }"
  local words="$(compgen -W "$2" -- "$typed")"
  if [[ -z $words ]]; then
    compgen -f -- "${typed##*=}"
  elif [[ $typed == *=* ]]; then
    sed 's/^[^=]*=//' <<< "$words"
  else
    echo "$words"
  fi
}
"""
BASH_WORDS = "\n%s() { _seq2seq_words_or_files \"$1\" '%s'; }\n"
ZSH_WORDS = '\n%s() { compadd -S "" -- %s || _files; }\n'


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "completion",
        help="print a script that completes verbs, flags and files in a shell",
        description="Print a script for a shell. It completes verbs, flags, their choices, "
        "group=NAME of train, experiments, and files.",
        epilog='bash: eval "$(seq2seq completion bash)" in ~/.bashrc; zsh: seq2seq completion zsh '
        "> _seq2seq in a directory of $fpath; tcsh: seq2seq completion tcsh > FILE, and source "
        "FILE in ~/.tcshrc",
    )
    parser.add_argument("shell", choices=SHELLS)


def run(options: argparse.Namespace) -> None:
    """`seq2seq completion`: the script."""
    print(make_script(options.command, options.shell))


def make_script(command: argparse.ArgumentParser, shell: str) -> str:
    """Make the script of a shell.

    Args:
        command: the parser of the command with its verbs, which gets the flags of `train`.
        shell: one of `SHELLS`.
    """
    import shtab

    verbs = find_verbs(command)
    add_train_flags(verbs["train"])
    for verb in ("train", "examples"):
        verbs[verb].add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    choices = sorted(CONFIGS.glob("*/*.yaml"))
    words = {
        "EXPERIMENT|RUN": ("experiments", EXPERIMENTS),
        "GROUP": ("groups", sorted({f"{path.parent.name}s" for path in choices})),
        "KEY=VALUE": ("overrides", [f"{path.parent.name}={path.stem}" for path in choices]),
    }
    for action in (action for parser in verbs.values() for action in parser._actions):
        if action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in DIRECTORIES:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif action.metavar in words:
            action.complete = complete_words(*words[action.metavar])  # type: ignore[attr-defined]
    return shtab.complete(command, shell)


def find_verbs(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Find the parsers of all verbs by their names."""
    return next(action.choices for action in command._actions if action.dest == "verb")


def add_train_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `train`, Hydra's and ours."""
    from hydra._internal.utils import get_args_parser

    for action in [*make_train_parser()._actions, *get_args_parser()._actions]:
        if action.option_strings and not {*action.option_strings} & {
            *parser._option_string_actions
        }:
            action.metavar = "DIR" if action.dest == "config_dir" else action.metavar
            action.help = str(action.help or "").partition("\n")[0].rstrip(":")
            parser._add_action(action)
    parser.add_argument("--resume", action="store_true", help="resume the run")


def complete_words(name: str, words: list[str]) -> dict:
    """Make a completion of words, or of files where no word fits, as `shtab` takes it."""
    function, joined = f"_seq2seq_{name}", " ".join(words)
    return {
        "bash": function,
        "zsh": function,
        "tcsh": f"({joined})",
        "preamble": {
            "bash": BASH + BASH_WORDS % (function, joined),
            "zsh": ZSH_WORDS % (function, joined),
        },
    }
