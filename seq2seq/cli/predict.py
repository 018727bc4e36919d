"""The verb `predict`: sources in, answers out, a line each and in order.

Sources come from arguments, files or pipes. Memory does not grow with the input.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Collection, Iterable
from typing import Any

from seq2seq.cli.line_batches import CHUNK, batch_as_available, batch_lines
from seq2seq.cli.options import add_decoding, add_format, choose_decoding, count
from seq2seq.cli.run_argument import RUN_HELP, load_run
from seq2seq.runtime.progress import progress
from seq2seq.runtime.verbosity import is_quiet


def add_parser(verbs: Any) -> None:
    """Add the parser of the verb."""
    parser = verbs.add_parser(
        "predict",
        help="answer sources with a trained model",
        description="One answer a line, in order. Sources come from the arguments, from --input, "
        "or from standard input, one a line; a source with tags is source<TAB>tags. A source that "
        "can't be read has an empty line, is named on standard error, and the exit status is 2 at "
        "the end.",
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("sources", nargs="*", metavar="SOURCE")
    parser.add_argument(
        "--input", metavar="FILE", help="a file of sources (.gz is read too); -: standard input"
    )
    parser.add_argument(
        "--n-best", type=count, metavar="N", help="number of answers per source, the best first"
    )
    parser.add_argument(
        "--scores", action="store_true", help="with each answer its log-probability"
    )
    add_format(
        parser,
        "text: a line a source, several answers separated by tabs; tsv: a row an answer, with "
        "its source; jsonl: an object a source, with all results",
    )
    parser.add_argument("--prefix", metavar="TEXT", help="text that every answer begins with")
    add_decoding(parser, skip=True)


def run(options: argparse.Namespace) -> None:
    """`seq2seq predict`: lines in, as many lines out."""
    from seq2seq.data.files import read_lines, read_standard_input
    from seq2seq.runtime.vocabulary import check_texts

    if options.sources and options.input:
        raise ValueError("give sources as arguments or with --input FILE, not both")
    check_texts("sources", [*options.sources, options.prefix or ""])  # a shell takes any bytes
    predictor = load_run(options.run, options.others)
    decoding = choose_decoding(options, predictor.decoding)
    answerer = PredictionWriter(options, predictor, decoding)
    if options.sources:
        answerer.answer_all(batch_lines(options.sources, CHUNK))
    elif options.input not in (None, "-"):
        answerer.answer_all(batch_lines((line for _, line in read_lines(options.input)), CHUNK))
    elif options.input is None and sys.stdin and sys.stdin.isatty():
        answerer.converse()
    else:
        lines = (line for _, line in read_standard_input())
        answerer.answer_all(batch_as_available(lines, CHUNK))


class PredictionWriter:
    """Answers lines and prints the answers in the format of the options.

    Args:
        options: of the command line.
        predictor: the run.
        decoding: decoding options.
    """

    def __init__(self, options: argparse.Namespace, predictor: Any, decoding: Any):
        self.options, self.predictor, self.decoding = options, predictor, decoding
        self.show = {"text": self._text, "tsv": self._tsv, "jsonl": self._jsonl}[options.format]
        n_best = decoding.strategy.n_best if decoding.strategy else 1
        self.n_best = options.n_best or n_best
        if options.format == "tsv":
            print("source", "rank", *(["score"] if options.scores else []), "answer", sep="\t")

    def answer_all(self, batches: Iterable[list[str]]) -> None:
        """Answer every line; one that can't be read has an empty answer and is named.

        Raises:
            ValueError: there was such a line, without `--unknown skip`.
        """
        from seq2seq.inference.inputs import BadSource
        from seq2seq.runtime.command_line import report_unanswered

        done, problems = 0, []
        # Answers on a terminal are progress enough.
        is_shown = not sys.stdout.isatty()
        shown = progress("predicting", unit="lines") if is_shown else contextlib.nullcontext()
        with shown as advance:
            for lines in batches:
                try:
                    self.answer(lines)
                except BadSource:
                    bad = self.predictor.find_bad(lines, self.decoding.unknown)
                    self.answer(lines, bad)
                    problems += [f"line {done + number}: {why}" for number, why in bad.items()]
                done += len(lines)
                if advance is not None:
                    advance(len(lines))
        skip = self.options.unknown == "skip"
        if not (skip and is_quiet()):  # where lines are skipped, their names are notes
            report_unanswered(problems, done, skip)

    def converse(self) -> None:
        """Prompt for sources and answer them, until the input ends."""
        while True:
            print("> ", end="", file=sys.stderr, flush=True)
            line = sys.stdin.readline()
            if not line:
                print(file=sys.stderr)
                return
            try:
                self.answer([line.rstrip("\n")])
            except ValueError as error:
                print(f"error: {error}", file=sys.stderr)

    def answer(self, lines: list[str], bad: Collection[int] = ()) -> None:
        """Answer some lines together, but for those whose numbers are `bad`, which stay empty."""
        good = [line for number, line in enumerate(lines, 1) if number not in bad]
        answers = self.predictor.predict(
            good, n_best=self.n_best, prefix=self.options.prefix, decoding=self.decoding
        )
        following = iter(answers)
        for number, line in enumerate(lines, 1):
            self.show(line, [] if number in bad else next(following))
        sys.stdout.flush()

    def _text(self, source: str, hypotheses: list) -> None:
        """The answers of a source in one line; their line ends are written \\n or \\r."""
        from seq2seq.data.files import escape

        if not self.options.scores and len(hypotheses) == 1:
            print(hypotheses[0].text.replace("\n", "\\n").replace("\r", "\\r"))
            return
        columns = [  # a tab in a text would be a column
            part
            for hypothesis in hypotheses
            for part in (
                escape(hypothesis.text),
                *([f"{hypothesis.score:.4f}"] if self.options.scores else []),
            )
        ]
        print("\t".join(columns))

    def _tsv(self, source: str, hypotheses: list) -> None:
        from seq2seq.data.files import escape

        if not hypotheses:
            print(escape(source), *[""] * (3 if self.options.scores else 2), sep="\t")
        for rank, hypothesis in enumerate(hypotheses, 1):
            score = [f"{hypothesis.score:.4f}"] if self.options.scores else []
            print(escape(source), rank, *score, escape(hypothesis.text), sep="\t")

    def _jsonl(self, source: str, hypotheses: list) -> None:
        fields = ("text", "tokens", "score", "token_scores", "ended")
        rows = [{name: hypothesis._asdict()[name] for name in fields} for hypothesis in hypotheses]
        print(json.dumps({"source": source, "hypotheses": rows}, ensure_ascii=False))
