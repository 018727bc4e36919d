"""Peak memory of training on a million pairs and of answering a million lines, in MiB.

python benchmarks/memory.py [--rows 1000000]
"""

import argparse
import itertools
import random
import string
import subprocess
import sys
import tempfile
from pathlib import Path

BASELINE = "from seq2seq.engine import quiet_engine; quiet_engine()"


def peak_of(*arguments: str, cwd: str) -> float:
    """MiB at the peak of a Python process."""
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, sys.executable, *arguments]
    said = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout
    status, peak = map(int, said.split())
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with status {status}")
    return peak / 1024


def main() -> None:
    """Write the file, train on it for a few updates, answer its sources, and print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    rng = random.Random(0)
    train = str(Path(__file__).parents[1] / "train.py")
    with tempfile.TemporaryDirectory() as folder:
        with open(Path(folder, "pairs.tsv"), "w") as file:
            for _ in range(options.rows):
                source = "".join(rng.choices(string.ascii_lowercase, k=rng.randint(5, 15)))
                file.write(f"{source}\t{source[::-1]}\n")
        with open(Path(folder, "pairs.tsv")) as file, open(Path(folder, "lines"), "w") as lines:
            lines.writelines(line.partition("\t")[0] + "\n" for line in file)
        engine = peak_of("-c", BASELINE, cwd=folder)
        arguments = ["task=pairs", "task.train=pairs.tsv", f"training.steps={options.steps}"]
        training = peak_of(train, *arguments, "run_dir=run", cwd=folder)
        predict = ["-m", "seq2seq", "predict", "run", "--max-length", "1x", "--input"]
        with open(Path(folder, "lines")) as lines, open(Path(folder, "tenth"), "w") as tenth:
            tenth.writelines(itertools.islice(lines, options.rows // 10))
        tenth, whole = (peak_of(*predict, name, cwd=folder) for name in ("tenth", "lines"))
    print(f"the engine alone {engine:,.0f} MiB, training on {options.rows:,} pairs {training:,.0f}")
    print(f"above the engine: {training - engine:,.0f} MiB")
    print(f"answering a tenth of the sources {tenth:,.0f} MiB, all of them {whole:,.0f} MiB")


if __name__ == "__main__":
    main()
