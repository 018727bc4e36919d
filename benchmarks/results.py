"""The tables of docs/results.md and the files of docs/results/, from the runs of experiments.

    python benchmarks/results.py runs/reproduce    gather the runs that are there, write all anew
    python benchmarks/results.py                   write the tables anew, from the files

Runs that are not there keep the lines that they have in docs/results/NAME.csv. In docs/results.md
only what stands between `<!-- NAME -->` and `<!-- end -->` is written; what stands around it stays.
"""

import argparse
import collections
import re
from collections.abc import Mapping
from pathlib import Path

from seq2seq.cli.experiment_runs import collect
from seq2seq.config import compose_experiment
from seq2seq.runs.compare import format_table
from seq2seq.runs.experiment import (
    NOT_REPRODUCED,
    REPRODUCED,
    Experiment,
    Result,
    read_results,
    render,
    verdicts,
    write_results,
)
from seq2seq.runtime.paths import EXPERIMENTS

ROOT = Path(__file__).resolve().parents[1]
PAGE, FILES = ROOT / "docs/results.md", ROOT / "docs/results"


def gather(experiment: Experiment, directory: Path | None) -> list[Result]:
    """The results of all runs: from their directories, or as they were kept."""
    file = FILES / f"{experiment.name}.csv"
    results = (
        {(result.row, result.seed): result for result in read_results(file)}
        if file.exists()
        else {}
    )
    if directory is not None:
        collected = collect(experiment, directory / experiment.name)
        results |= {
            (result.row, result.seed): result for result in collected if result.stopped != "missing"
        }
    return [
        results.get((row.name, seed), Result(row.name, seed, "missing", {}))
        for row in experiment.rows
        for seed in experiment.seeds
    ]


def make_block(experiment: Experiment, results: list[Result]) -> str:
    """The text between the marks of an experiment."""
    runs = [result for result in results if result.stopped != "missing"]
    commits = sorted({result.commit[:7] for result in runs if result.commit})
    minutes = sum(result.seconds or 0 for result in runs) / 60
    heading = f"`seq2seq reproduce {experiment.name}`: {experiment.source}."
    cost = f"{len(runs)} of {len(results)} runs, {minutes:.0f} minutes of training in all"
    cost += f"; commit {', '.join(commits)}." if commits else "."
    return f"{heading}\n\n{render(experiment, results)}\n\n{cost}\n"


def make_overview(results_by_experiment: Mapping[Experiment, list[Result]]) -> str:
    """The text between the marks of the overview: verdicts of each experiment, counted."""
    heads = ("experiment", "runs", REPRODUCED, NOT_REPRODUCED, "not run, or not all seeds")
    rows, total = [], collections.Counter()
    for experiment, results in results_by_experiment.items():
        count = collections.Counter(
            verdict if verdict in heads else heads[-1]
            for row, row_verdicts in zip(
                experiment.rows, verdicts(experiment, results), strict=True
            )
            for expected, verdict in zip(row.expected, row_verdicts, strict=True)
            if expected.band is not None
        )
        done = sum(result.stopped != "missing" for result in results)
        rows.append([experiment.name, f"{done} of {len(results)}"])
        rows[-1] += [str(count[head] or "") for head in heads[2:]]
        total += count
    rows.append(["all", "", *(str(total[head]) for head in heads[2:])])
    return format_table(heads, rows) + "\n"


def make_blocks(results_by_experiment: Mapping[Experiment, list[Result]]) -> dict[str, str]:
    """All that is written into the page, by its marks."""
    blocks = {
        experiment.name: make_block(experiment, results)
        for experiment, results in results_by_experiment.items()
    }
    return {"overview": make_overview(results_by_experiment), **blocks}


def fill(page: str, blocks: dict[str, str]) -> str:
    """`page` with each block between its marks.

    Raises:
        ValueError: an experiment has no place on the page, or the page names one that is none.
    """
    pattern = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.S)
    named = {match[1] for match in pattern.finditer(page)}
    if wrong := named ^ blocks.keys():
        raise ValueError(f"{PAGE} and the experiments differ in {', '.join(sorted(wrong))}")
    return pattern.sub(lambda match: f"<!-- {match[1]} -->\n{blocks[match[1]]}<!-- end -->", page)


def main() -> None:
    """Gather, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "place", nargs="?", type=Path, help="the directory of the experiments' runs"
    )
    options = parser.parse_args()
    results_by_experiment = {
        experiment: gather(experiment, options.place)
        for experiment in map(compose_experiment, EXPERIMENTS)
    }
    for experiment, results in results_by_experiment.items():
        if any(result.stopped != "missing" for result in results):
            (FILES / f"{experiment.name}.csv").write_text(write_results(results), "utf-8")
    PAGE.write_text(fill(PAGE.read_text("utf-8"), make_blocks(results_by_experiment)), "utf-8")


if __name__ == "__main__":
    main()
