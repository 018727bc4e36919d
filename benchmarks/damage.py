"""Damage to the files of a run: refused, read as they were, silently read as other, crashed.

    python benchmarks/damage.py RUN [--share 1.0]

Each file of a copy of the run is damaged many times (cut, flipped, overwritten, moved; of JSON and
archives also edited), and read as the commands read it. `other` counts what was read as something
else than was written; `crashed` what ended in another error than a ValueError.
"""

import argparse
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from seq2seq.evaluation.predictions import read_answers
from seq2seq.inference.loading import load
from seq2seq.inference.states import load_state, save_state
from seq2seq.inference.trace import Trace
from seq2seq.runs.checkpoints import read_checkpoint
from seq2seq.runs.compare import read_history, read_summary
from seq2seq.runs.environment import read_environment
from seq2seq.runs.safe_instantiate import read_config
from seq2seq.runtime.file_format import read_artifact
from seq2seq.runtime.predictor import load as load_runtime
from tests.corruption import DAMAGES

WORDS = ["abc", "hello"]


def answers(path: Path) -> bytes:
    """The answers of the NumPy runtime, and its weights."""
    return pickle.dumps((load_runtime(path).predict(WORDS), read_artifact(path)))


def keras_answers(path: Path) -> bytes:
    """The answers of Keras."""
    return pickle.dumps(load(path).predict(WORDS))


FILES: dict[str, tuple[int, Callable[[Path], bytes]]] = {
    "model.npz, runtime": (8_500, answers),
    "model.npz, Keras": (2_500, keras_answers),
    "checkpoint": (3_000, lambda path: pickle.dumps(read_checkpoint(path)[1:])),
    "state": (
        1_500,
        lambda path: pickle.dumps([np.asarray(part) for part in load_state(path).layers]),
    ),
    "summary.json": (1_200, lambda path: pickle.dumps(read_summary(path.parent))),
    "history.csv": (1_200, lambda path: pickle.dumps(read_history(path.parent))),
    "predictions.tsv": (1_200, lambda path: pickle.dumps(read_answers(path))),
    "environment.json": (1_200, lambda path: pickle.dumps(read_environment(path.parent))),
    "config.yaml": (350, lambda path: pickle.dumps(read_config(path))),
    "trace": (800, lambda path: pickle.dumps(Trace.load(path))),
}


def find(name: str, run: Path) -> Path:
    """The file of the run that is damaged; a state and a trace are made."""
    if name == "checkpoint":
        return max((run / "checkpoints").glob("step-*.npz"))
    if name == "state":
        save_state(run / "state.npz", load(run).encode(WORDS)[0])
        return run / "state.npz"
    if name == "trace":
        load(run).trace(WORDS).save(run / "trace.npz")
        return run / "trace.npz"
    return run / name.partition(",")[0]


def count(path: Path, read: Callable[[Path], bytes], trials: int) -> list[int]:
    """Count how often it was refused, read as it was, read as something else, and crashed."""
    content, rng, counts = path.read_bytes(), np.random.default_rng(0), [0, 0, 0, 0]
    expected, turn = read(path), 0
    while sum(counts) < trials:
        turn += 1
        try:
            damaged = DAMAGES[turn % len(DAMAGES)](content, rng)
        except (ValueError, KeyError, IndexError):  # a damage that this kind of file can't have
            continue
        path.write_bytes(damaged)
        try:
            counts[1 if read(path) == expected else 2] += 1
        except ValueError:
            counts[0] += 1
        except Exception:
            counts[3] += 1
    path.write_bytes(content)
    return counts


def main() -> None:
    """Print a row for each file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the trials (default 1.0)")
    options = parser.parse_args()
    print("| file | damaged | refused | read as it was | silently other | crashed |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as directory:
        run = Path(shutil.copytree(options.run, Path(directory, "run")))
        for name, (trials, read) in FILES.items():
            counts = count(find(name, run), read, round(options.share * trials))
            print(
                f"| {name} | {sum(counts):,} | {' | '.join(f'{n:,}' for n in counts)} |", flush=True
            )


if __name__ == "__main__":
    main()
