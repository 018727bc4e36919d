"""The tables of docs/results.md and the files of docs/results/, from the runs of experiments.

    python benchmarks/results.py runs/reproduce    gather the runs that are there, write all anew
    python benchmarks/results.py                   write the tables anew, from the files

Runs that are not there keep the lines that they have in docs/results/NAME.csv. In docs/results.md
only what stands between `<!-- NAME -->` and `<!-- end -->` is written; what stands around it stays.
"""

import argparse
import re
from pathlib import Path

from seq2seq.config import compose_experiment
from seq2seq.evaluation.experiment import (
    Experiment,
    Result,
    read_results,
    render,
    write_results,
)
from seq2seq.experiments import collect
from seq2seq.places import EXPERIMENTS

ROOT = Path(__file__).resolve().parents[1]
PAGE, FILES = ROOT / "docs/results.md", ROOT / "docs/results"


def gather(experiment: Experiment, place: Path | None) -> list[Result]:
    """The results of all runs: from their directories, or as they were kept."""
    file = FILES / f"{experiment.name}.csv"
    kept = {(one.row, one.seed): one for one in read_results(file)} if file.exists() else {}
    if place is not None:
        found = collect(experiment, place / experiment.name)
        kept |= {(one.row, one.seed): one for one in found if one.stopped != "missing"}
    return [
        kept.get((row.name, seed), Result(row.name, seed, "missing", {}))
        for row in experiment.rows
        for seed in experiment.seeds
    ]


def make_block(experiment: Experiment, results: list[Result]) -> str:
    """What stands between the marks of an experiment."""
    runs = [one for one in results if one.stopped != "missing"]
    commits = sorted({one.commit[:7] for one in runs if one.commit})
    minutes = sum(one.seconds or 0 for one in runs) / 60
    told = f"`seq2seq reproduce {experiment.name}`: {experiment.source}."
    cost = f"{len(runs)} of {len(results)} runs, {minutes:.0f} minutes of training in all"
    cost += f"; commit {', '.join(commits)}." if commits else "."
    return f"{told}\n\n{render(experiment, results)}\n\n{cost}\n"


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
    blocks = {}
    for experiment in map(compose_experiment, EXPERIMENTS):
        results = gather(experiment, options.place)
        if any(one.stopped != "missing" for one in results):
            (FILES / f"{experiment.name}.csv").write_text(write_results(results), "utf-8")
        blocks[experiment.name] = make_block(experiment, results)
    PAGE.write_text(fill(PAGE.read_text("utf-8"), blocks), "utf-8")


if __name__ == "__main__":
    main()
