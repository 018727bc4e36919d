"""The verbs that use a trained model: predict, score and evaluate.

Sources go in by arguments, files or pipes, one a line; what comes out goes to standard output, in
order. Memory does not grow with the input.
"""

import argparse
import contextlib
import json
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq.cli.options import add_decoding, add_ensemble, choose_decoding, count
from seq2seq.cli.pair_input import PairInput, add_pairs, read_pairs
from seq2seq.runtime.progress import progress
from seq2seq.runtime.quiet import quiet_engine

CHUNK = 2048  # lines answered together
CHARACTERS = 2**20  # of lines answered together: long ones go fewer at a time
RUN_HELP = "a run directory, for example runs/latest, or a model.npz"


def add_verbs(verbs: Any) -> None:
    """Add the parsers of this module's verbs."""
    predict = verbs.add_parser(
        "predict",
        help="answer sources with a trained model",
        description="One answer a line, in order. Sources come from the arguments, from --input, "
        "or from standard input, one a line; a source with tags is source<TAB>tags. A source that "
        "can't be read has an empty line, is named on standard error, and the exit status is 2 at "
        "the end.",
    )
    predict.add_argument("run", metavar="RUN", help=RUN_HELP)
    predict.add_argument("sources", nargs="*", metavar="SOURCE")
    predict.add_argument(
        "--input", metavar="FILE", help="a file of sources (.gz is read too); -: standard input"
    )
    predict.add_argument(
        "--n-best", type=count, metavar="N", help="so many answers a source, the best first"
    )
    predict.add_argument(
        "--scores", action="store_true", help="with each answer its log-probability"
    )
    predict.add_argument(
        "--format",
        choices=("text", "tsv", "jsonl"),
        default="text",
        help="text: a line a source, several answers separated by tabs; tsv: a row an answer, with "
        "its source; jsonl: an object a source, with all that is known",
    )
    predict.add_argument("--prefix", metavar="TEXT", help="what every answer begins with")
    add_decoding(predict, skip=True)

    export = verbs.add_parser(
        "export",
        help="write a trained model for use elsewhere",
        description="numpy: one file for seq2seq/runtime/numpy_runtime.py, which needs NumPy alone "
        "and can be copied anywhere; onnx, litert, saved_model: a folder of graphs and a header.",
    )
    export.add_argument("run", metavar="RUN", help=RUN_HELP)
    export.add_argument(
        "--format", choices=("numpy", "onnx", "litert", "saved_model"), default="numpy"
    )
    export.add_argument(
        "-o", "--output", metavar="PATH", required=True, help="a file (numpy) or a new folder"
    )
    export.add_argument(
        "--weights",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="of numpy: smaller weights; what they cost on the test examples is printed",
    )

    score = verbs.add_parser(
        "score",
        help="how probable given targets are",
        description="The log-probability of each target, a line a line; that of a blank line or "
        "of a skipped row is empty. Pairs come from --pairs or from standard input, as "
        "source<TAB>target (<TAB>tags) lines.",
    )
    score.add_argument("run", metavar="RUN", help=RUN_HELP)
    add_pairs(score)
    score.add_argument(
        "--per-token", action="store_true", help="of each token and the end, separated by tabs"
    )
    score.add_argument(
        "--unknown",
        choices=("error", "token"),
        help="a symbol never seen in training: an error, or read as the unknown token "
        "(default: as the run says)",
    )
    add_ensemble(score)

    judge = verbs.add_parser(
        "evaluate",
        help="judge a trained model on held-out examples",
        description="Free-running decoding of the run's test examples, or of the pairs in a file.",
    )
    judge.add_argument("run", metavar="RUN", help=RUN_HELP)
    add_pairs(judge)
    judge.add_argument("--json", action="store_true", help="print all metrics as JSON")
    add_decoding(judge)


def load_run(run: str, others: Sequence[str] = ()) -> Any:
    """The run, or the ensemble of several, after the engine has started quietly."""
    with progress(f"loading {run}"):
        quiet_engine()
        from seq2seq.inference.predictor import ensemble, load

        return ensemble([run, *others]) if others else load(run)


