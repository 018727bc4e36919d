"""The verbs that study the handed-over state: ablate, probe, interpolate and capacity.

Tables go to standard output. What is written is named on standard error, a file a line.
"""

import argparse
import importlib.util
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq.cli.answers import RUN_HELP, load_run, predictions_of
from seq2seq.cli.inspect import find_output, use_default_style
from seq2seq.cli.options import add_decoding, choose_decoding, count
from seq2seq.cli.pair_input import add_pairs, read_pairs
from seq2seq.runtime.atomic import write_whole
from seq2seq.runtime.progress import progress
from seq2seq.runtime.quiet import held_back_noise, quiet_engine

PACKAGES = {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}  # of the extra `analysis`


def add_verbs(verbs: Any) -> None:
    """Add the parsers of this module's verbs."""
    ablate = verbs.add_parser(
        "ablate",
        help="what the answers are worth without the handed-over state, or parts of it",
        description="Exact match on held-out examples, as trained and with the decoder's first "
        "state zeroed, shuffled among the examples, hidden only, cell only, one layer only, with "
        "noise (in standard deviations of the state), and with attention off where there is one.",
    )
    ablate.add_argument("run", metavar="RUN", help=RUN_HELP)
    add_pairs(ablate)
    add_examples(ablate, 2000, "held-out examples, evenly spread over all there are")
    add_files(ablate)

    probe = verbs.add_parser(
        "probe",
        help="what can be read from the handed-over state",
        description="Linear probes of the decoder's first state: the symbol at each place of the "
        "source, and its length, from hidden, from cell, and from both, beside probes that learned "
        "from shuffled states. They learn from the task's training sources and are judged on the "
        "run's held-out ones.",
    )
    probe.add_argument("run", metavar="RUN", help="a run directory, for example runs/latest")
    add_examples(probe, 40000, "training sources that the probes learn from")
    add_files(probe)

    between = verbs.add_parser(
        "interpolate",
        help="what is said from the states between those of two sources",
        description="One answer for each step on the straight line from the first source's state "
        "to the second's. A model that looks at its source answers twice, looking at each.",
    )
    between.add_argument("run", metavar="RUN", help=RUN_HELP)
    between.add_argument("sources", nargs=2, metavar="SOURCE")
    between.add_argument(
        "--steps", type=count, default=9, metavar="N", help="both ends included (default 9)"
    )
    add_decoding(between, ensemble=False)

    capacity = verbs.add_parser(
        "capacity",
        help="exact match by source length and by units, of one run or many",
        description="How much goes through one vector: exact match by the length of the source, a "
        "line for each number of units and whatever else sets the runs apart. Seeds of one "
        "configuration are one line. It reads the answers that the runs kept.",
    )
    capacity.add_argument(
        "places", nargs="+", metavar="RUN", help="run directories, or directories that hold some"
    )
    add_files(capacity)


def add_examples(parser: argparse.ArgumentParser, most: int, what: str) -> None:
    """How many examples, and what is drawn at random."""
    parser.add_argument(
        "--examples", type=count, default=most, metavar="N", help=f"{what} (default {most:,})"
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is shuffled (default 0)")


def add_files(parser: argparse.ArgumentParser) -> None:
    """Where files go."""
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="where to write (default: analysis/ beside the model)"
    )
    parser.add_argument(
        "--no-figure", action="store_true", help="no chart, which needs matplotlib; the table alone"
    )


def check_packages(*names: str, without: str = "") -> None:
    """Raise a ValueError that names what is not installed, before any work is done."""
    missing = [PACKAGES[name] for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: "
            f"pip install 'seq2seq[analysis]'{without}"
        )


def check_figures(options: argparse.Namespace) -> None:
    """Raise a ValueError if charts are wanted and can't be drawn."""
    if not options.no_figure:
        check_packages("matplotlib", without=", or --no-figure for the table alone")
        use_default_style()


