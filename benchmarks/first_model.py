"""Word error rates and training times on files of pairs: the default model beside the plain one.

    python benchmarks/first_model.py DATA fre hin kor ady
    python benchmarks/first_model.py DATA inflection --models pointer attention lstm

DATA holds NAME_train.tsv, NAME_dev.tsv and NAME_test.tsv of each NAME: a word, a tab, and phones
separated by spaces, as https://github.com/sigmorphon/2020 has them in the folders of task1/data.
The name `inflection` is the generated task without files. Complete runs are not repeated.
What was measured is written to OUTPUT/first_model.csv; the table is printed as Markdown.

Seconds are of training with its validations, by the clock; CPU seconds (user and system) are of the
whole process, its start and its test included. To keep it on one core:
`taskset -c 1 python benchmarks/first_model.py ...`.
"""

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
from pathlib import Path

from seq2seq.runs.compare import format_table

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = ("data", "model", "seed", "parameters", "validation_error", "test_error")
COLUMNS += ("training_seconds", "cpu_seconds")


def describe_data(name: str, folder: Path) -> list[str]:
    """Return the overrides that choose a data set."""
    if name == "inflection":
        return ["task=inflection"]
    parts = {"train": "train", "validation": "dev", "test": "test"}
    stem = folder.resolve() / name
    files = [f"task.{key}='{stem}_{part}.tsv'" for key, part in parts.items()]
    return ["task=pairs", *files, "task.source_tokens=characters", "task.target_tokens=symbols"]


def measure(path: Path, overrides: list[str]) -> float:
    """Train in a process of its own; return its CPU seconds (user and system).

    Raises:
        subprocess.CalledProcessError: the training failed.
    """
    command = [sys.executable, ROOT / "train.py", *overrides, f"run_dir='{path}'", "overwrite=true"]
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def read_errors(path: Path) -> dict[str, float]:
    """Return the shares of wrong words in validation and test, and what they cost."""
    summary = json.loads((path / "summary.json").read_text())
    return {
        "parameters": summary["parameters"],
        "validation_error": round(1 - summary["validation"]["exact_match"], 6),
        "test_error": round(1 - summary["test"]["exact_match"], 6),
        "training_seconds": round(summary["train"]["seconds"], 1),
    }


def read_rows(file: Path) -> dict[tuple, dict]:
    """Return the rows of earlier measurements, by data set, model and seed."""
    if not file.exists():
        return {}
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    return {(row["data"], row["model"], int(row["seed"])): row for row in rows}


def make_table(rows: dict[tuple, dict]) -> str:
    """Return a Markdown table, a line for each data set and model."""
    lines = []
    for data, model in dict.fromkeys(key[:2] for key in rows):
        group = [row for key, row in sorted(rows.items()) if key[:2] == (data, model)]
        errors, clock, cpu = (
            [float(row[key]) for row in group]
            for key in ("test_error", "training_seconds", "cpu_seconds")
        )
        lines.append(
            (
                data,
                f"`{model}`",
                f"{int(group[0]['parameters']):,}",
                ", ".join(f"{error:.2%}" for error in errors),
                f"{statistics.mean(errors):.2%}",
                f"{min(clock):.0f}-{max(clock):.0f} s",
                f"{min(cpu):.0f}-{max(cpu):.0f} s",
            )
        )
    heads = ("data", "model", "parameters", "word errors, seed by seed", "mean", "training", "CPU")
    return format_table(heads, lines)


def main() -> None:
    """Train what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the files")
    parser.add_argument("names", nargs="+", help="of the data sets, as in fre; or inflection")
    parser.add_argument("--models", nargs="+", default=["attention", "lstm"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/first_model"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output.resolve() / "first_model.csv"
    rows = read_rows(file)
    # The seeds come last to change: a table that was cut off has all of its lines.
    combinations = [(d, m, s) for s in options.seeds for d in options.names for m in options.models]
    for data, model, seed in combinations:
        if (data, model, seed) in rows:
            continue
        path = file.parent / f"{data}-{model}-{seed}"
        overrides = [*describe_data(data, options.folder), f"model={model}", f"seed={seed}"]
        seconds = measure(path, overrides)
        row = {"data": data, "model": model, "seed": seed, "cpu_seconds": round(seconds, 1)}
        rows[data, model, seed] = row | read_errors(path)
        with file.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, COLUMNS)
            writer.writeheader()
            writer.writerows(rows.values())
    print(make_table({key: rows[key] for key in combinations}))


if __name__ == "__main__":
    main()
