"""Cost of checkpoints and deterministic operations, in percent of the training time.

    python benchmarks/durability.py                                the default model
    python benchmarks/durability.py --rounds 5 -- model=bahdanau task=pronunciation

Each round trains three times, each in a process of its own: as it comes, without checkpoints (but
for the one at the end), and without deterministic operations. They take turns, so that what else
the machine does hits all alike. Printed are the times of a step (the first epoch, which compiles,
is left out) as medians over the rounds, their ratios, the share of its time that a run itself
counted for checkpoints, and how many different models came out: with deterministic operations one.
"""

import argparse
import csv
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTENDERS = {
    "as it comes": [],
    "without checkpoints": ["training.checkpoint_time_fraction=0"],
    "not deterministic": ["deterministic=false"],
}


def train(overrides: list[str]) -> tuple[float, float, str]:
    """A training: milliseconds a step, the share of checkpoints, and the checksum of the model."""
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [sys.executable, ROOT / "train.py", "run_dir=run", *overrides],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(done.stderr)
        run = Path(directory, "run")
        with open(run / "history.csv") as file:
            rows = list(csv.DictReader(file))
        if len(rows) < 2:
            sys.exit("the first epoch is left out: train for two at least")
        seconds, steps = (float(rows[-1][k]) - float(rows[0][k]) for k in ("seconds", "step"))
        figures = json.loads((run / "summary.json").read_text())["train"]
        digest = hashlib.sha256((run / "model.npz").read_bytes()).hexdigest()
        return seconds / steps * 1000, figures["checkpoint_seconds"] / figures["seconds"], digest


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("overrides", nargs="*", help="of the configuration, after --")
    options = parser.parse_args()
    results: dict[str, list] = {name: [] for name in CONTENDERS}
    for number in range(options.rounds):
        for name in list(CONTENDERS)[:: 1 if number % 2 else -1]:
            overrides = [f"training.steps={options.steps}", *options.overrides, *CONTENDERS[name]]
            results[name].append(train(overrides))
    medians = {name: statistics.median(run[0] for run in runs) for name, runs in results.items()}
    for name, runs in results.items():
        print(
            f"{name:20} {medians[name]:8.2f} ms a step   "
            f"{len({run[2] for run in runs})} different model(s) in {len(runs)} rounds   "
            f"({', '.join(f'{run[0]:.2f}' for run in runs)})"
        )
    counted = statistics.median(run[1] for run in results["as it comes"])
    print(f"checkpoints: {counted:.2%} of a run's time as it counts itself")
    for name, words in (("without checkpoints", "checkpoints"), ("not deterministic", "bits")):
        ratio = medians["as it comes"] / medians[name] - 1
        print(f"{words}: a step takes {ratio:+.2%} longer than {name}")


if __name__ == "__main__":
    main()
