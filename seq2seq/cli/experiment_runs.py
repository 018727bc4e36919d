"""`seq2seq reproduce NAME`: all runs of an experiment, expected and obtained values, verdicts.

Its runs are those of `python train.py -m experiment=NAME seed=...`: complete ones are kept, stopped
ones are resumed, missing ones begin.
"""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from seq2seq.cli.composition import compose_checked
from seq2seq.cli.multirun import Multirun
from seq2seq.cli.train import train_several
from seq2seq.config import Job
from seq2seq.runs.compare import read_history, read_summary
from seq2seq.runs.environment import read_environment
from seq2seq.runs.experiment import (
    REPRODUCED,
    UNPUBLISHED,
    Experiment,
    Result,
    Row,
    measure,
    render,
    verdicts,
    write_results,
)
from seq2seq.runs.overrides import quote
from seq2seq.runtime.atomic import write_whole
from seq2seq.runtime.validation import check_choice
from seq2seq.runtime.verbosity import is_quiet, note, verbosity_flags

RESULTS = "results.csv"


def reproduce(experiment: Experiment, options: argparse.Namespace) -> int:
    """Make the runs that are missing, write `results.csv`, and print the table.

    Args:
        experiment: the content of its file.
        options: of the command line: `overrides`, `seeds`, `rows`, `jobs`, `output` and
            `config_dir`.

    Returns:
        The exit status: 1 if something was not reproduced or is missing; that of the worst run, or
        of the signal that ended it.
    """
    complete, experiment = experiment, choose_rows(experiment, options.rows)
    folder = Path(options.output or name_place(experiment.name, options.overrides)).expanduser()
    seeds = experiment.seeds if options.seeds is None else options.seeds
    for seed in seeds:
        check_choice("seed", str(seed), map(str, experiment.seeds))
    worst = 0
    for row in experiment.rows:
        note(f"{experiment.name}: {row.name}, seeds {', '.join(map(str, seeds))}")
        words = [*row.overrides, *options.overrides]
        status = launch(experiment.name, words, seeds, folder / row.name, options)
        if status > 128:  # a signal: finished runs are kept for the next time
            return status
        worst = max(worst, status)
    results = [*collect(complete, folder)]  # the file keeps the rows that were not chosen
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / RESULTS, write_results(results))
    judged = not options.overrides
    print(f"\n{experiment.name}: {experiment.source}\n")
    print(render(experiment, results, judged, options.latex), flush=True)
    note(f"saved to {folder}")
    if not judged:
        note(
            f"note: with {' '.join(options.overrides)} these are other runs than the experiment's, "
            "so there are no verdicts"
        )
    reached = {verdict for row in verdicts(experiment, results) for verdict in row}
    return max(worst, int(judged and not reached <= {REPRODUCED, UNPUBLISHED}))


def choose_rows(experiment: Experiment, names: Sequence[str] | None) -> Experiment:
    """`experiment` with the rows of these names; None: all.

    Raises:
        ValueError: it has no such row.
    """
    if names is None:
        return experiment
    for name in names:
        check_choice("row", name, [row.name for row in experiment.rows])
    return experiment._replace(rows=tuple(row for row in experiment.rows if row.name in names))


def name_place(name: str, overrides: Sequence[str]) -> str:
    """The default directory: another one for each list of overrides, since their runs differ.

    >>> name_place("scan_length", []), name_place("scan_length", ["training=quick"])
    ('runs/reproduce/scan_length', 'runs/reproduce/scan_length,training=quick')
    """
    return "runs/reproduce/" + ",".join([name, *(re.sub(r"[^\w=.-]", "_", o) for o in overrides)])


def launch(
    name: str,
    overrides: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    options: argparse.Namespace,
) -> int:
    """Make the runs of a row; the worst exit status.

    Args:
        name: of the experiment.
        overrides: of the row and of the command line.
        seeds: of the runs.
        folder: of the row.
        options: `jobs`, the number of runs at a time, and `config_dir`.
    """
    shared = [f"experiment={name}", *overrides, f"run_dir={quote(str(folder))}", "resume=true"]
    words = {f"seed={seed}": [*shared, f"seed={seed}"] for seed in seeds}
    directory = options.config_dir
    planned = [
        Job(compose_checked(chosen, directory), chosen, [seed]) for seed, chosen in words.items()
    ]
    flags = [*([] if directory is None else [f"--config-dir={directory}"]), *verbosity_flags()]
    with contextlib.ExitStack() as stack:
        # Standard output is for the table of verdicts; a quiet command prints nothing of each run.
        output = stack.enter_context(open(os.devnull, "w")) if is_quiet() else sys.stderr
        stack.enter_context(contextlib.redirect_stdout(output))
        return train_several(planned, Multirun(options.jobs, flags, stdout=output))


def collect(experiment: Experiment, folder: Path) -> Iterator[Result]:
    """The results of all runs that an experiment has, made or missing.

    Raises:
        ValueError: a run is damaged.
    """
    for row in experiment.rows:
        for seed in experiment.seeds:
            yield read_result(row, seed, folder / row.name / f"seed={seed}")


def read_result(row: Row, seed: int, path: Path) -> Result:
    """Read the result of one run; see `collect`."""
    if not (path / "summary.json").is_file():
        return Result(row.name, seed, "missing", {})
    summary = read_summary(path)
    train, history = summary["train"], read_history(path)
    environment = read_environment(path)
    end = (train["steps"], train["seconds"], str(environment.get("git_commit") or ""))
    result = Result(row.name, seed, train["stopped"], {}, *end)
    if result.counts:
        values = {
            expected.metric: measure(summary["test"], history, expected.metric)
            for expected in row.expected
        }
        result = result._replace(metrics=values)
    return result
