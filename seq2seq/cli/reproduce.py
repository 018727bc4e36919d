"""The verb `reproduce`: an experiment of the literature, or a run once more."""

import argparse
from pathlib import Path
from typing import Any

from seq2seq.cli.options import count, names, naturals, tolerance
from seq2seq.cli.train import report_outcome, run_training
from seq2seq.runtime.paths import CONFIGS, EXPERIMENTS
from seq2seq.runtime.validation import check_choice
from seq2seq.training.signals import Interrupted


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "reproduce",
        help="an experiment of the literature with its seeds and verdicts; or a run, once more",
        usage="seq2seq reproduce EXPERIMENT [KEY=VALUE ...] [--seeds N,N] [--rows NAME,NAME] "
        "[--jobs N] [--config-dir DIR]\n       seq2seq reproduce RUN [--tolerance X]",
        description="Of an EXPERIMENT (configs/experiment/NAME.yaml) the runs that are missing are "
        "made, and compared with the published values, with a verdict: reproduced if "
        "our mean lies in the band that the file names. Of a RUN its config.yaml is trained again "
        "into a new directory, and each metric, the history, predictions and weights are "
        "identical, equal within tolerance, or different. The exit status is 1 if something is "
        "not reproduced, missing or different.",
    )
    parser.add_argument(
        "what",
        metavar="EXPERIMENT|RUN",
        help=f"a run directory, or one of: {', '.join(EXPERIMENTS)}",
    )
    parser.add_argument(
        "--config-dir",
        metavar="DIR",
        help="a directory of further configurations, as of train: DIR/experiment/NAME.yaml",
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="where the runs go (default: in runs/)"
    )
    parser.add_argument("--seeds", type=naturals, metavar="N,N", help="only these seeds")
    parser.add_argument("--rows", type=names, metavar="NAME,NAME", help="only these rows")
    parser.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="runs at a time (default 1)"
    )
    parser.add_argument(
        "--latex",
        action="store_true",
        help="print an experiment's table as LaTeX (with the package booktabs)",
    )
    parser.add_argument(
        "--tolerance",
        type=tolerance,
        default=0.01,
        metavar="X",
        help="largest difference of a metric: absolute up to 1, relative beyond "
        "(default: 0.01, of an exact match one percentage point)",
    )


def run(options: argparse.Namespace) -> int:
    """`seq2seq reproduce`: an experiment, or a run."""
    path = Path(options.what).expanduser()
    if (path / "config.yaml").is_file() or len(path.parts) > 1:
        for_experiments = ("overrides", "seeds", "rows", "latex", "config_dir")
        if options.jobs != 1 or any(getattr(options, name) for name in for_experiments):
            raise ValueError(
                f"{options.what} is a run, which is made again as it was; seeds, rows, jobs, "
                "LaTeX, overrides and --config-dir are for experiments"
            )
        return reproduce_run(options)
    from seq2seq.cli.composition import checked_directory
    from seq2seq.cli.experiment_runs import reproduce
    from seq2seq.config import compose_experiment

    with checked_directory(options.config_dir):
        added = Path(options.config_dir or CONFIGS).expanduser().glob("experiment/*.yaml")
        names = sorted({*EXPERIMENTS, *(file.stem for file in added)})
        check_choice("run or experiment", options.what, names)
        experiment = compose_experiment(options.what, options.config_dir)
    return reproduce(experiment, options)


def reproduce_run(options: argparse.Namespace) -> int:
    """Train a run again, and print the differences."""
    from seq2seq.config import compose
    from seq2seq.runs.existing import find_begun, is_complete, read_finished_config
    from seq2seq.runs.rerun import DIFFERENT, compare_runs, render, verdict

    original = Path(options.what).expanduser()
    config = read_finished_config(original, compose([]))
    output = None if options.output is None else Path(options.output).expanduser()
    if output is not None and output.resolve() == original.resolve():
        raise ValueError(f"--output {output} is the run itself; name another directory")
    start = {"run_dir": options.output, "overwrite": False, "resume": False}
    resumed = find_begun({**config, **start}, output)  # it was stopped, or is only to be compared
    if resumed is None or not is_complete(output):
        outcome, output = run_training({**config, **start}, resumed, original)
        if isinstance(outcome.error, Interrupted):
            return report_outcome(outcome, output)
    rows = compare_runs(original, output, options.tolerance)
    print("\n" + render(original, output, rows), flush=True)
    return int(verdict(rows) == DIFFERENT)
