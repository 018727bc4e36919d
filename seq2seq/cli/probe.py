"""The verb `probe`: linear probes of the handed-over state."""

import argparse
import itertools
from pathlib import Path
from typing import Any

from seq2seq.cli.run_argument import load_run, name_of, predictions_of
from seq2seq.cli.study_files import (
    Files,
    add_examples,
    add_files,
    check_figures,
    check_packages,
)
from seq2seq.runtime.progress import progress
from seq2seq.runtime.quiet import filtered_stderr
from seq2seq.runtime.verbosity import note


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "probe",
        help="linear probes of the state that the encoder passes to the decoder",
        description="Linear probes of the decoder's initial state: the symbol at each "
        "position of the source, and its length, from hidden, from cell, and from both, beside "
        "controls trained on shuffled states. They are trained on the task's training sources and "
        "evaluated on the run's held-out ones.",
    )
    parser.add_argument("run", metavar="RUN", help="a run directory, for example runs/latest")
    add_examples(parser, 40000, "training sources of the probes")
    add_files(parser)


def run(options: argparse.Namespace) -> None:
    """`seq2seq probe`: tables and grids of the accuracy of linear probes."""
    check_packages("sklearn")
    check_figures(options)
    files = Files("probe", options.run, options)
    training, data = training_sources(options.run, options.examples)
    predictor = load_run(options.run)
    from seq2seq.analysis.probing import format_readings, probe
    from seq2seq.evaluation.predictions import read_examples

    test = [example.source for example in read_examples(predictions_of(options.run))]
    probing = probe(predictor, training, test, options.seed)
    data = f"{data}, evaluated on {len(test):,} held-out ones"
    print(f"linear probes of the decoder's initial state, trained on {data}\n")
    print(format_readings(probing), flush=True)
    for text in probing.notes:
        note(text)

    def draw():
        from seq2seq.analysis.study_charts import draw_readings

        return draw_readings(probing, name_of(predictor), data)

    rows = [
        [
            *(reading.part, reading.length or "all", reading.position or "length"),
            *(*reading.accuracy, reading.accuracy.value, *reading.accuracy.interval),
            reading.control.value,
        ]
        for reading in probing.readings
    ]
    columns = ["from", "source_length", "position", "correct", "count", "accuracy", "low", "high"]
    files.write([*columns, "control"], rows, draw)


def training_sources(run: str, maximum: int) -> tuple[list[str], str]:
    """Sources of the task that a run was trained on, and how many in words.

    Raises:
        ValueError: there is no run directory, or the task's data is not where it was.
    """
    from seq2seq.config import build_task
    from seq2seq.data.task import Stream, evenly_spaced
    from seq2seq.runs.existing import read_run, with_data_files

    if not (Path(run) / "config.yaml").is_file():
        raise ValueError(
            f"{run} is no run directory: config.yaml, which names the task of the "
            "training sources, is missing"
        )
    with progress("reading the examples"), filtered_stderr():
        task = build_task(with_data_files(read_run(Path(run)).config, Path(run)))
    examples = task.examples("train")
    if isinstance(examples, Stream):
        chosen = [example.source for example in itertools.islice(examples, maximum)]
        return chosen, f"{len(chosen):,} training sources"
    chosen = [example.source for example in evenly_spaced(examples, maximum)]
    of = f" of {len(examples):,}, evenly spread" if len(chosen) < len(examples) else ""
    return chosen, f"{len(chosen):,} training sources{of}"
