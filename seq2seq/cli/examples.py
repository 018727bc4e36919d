"""The verb `examples`: the examples of a task, before anything is trained."""

import argparse
import itertools
from typing import Any

from seq2seq.cli.options import natural
from seq2seq.runtime.progress import progress
from seq2seq.runtime.quiet import filtered_stderr
from seq2seq.runtime.verbosity import note


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "examples",
        help="show the examples of a task",
        usage="seq2seq examples task=NAME [task.KEY=VALUE ...] [--split SPLIT] [-n COUNT] "
        "[--config-dir DIR]",
        description="Print examples as source<TAB>target lines (with tags, "
        "source<TAB>target<TAB>tags), one for each right answer.",
    )
    parser.add_argument("--split", default="train", choices=("train", "validation", "test"))
    parser.add_argument(
        "-n", type=natural, metavar="COUNT", help="number (default: all, or 10 of endless ones)"
    )
    parser.add_argument(
        "--config-dir", metavar="DIR", help="a directory of further configurations, as of train"
    )


def run(options: argparse.Namespace) -> None:
    """`seq2seq examples`: the examples of a task, a line each."""
    from seq2seq.cli.composition import compose_checked
    from seq2seq.config import build_task
    from seq2seq.data.task import Stream
    from seq2seq.runtime.tagged import Tagged

    with progress("reading the examples"), filtered_stderr():
        task = build_task(compose_checked(options.overrides, options.config_dir))
    for text in task.notes:
        note(f"note: {text}")
    examples, count = task.examples(options.split), options.n
    if isinstance(examples, Stream) and count is None:
        count = 10
        note("training examples have no end; here are 10 (-n COUNT shows more)")
    for example in itertools.islice(examples, count):
        source, tags = example.source, []
        if isinstance(task.source, Tagged):  # tags come last, as in files of inflections
            source, *tags = source.split("\t")
        for target in example.references:
            print(source, target, *tags, sep="\t")
