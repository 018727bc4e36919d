"""The verb `inspect`: the states of a trained model for some sources, as a page and as figures."""

import argparse
import importlib.util
from pathlib import Path
from typing import Any

from seq2seq.cli.options import add_decoding, choose_decoding, count
from seq2seq.cli.run_argument import RUN_HELP, load_run
from seq2seq.cli.study_files import find_output, use_default_style
from seq2seq.runtime.progress import progress
from seq2seq.runtime.verbosity import note

MAX_FIGURES = 10


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "inspect",
        help="show the states of a model while it generates answers",
        description="Write a page for the browser (one file, no network) and a figure of each "
        "source (PNG and SVG): the encoder's states over time, the state from the bridge, the "
        "decoder's states, attention, and the likeliest symbols. Answers are printed, one a line, "
        "in order.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("sources", nargs="+", metavar="SOURCE")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="where to write (default: analysis/ beside the model)"
    )
    parser.add_argument("--gates", action="store_true", help="show the gates of each layer too")
    parser.add_argument(
        "--top", type=count, default=5, metavar="K", help="likely symbols of each step (default 5)"
    )
    parser.add_argument(
        "--no-figure", action="store_true", help="only the page, which needs no matplotlib"
    )
    add_decoding(parser, ensemble=False)


def run(options: argparse.Namespace) -> None:
    """`seq2seq inspect`: a page and figures."""
    if not options.no_figure and importlib.util.find_spec("matplotlib") is None:
        raise ValueError(
            "figures are drawn with matplotlib, which is not installed: "
            "pip install 'keras-seq2seq[analysis]', or --no-figure for the page alone"
        )
    output = find_output(options.run, options.output)
    if not options.no_figure:
        use_default_style()
    predictor = load_run(options.run)
    from seq2seq.analysis.page import render
    from seq2seq.data.files import escape
    from seq2seq.runtime.atomic import write_whole

    decoding = choose_decoding(options, predictor.decoding)
    with progress("tracing"):
        trace = predictor.trace(
            options.sources, gates=options.gates, top=options.top, decoding=decoding
        )
        page = render(trace)
        answers = predictor.predict(options.sources, decoding=decoding)
    print(*map(escape, answers), sep="\n", flush=True)
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "inspect.html", page)
    names = ["inspect.html"]
    figures = 0 if options.no_figure else min(len(trace), MAX_FIGURES)
    with progress("drawing", figures, "figures") as advance:
        for number in range(figures):
            names += draw_figures(trace, number, output)
            advance()
    note(f"written to {output}: {', '.join(names)}")
    if len(trace) > MAX_FIGURES and not options.no_figure:
        note(f"figures are of the first {MAX_FIGURES} of {len(trace)} sources; the page shows all")


def draw_figures(trace: Any, number: int, output: Path) -> list[str]:
    """Write the figure of one source; the names of its files."""
    from seq2seq.analysis.canvas import to_bytes
    from seq2seq.analysis.figure import draw
    from seq2seq.runtime.atomic import write_whole

    stem = "inspect" if len(trace) == 1 else f"inspect-{number + 1}"
    names = [f"{stem}.{kind}" for kind in ("png", "svg")]
    for name in names:
        kind = name.rpartition(".")[2]
        figure = draw(trace, number, spelled=kind != "svg")
        write_whole(output / name, to_bytes(figure, kind))
    return names