class Files:
    """The files of a study: a table of all numbers, and a chart.

    Args:
        stem: of their names.
        run: beside which they are, unless the options say where.
        options: of the command line.
    """

    def __init__(self, stem: str, run: str, options: argparse.Namespace):
        self.stem, self.figures = stem, not options.no_figure
        self.place = find_output(run, options.output)

    def write(self, heads: Sequence[str], rows: Sequence[Sequence], draw: Any) -> None:
        """Write `rows` as tab-separated values, and what `draw()` draws."""
        lines = ["\t".join(map(str, row)) + "\n" for row in (heads, *rows)]
        write_file(self.place / f"{self.stem}.tsv", "".join(lines))
        if self.figures:
            write_figure(self.place / self.stem, draw())


def write_figure(stem: Path, figure: Any) -> None:
    """Write a chart as PNG and as SVG, and say so.

    Args:
        stem: the path without its ending.
        figure: of matplotlib.
    """
    from seq2seq.analysis.canvas import to_bytes

    with progress(f"drawing {stem.name}"):
        files = {kind: to_bytes(figure, kind) for kind in ("png", "svg")}
    for kind, content in files.items():
        write_file(stem.with_name(f"{stem.name}.{kind}"), content)


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file, with the directories above it, and say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)
    print(f"written: {path}", file=sys.stderr)


def name_of(predictor: Any) -> str:
    """What a run is called, as in `reverse-lstm`."""
    return f"{predictor.settings['task']}-{predictor.settings['model']}"


