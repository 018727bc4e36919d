"""Peak memory of training on a million pairs and of answering a million lines, in MiB.

python benchmarks/memory.py [--rows 1000000]             sources of the training's kind
python benchmarks/memory.py --unicode [--rows 1000000]   lines of any characters, some very long

The lines are answered by `seq2seq predict` and by the NumPy runtime's own program.
"""

import argparse
import itertools
import random
import string
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

BASELINE = "from seq2seq.runtime.quiet import quiet_engine; quiet_engine()"
# Controls, ASCII, marks and letters, separators, and everything else that is a character.
KINDS = [range(0x20), range(0x20, 0x7F), range(0x80, 0x3000), range(0x2000, 0x2070)]
KINDS += [range(0xD800), range(0xE000, 0x110000)]


def peak_of(*arguments: str, cwd: str, stdin: IO | None = None) -> float:
    """MiB at the peak of a Python process."""
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, sys.executable, *arguments]
    pipes = {"stdin": stdin, "stdout": subprocess.PIPE}
    status, peak = map(int, subprocess.run(command, cwd=cwd, check=True, **pipes).stdout.split())
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with status {status}")
    return peak / 1024


def any_line(rng: random.Random) -> str:
    """Random characters: mostly few, one line of fifty more, one of a thousand up to 3,000."""
    lengths = [rng.randint(0, 30), rng.randint(30, 200), rng.randint(200, 3000)]
    (length,) = rng.choices(lengths, [980, 19, 1])
    kinds = [rng.choice(KINDS)] if rng.random() < 0.5 else KINDS
    text = "".join(chr(rng.choice(rng.choice(kinds))) for _ in range(length))
    return text.replace("\n", "\r")


def answering(folder: str, *command: str) -> str:
    """The peaks of answering a tenth of the sources, and all of them."""
    peaks = []
    for name in ("tenth", "lines"):
        with open(Path(folder, name), "rb") as lines:
            peaks.append(f"{peak_of(*command, cwd=folder, stdin=lines):,.0f}")
    return f"a tenth of the sources {peaks[0]} MiB, all of them {peaks[1]} MiB"


def main() -> None:
    """Write the file, train on it for a few updates, answer its sources, and print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--unicode", action="store_true", help="answer lines of any characters")
    options = parser.parse_args()
    rng = random.Random(0)
    train = str(Path(__file__).parents[1] / "train.py")
    with tempfile.TemporaryDirectory() as folder:
        with open(Path(folder, "pairs.tsv"), "w") as file:
            for _ in range(options.rows):
                source = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(5, 15)))
                file.write(f"{source}\t{source[::-1]}\n")
        with open(Path(folder, "pairs.tsv")) as pairs, open(Path(folder, "lines"), "wb") as file:
            for pair in pairs:
                line = any_line(rng) if options.unicode else pair.partition("\t")[0]
                file.write(f"{line}\n".encode())
        with open(Path(folder, "lines"), "rb") as lines, open(Path(folder, "tenth"), "wb") as tenth:
            tenth.writelines(itertools.islice(lines, options.rows // 10))
        engine = peak_of("-c", BASELINE, cwd=folder)
        arguments = ["task=pairs", "task.train=pairs.tsv", "model=lstm"]
        arguments += ["training.batch_size=64", f"training.steps={options.steps}"]
        training = peak_of(train, *arguments, "run_dir=run", cwd=folder)
        predict_arguments = ("run", "--max-length", "1x", "--unknown", "token")
        keras = answering(folder, "-m", "seq2seq", "predict", *predict_arguments)
        numpy = answering(folder, "-m", "seq2seq.runtime", *predict_arguments)
    print(f"the engine alone {engine:,.0f} MiB, training on {options.rows:,} pairs {training:,.0f}")
    print(f"above the engine: {training - engine:,.0f} MiB")
    print(f"answering {keras}")
    print(f"the NumPy runtime: {numpy}")


if __name__ == "__main__":
    main()
