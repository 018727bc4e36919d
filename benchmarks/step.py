"""Duration of a training step; and against another checkout, in turns.

    python benchmarks/step.py                                  the default model
    python benchmarks/step.py --against ../older -- model=luong

Each round is a process of its own that trains on one batch; the two checkouts take turns, so that
what else the machine does hits both. Printed are the medians over the rounds, and their ratio.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

WORKER = """
import statistics, sys, time
import keras
from seq2seq.config import build_model, build_optimizer, build_task, compose
from seq2seq.data import Batches
from seq2seq.layers.backend import to_dataset
from seq2seq.training.losses import cross_entropy

config = compose(sys.argv[2:])
task = build_task(config)
model = build_model(config, task)
more = {}
if "readout" in config["model"]["decoder"]:
    more["copying"] = config["model"]["decoder"]["readout"] == "pointer"
size = config["training"]["batch_size"]
batch = Batches(task.examples("train"), task.source, task.target, size, 0, **more)[0]
model.compile(build_optimizer(config)(1000), cross_entropy(), jit_compile=False)


class Clock(keras.callbacks.Callback):
    times = []

    def on_train_batch_begin(self, batch, logs=None):
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.times.append(time.perf_counter() - self.begun)


def forever():
    while True:
        yield batch.inputs, batch.target_out, batch.weights


steps = int(sys.argv[1])
model.fit(to_dataset(forever()), steps_per_epoch=steps, callbacks=[Clock()], verbose=0)
print(statistics.median(Clock.times[steps // 4 :]) * 1000)
"""


def measure(checkout: Path, steps: int, overrides: list[str]) -> float:
    """The median time of a step in a fresh process, in milliseconds."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(steps), *overrides],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout), "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", type=Path, help="another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("overrides", nargs="*", help="of the configuration, after --")
    options = parser.parse_args()
    checkouts = [ROOT, *([options.against.resolve()] if options.against else [])]
    times: dict[Path, list[float]] = {checkout: [] for checkout in checkouts}
    for number in range(options.rounds):
        for checkout in checkouts[:: 1 if number % 2 else -1]:
            times[checkout].append(measure(checkout, options.steps, options.overrides))
    medians = [statistics.median(rounds) for rounds in times.values()]
    for checkout, median in zip(checkouts, medians, strict=True):
        rounds = ", ".join(f"{duration:.2f}" for duration in times[checkout])
        print(f"{median:8.2f} ms a step   {checkout.name}   ({rounds})")
    if options.against:
        print(f"{medians[0] / medians[1]:8.3f} times as long as {options.against}")


if __name__ == "__main__":
    main()
