"""The measured parts of README.md and docs/states-seen.md, all from one commit and one default run.

    python benchmarks/pages.py runs/pages                   train, look, and write the pages anew
    python benchmarks/pages.py DIR --pages COPY KEY=VALUE   of other settings, into a copy (a test)

What stands between `<!-- NAME -->` and `<!-- end -->` is written; what stands around it stays. It
takes about ten minutes on two cores.
"""

import argparse
import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README, STATES_PAGE = "README.md", "docs/states-seen.md"
UNITS = (16, 32, 64)  # beside the default 128
WORDS = ("hello", "world")


def run(arguments: Sequence[str], cwd: Path) -> str:
    """Run `seq2seq ARGUMENTS` in a directory, and return its standard output."""
    command = [sys.executable, "-m", "seq2seq", *arguments]
    print("+", *command[2:], file=sys.stderr, flush=True)
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout


def table_of(output: str) -> str:
    """Return the first Markdown table in `output`."""
    return re.search(r"(?:^\|.*\n)+", output, re.M)[0]


def describe_commit() -> str:
    """Name the commit of the working tree, and the versions that matter."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    version = importlib.metadata.version
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"commit {commit.strip()}, Python {python}, TensorFlow {version('tensorflow')}, "
        f"Keras {version('keras')}"
    )


def answer_with_exchanged_states(path: Path) -> str:
    """Make a table of the answers to two words, with parts of their states exchanged."""
    import seq2seq
    from seq2seq import states

    model = seq2seq.load(path)
    state, memory = model.encode(WORDS)
    changes = {
        "as encoded": state,
        "states exchanged": states.swap(state, 0, 1),
        "cells exchanged": states.swap(state, 0, 1, states.StateSlice("cell")),
    }
    rows = [f"| state | {' | '.join(WORDS)} |", f"|{' --- |' * (1 + len(WORDS))}"]
    for name, changed in changes.items():
        rows.append(f"| {name} | {' | '.join(model.decode(changed, memory))} |")
    return "\n".join(rows) + "\n"


def measure(cwd: Path, pages: Path, overrides: Sequence[str]) -> dict[str, dict[str, str]]:
    """Train and draw; return the blocks of each page, and copy the pictures."""
    commit = describe_commit()  # before the pictures are written
    trained = run(["train", *overrides], cwd)
    path = cwd / re.search(r"^saved to (.*)$", trained, re.M)[1]
    pictures = pages / "docs/states-seen"

    def draw(verb: str, *arguments: str) -> str:
        output = run([verb, str(path), *arguments], cwd)
        shutil.copy(path / "analysis" / f"{verb}.png", pictures / f"{verb}.png")
        return output

    draw("inspect", WORDS[0])
    blocks = {
        "commit": f"Measured by `python benchmarks/pages.py`: {commit}.\n",
        "ablate": table_of(draw("ablate")),
        "probe": table_of(draw("probe")),
        "interpolate": table_of(run(["interpolate", str(path), *WORDS, "--steps", "9"], cwd)),
        "exchange": answer_with_exchanged_states(path),
    }
    paths = [path]
    for units in UNITS:
        paths.append(cwd / f"runs/units/{units}")
        run(["train", *overrides, f"model.encoder.units={units}", f"run_dir={paths[-1]}"], cwd)
    paths.append(cwd / f"runs/units/{UNITS[0]}-dot")
    attention = [f"model.encoder.units={UNITS[0]}", "attention=dot", f"run_dir={paths[-1]}"]
    run(["train", *overrides, *attention], cwd)
    output = run(["capacity", *map(str, paths), "-o", str(cwd / "analysis")], cwd)
    shutil.copy(cwd / "analysis/capacity.png", pictures / "capacity.png")
    blocks["capacity"] = table_of(output)
    shown = f"```\n{trained.strip()}\n```\n\n({commit}; 2 shared CPU cores.)\n"
    return {README: {"first_command": shown}, STATES_PAGE: blocks}


def fill(page: str, blocks: dict[str, str], name: str) -> str:
    """Return `page` with each block between its marks.

    Raises:
        ValueError: the marks of the page are not those of the blocks.
    """
    pattern = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.S)
    marks = {match[1] for match in pattern.finditer(page)}
    if marks != blocks.keys():
        raise ValueError(f"{name} has marks for {sorted(marks)}, there are {sorted(blocks)}")
    return pattern.sub(lambda match: f"<!-- {match[1]} -->\n{blocks[match[1]]}<!-- end -->", page)


def main() -> None:
    """Measure, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path, help="a new directory for the runs")
    parser.add_argument("--pages", type=Path, default=ROOT, help="where README.md and docs/ are")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="of the trainings")
    options = parser.parse_intermixed_args()
    options.directory.mkdir(parents=True)
    blocks = measure(options.directory.resolve(), options.pages, options.overrides)
    for name, page_blocks in blocks.items():
        page = options.pages / name
        page.write_text(fill(page.read_text("utf-8"), page_blocks, name), "utf-8")


if __name__ == "__main__":
    main()