def spread(items: Sequence, most: int) -> list:
    """At most so many of `items`, evenly spread.

    >>> spread("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if len(items) <= most:
        return list(items)
    step = (len(items) - 1) / max(most - 1, 1)
    return [items[round(number * step)] for number in range(most)]


def ablate(options: argparse.Namespace) -> None:
    """`seq2seq ablate`: a row and a bar for each change of the state."""
    check_figures(options)
    files = Files("ablate", options.run, options)
    predictor = load_run(options.run)
    from seq2seq.analysis.ablation import ablate
    from seq2seq.data.pairs import group_by_source
    from seq2seq.evaluation.predictions import read_examples
    from seq2seq.runs.compare import format_table

    if options.pairs:
        examples = group_by_source(read_pairs(options, predictor), predictor.source.canonical)
    else:
        examples = read_examples(predictions_of(options.run))
    chosen = spread(examples, options.examples)
    found = ablate(predictor, chosen, seed=options.seed)
    of = f"of {len(chosen):,} held-out examples"
    if len(chosen) < len(examples):
        of = f"{of} (of {len(examples):,}, evenly spread)"
    print(f"exact match {of}, with the decoder's first state changed\n")
    heads = ["state", "exact match", "95 % interval", "tokens"]
    table = [[one.name, *one.exact.cells(), f"{one.tokens.value:.1%}"] for one in found]
    print(format_table(heads, table), flush=True)

    def draw():
        from seq2seq.analysis.study_charts import draw_ablations

        return draw_ablations(found, name_of(predictor), of)

    rows = [
        [one.name, *one.exact, one.exact.value, *one.exact.interval, one.tokens.value]
        for one in found
    ]
    columns = ["state", "right", "count", "exact_match", "low", "high", "token_accuracy"]
    files.write(columns, rows, draw)


def probe(options: argparse.Namespace) -> None:
    """`seq2seq probe`: tables and grids of what linear probes read."""
    check_packages("sklearn")
    check_figures(options)
    files = Files("probe", options.run, options)
    training, told = training_sources(options.run, options.examples)
    predictor = load_run(options.run)
    from seq2seq.analysis.probing import format_readings, probe
    from seq2seq.evaluation.predictions import read_examples

    test = [example.source for example in read_examples(predictions_of(options.run))]
    found = probe(predictor, training, test, options.seed)
    told = f"{told}, judged on {len(test):,} held-out ones"
    print(f"linear probes of the decoder's first state, learned from {told}\n")
    print(format_readings(found), flush=True)
    for note in found.notes:
        print(note, file=sys.stderr)

    def draw():
        from seq2seq.analysis.study_charts import draw_readings

        return draw_readings(found, name_of(predictor), told)

    rows = [
        [
            *(one.part, one.length or "all", one.position or "length"),
            *(*one.share, one.share.value, *one.share.interval, one.control.value),
        ]
        for one in found.readings
    ]
    columns = ["from", "source_length", "place", "right", "count", "read", "low", "high"]
    files.write([*columns, "control"], rows, draw)


def training_sources(run: str, most: int) -> tuple[list[str], str]:
    """Sources of the task that a run was trained on, and how many in words.

    Raises:
        ValueError: there is no run directory, or the task's data is not where it was.
    """
    from seq2seq.config import build_task
    from seq2seq.data.task import Stream
    from seq2seq.runs.existing import read_run, with_kept_data

    if not (Path(run) / "config.yaml").is_file():
        raise ValueError(
            f"{run} is no run directory: config.yaml, which names the task that probes learn "
            "from, is missing"
        )
    with progress("reading the examples"), held_back_noise():
        task = build_task(with_kept_data(read_run(Path(run)).config, Path(run)))
    examples = task.examples("train")
    if isinstance(examples, Stream):
        chosen = [example.source for example in itertools.islice(examples, most)]
        return chosen, f"{len(chosen):,} training sources"
    chosen = [example.source for example in spread(examples, most)]
    of = f" of {len(examples):,}, evenly spread" if len(chosen) < len(examples) else ""
    return chosen, f"{len(chosen):,} training sources{of}"


def interpolate(options: argparse.Namespace) -> None:
    """`seq2seq interpolate`: a row for each state on the way."""
    predictor = load_run(options.run)
    from seq2seq.analysis.interpolation import walk
    from seq2seq.data.files import escape
    from seq2seq.runs.compare import format_table

    decoding = choose_decoding(options, predictor.decoding)
    one, other = options.sources
    stops = walk(predictor, one, other, options.steps, decoding)
    answers = ["answer"]
    if len(stops[0].answers) > 1:
        answers = [f"answer, looking at {escape(source)!r}" for source in (one, other)]
    heads = [f"share of {escape(other)!r}"]
    for name in answers:
        heads += [name, "log-probability"]
    rows = []
    for stop in stops:
        row = [f"{stop.share:.3f}"]
        for answer in stop.answers:
            row += [escape(answer.text), f"{answer.score:.2f}"]
        rows.append(row)
    print(format_table(heads, rows))


def capacity(options: argparse.Namespace) -> None:
    """`seq2seq capacity`: exact match by source length and by units."""
    check_figures(options)
    quiet_engine()  # only to be quiet: nothing is computed
    from seq2seq.analysis.capacity import measure_capacity
    from seq2seq.runs.compare import find_runs, format_table
    from seq2seq.runs.existing import gather

    paths = find_runs(options.places)
    files = Files("capacity", options.places[0], options)
    series = measure_capacity(gather(paths), paths)
    lengths = sorted({length for one in series for length in one.lengths})
    rows = []
    for one in series:
        cells = [f"{one.at(n)[0]:.1%}" if n in one.lengths else "" for n in lengths]
        rows.append([one.name, str(len(one.runs)), f"{one.at()[0]:.2%}", *cells])
    print("exact match by the length of the source, in symbols\n")
    print(format_table(["", "runs", "all", *map(str, lengths)], rows), flush=True)

    def draw():
        from seq2seq.analysis.study_charts import draw_capacity

        return draw_capacity(series, len(paths))

    table = [
        [one.units, one.rest, length or "all", len(one.runs), *one.at(length)]
        for one in series
        for length in (None, *one.lengths)
    ]
    columns = ["units", "configuration", "source_length", "runs", "exact_match", "low", "high"]
    files.write(columns, table, draw)
