"""The verb `probe`: linear probes of the handed-over state."""

import argparse
import itertools
import sys
from pathlib import Path
from typing import Any

from seq2seq.cli.run_argument import load_run, name_of, predictions_of
from seq2seq.cli.study_files import (
    Files,
    add_examples,
    add_files,
    check_figures,
    check_packages,
    evenly_spaced,
)
from seq2seq.runtime.progress import progress
from seq2seq.runtime.quiet import held_back_noise


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "probe",
        help="what can be read from the handed-over state",
        description="Linear probes of the decoder's first state: the symbol at each place of the "
        "source, and its length, from hidden, from cell, and from both, beside probes that learned "
        "from shuffled states. They learn from the task's training sources and are judged on the "
        "run's held-out ones.",
    )
    parser.add_argument("run", metavar="RUN", help="a run directory, for example runs/latest")
    add_examples(parser, 40000, "training sources that the probes learn from")
    add_files(parser)


def run(options: argparse.Namespace) -> None:
    """`seq2seq probe`: tables and grids of what linear probes read."""
    check_packages("sklearn")
    check_figures(options)
    files = Files("probe", options.run, options)
    training, told = training_sources(options.run, options.examples)
    predictor = load_run(options.run)
    from seq2seq.analysis.probing import format_readings, probe
    from seq2seq.evaluation.predictions import read_examples

    test = [example.source for example in read_examples(predictions_of(options.run))]
    found = probe(predictor, training, test, options.seed)
    told = f"{told}, judged on {len(test):,} held-out ones"
    print(f"linear probes of the decoder's first state, learned from {told}\n")
    print(format_readings(found), flush=True)
    for note in found.notes:
        print(note, file=sys.stderr)

    def draw():
        from seq2seq.analysis.study_charts import draw_readings

        return draw_readings(found, name_of(predictor), told)

    rows = [
        [
            *(one.part, one.length or "all", one.position or "length"),
            *(*one.share, one.share.value, *one.share.interval, one.control.value),
        ]
        for one in found.readings
    ]
    columns = ["from", "source_length", "place", "right", "count", "read", "low", "high"]
    files.write([*columns, "control"], rows, draw)


def training_sources(run: str, most: int) -> tuple[list[str], str]:
    """Sources of the task that a run was trained on, and how many in words.

    Raises:
        ValueError: there is no run directory, or the task's data is not where it was.
    """
    from seq2seq.config import build_task
    from seq2seq.data.task import Stream
    from seq2seq.runs.existing import read_run, with_kept_data

    if not (Path(run) / "config.yaml").is_file():
        raise ValueError(
            f"{run} is no run directory: config.yaml, which names the task that probes learn "
            "from, is missing"
        )
    with progress("reading the examples"), held_back_noise():
        task = build_task(with_kept_data(read_run(Path(run)).config, Path(run)))
    examples = task.examples("train")
    if isinstance(examples, Stream):
        chosen = [example.source for example in itertools.islice(examples, most)]
        return chosen, f"{len(chosen):,} training sources"
    chosen = [example.source for example in evenly_spaced(examples, most)]
    of = f" of {len(examples):,}, evenly spread" if len(chosen) < len(examples) else ""
    return chosen, f"{len(chosen):,} training sources{of}"