def predict(options: argparse.Namespace) -> None:
    """`seq2seq predict`: lines in, as many lines out."""
    from seq2seq.data.files import read_lines, read_standard_input
    from seq2seq.data.vocabulary import check_texts

    if options.sources and options.input:
        raise ValueError("give sources as arguments or with --input FILE, not both")
    check_texts("sources", [*options.sources, options.prefix or ""])  # a shell takes any bytes
    predictor = load_run(options.run, options.others)
    decoding = choose_decoding(options, predictor.decoding)
    answerer = Answerer(options, predictor, decoding)
    if options.sources:
        answerer.answer_all(chunks(options.sources, CHUNK))
    elif options.input not in (None, "-"):
        answerer.answer_all(chunks((line for _, line in read_lines(options.input)), CHUNK))
    elif options.input is None and sys.stdin and sys.stdin.isatty():
        answerer.converse()
    else:
        lines = (line for _, line in read_standard_input())
        answerer.answer_all(arriving(lines, CHUNK))


class Answerer:
    """Answers lines and prints what the options ask for.

    Args:
        options: of the command line.
        predictor: the run.
        decoding: how it answers.
    """

    def __init__(self, options: argparse.Namespace, predictor: Any, decoding: Any):
        self.options, self.predictor, self.decoding = options, predictor, decoding
        self.show = {"text": self._text, "tsv": self._tsv, "jsonl": self._jsonl}[options.format]
        own = decoding.strategy.n_best if decoding.strategy else 1
        self.n_best = options.n_best or own
        if options.format == "tsv":
            print("source", "rank", *(["score"] if options.scores else []), "answer", sep="\t")

    def answer_all(self, batches: Iterable[list[str]]) -> None:
        """Answer every line; one that can't be read has an empty answer and is named.

        Raises:
            ValueError: there was such a line, and `--unknown skip` was not asked for.
        """
        from seq2seq.inference.inputs import BadSource
        from seq2seq.runtime.numpy_runtime import report_unanswered

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
        report_unanswered(problems, done, self.options.unknown == "skip")

    def converse(self) -> None:
        """Ask for a source, answer it, until the input ends."""
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
            for one in hypotheses
            for part in (escape(one.text), *([f"{one.score:.4f}"] if self.options.scores else []))
        ]
        print("\t".join(columns))

    def _tsv(self, source: str, hypotheses: list) -> None:
        from seq2seq.data.files import escape

        if not hypotheses:
            print(escape(source), *[""] * (3 if self.options.scores else 2), sep="\t")
        for rank, one in enumerate(hypotheses, 1):
            score = [f"{one.score:.4f}"] if self.options.scores else []
            print(escape(source), rank, *score, escape(one.text), sep="\t")

    def _jsonl(self, source: str, hypotheses: list) -> None:
        kept = ("text", "tokens", "score", "token_scores", "ended")
        rows = [{name: one._asdict()[name] for name in kept} for one in hypotheses]
        print(json.dumps({"source": source, "hypotheses": rows}, ensure_ascii=False))


def score(options: argparse.Namespace) -> None:
    """`seq2seq score`: the log-probabilities of pairs, a line a line."""
    predictor = load_run(options.run, options.others)
    pairs = PairInput(options, predictor)
    for records in chunks(pairs.records(), CHUNK):
        score_records(predictor, pairs, records, options)
    pairs.print_notes()


def score_records(predictor: Any, pairs: PairInput, records: list, options: Any) -> None:
    """Print a line for each record: its scores, or nothing where the line was skipped.

    Raises:
        ValueError: a text can't be encoded and bad rows are errors; those before it are printed.
    """
    from seq2seq.inference.inputs import BadText

    good = [record for record in records if record.pair is not None]
    while True:
        sources, targets = ([record.pair[side] for record in good] for side in (0, 1))
        try:
            found = predictor.score(sources, targets, options.per_token, options.unknown)
            break
        except BadText as error:
            bad, place = good.pop(error.number - 1), f"{error.side}: {error.reason}"
        at = records.index(bad)
        if pairs.reader.on_bad_row == "error":
            score_records(predictor, pairs, records[:at], options)
        records = [*records[:at], pairs.reject(bad, place), *records[at + 1 :]]
    scores = {
        record.line: "\t".join(f"{value:.4f}" for value in (one if options.per_token else [one]))
        for record, one in zip(good, found, strict=True)
    }
    for record in records:
        if record.problem:
            print(f"{pairs.name}, line {record.line}: skipped: {record.problem}", file=sys.stderr)
        print(scores.get(record.line, ""))
    sys.stdout.flush()


def evaluate(options: argparse.Namespace) -> None:
    """`seq2seq evaluate`: the table and the line that matters."""
    predictor = load_run(options.run, options.others)
    from seq2seq.data.pairs import group_by_source
    from seq2seq.evaluation.evaluate import evaluate
    from seq2seq.evaluation.predictions import read_examples
    from seq2seq.evaluation.summary import render

    if options.pairs:
        examples = group_by_source(read_pairs(options, predictor), predictor.source.canonical)
    else:
        examples = read_examples(predictions_of(options.run))
    decoding = choose_decoding(options, predictor.decoding)
    family = predictor.settings.get("metrics")
    oracle_length = predictor.settings.get("oracle_length", False)  # older runs don't say
    evaluation = evaluate(predictor, examples, family, decoding, oracle_length)
    if options.json:
        print(json.dumps(evaluation.metrics(), indent=2))
        return
    print(render(evaluation), flush=True)


def predictions_of(run: str) -> Path:
    """Where the held-out examples of a run stand."""
    return (Path(run) if Path(run).is_dir() else Path(run).parent) / "predictions.tsv"


def export(options: argparse.Namespace) -> None:
    """`seq2seq export`: a file or a folder, and what smaller weights cost."""
    predictor = load_run(options.run)
    output = Path(options.output).expanduser()
    if options.format != "numpy":
        from seq2seq.export.graphs import export_graphs

        if options.weights != "float32":
            raise ValueError(
                f"--weights {options.weights} is for --format numpy; the graphs of "
                f"{options.format} hold float32"
            )
        with progress(f"exporting to {options.format}"):
            export_graphs(predictor, options.format, output)
        print(f"written to {output}: {', '.join(sorted(p.name for p in output.iterdir()))}")
        return
    if not output.parent.is_dir() or output.is_dir():
        raise ValueError(f"--output {output} must name a file in a folder that is there")
    predictor.save(output, options.weights)
    print(f"written to {output}: {output.stat().st_size:,} bytes")
    if options.weights != "float32" and predictions_of(options.run).is_file():
        tell_cost(predictor, output, predictions_of(options.run))


def tell_cost(predictor: Any, smaller: Path, examples: Path) -> None:
    """Print what `smaller` weights do to the held-out examples."""
    from seq2seq.evaluation.evaluate import evaluate
    from seq2seq.evaluation.predictions import read_examples
    from seq2seq.inference.predictor import load

    held_out, family = read_examples(examples), predictor.settings.get("metrics")
    metrics = [evaluate(one, held_out, family).metrics() for one in (predictor, load(smaller))]
    name = next(iter(metrics[0]))
    before, after = (one[name] for one in metrics)
    print(f"{name} {before:.4f} before, {after:.4f} after, of {len(held_out):,} held-out examples")


def chunks(lines: Iterable, size: int) -> Iterator[list]:
    """`lines` in lists of at most `size`, fewer where they are long.

    Where reading fails, what was read before comes first.
    """
    chunk, characters = [], 0
    try:
        for line in lines:
            chunk.append(line)
            characters += length_of(line)
            if len(chunk) == size or characters >= CHARACTERS:
                yield chunk
                chunk, characters = [], 0
    except ValueError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def length_of(line: Any) -> int:
    """Characters of a line, or of the pair that it holds."""
    return len(line) if isinstance(line, str) else sum(map(len, line.pair or ()))


def arriving(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    """`lines` of a pipe in lists of at most `size`, as soon as there is any and no more waits.

    They are read ahead while others are answered, as many as make one list.
    """
    waiting: list[str] = []
    characters = 0  # of those
    ends: list[Exception | None] = []  # what ended the reading
    changed = threading.Condition()

    def has_room() -> bool:
        return len(waiting) < size and characters < CHARACTERS

    def read() -> None:
        nonlocal characters
        end = None
        try:
            for line in lines:
                with changed:
                    changed.wait_for(has_room)
                    waiting.append(line)
                    characters += len(line)
                    changed.notify()
        except Exception as error:  # it is raised below, after what was read before it
            end = error
        with changed:
            ends.append(end)
            changed.notify()

    threading.Thread(target=read, daemon=True).start()
    while True:
        with changed:
            changed.wait_for(lambda: waiting or ends)
            chunk, characters = waiting[:], 0
            waiting.clear()
            changed.notify()
        if not chunk:
            break
        yield chunk
    if ends[0] is not None:
        raise ends[0]
