"""Report of an evaluation: a short table, ten examples, and a headline."""

import io

from rich.console import Console
from rich.table import Table

from seq2seq.data.files import escape
from seq2seq.evaluation.evaluate import Evaluation
from seq2seq.evaluation.metrics import METRICS, group_by_length
from seq2seq.runtime.escaping import printable

SHOWN_LENGTHS = 12  # rows of a by-length table; more lengths are merged


def render(evaluation: Evaluation) -> str:
    """Render the report: the table, ten examples, and the headline."""
    out = io.StringIO()
    Console(file=out, width=120, color_system=None).print(make_table(evaluation))
    table = "\n".join(line.rstrip() for line in out.getvalue().splitlines())
    return "\n".join([table, "", *sample_lines(evaluation), "", headline(evaluation.metrics())])


def make_table(evaluation: Evaluation) -> Table:
    """Make the table of metrics by length, and over all."""
    is_regression = evaluation.kind == "values"
    names = (
        ("MAE", "RMSE")
        if is_regression
        else ("exact", "tokens", "content", "too short", "too long")
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("length", "count", *names):
        table.add_column(name, justify="right")
    summarize = METRICS[evaluation.kind].summarize
    for label, group in [
        *group_by_length(evaluation.scores, SHOWN_LENGTHS),
        ("all", evaluation.scores),
    ]:
        row = summarize(group)
        if is_regression:
            cells = [f"{row['mae']:.4f}", f"{row['rmse']:.4f}"]
        else:
            cells = [f"{row['exact_match']:.2%}", f"{row['token_accuracy']:.2%}"]
            cells += [f"{row[kind]:,}" for kind in ("content", "too_short", "too_long")]
        table.add_row(label, f"{row['count']:,}", *cells)
    return table


def headline(metrics: dict) -> str:
    """Format the headline.

    >>> headline({"exact_match": 0.9915, "count": 2000})
    'exact match 99.15 % of 2,000 held-out examples'
    """
    of = f"of {metrics['count']:,} held-out examples"
    if "mae" in metrics:
        return f"MAE {metrics['mae']:.4f}, RMSE {metrics['rmse']:.4f} {of}"
    line = f"exact match {metrics['exact_match']:.2%} {of}".replace("%", " %")
    if "word_error_rate" in metrics:
        line += (
            f"; word error rate {metrics['word_error_rate']:.2%}"
            f", phone error rate {metrics['phone_error_rate']:.2%}"
        ).replace("%", " %")
    return line


def sample_lines(evaluation: Evaluation, count: int = 10, width: int = 48) -> list[str]:
    """Format `count` examples, evenly spaced, each with ✓ or ✗ (real values with their error)."""
    total, verdicts = len(evaluation.examples), evaluation.verdicts()
    lines = []
    for index in sorted({round(n * (total - 1) / max(count - 1, 1)) for n in range(count)}):
        example, verdict = evaluation.examples[index], verdicts[index]
        prediction = _shorten(evaluation.predictions[index], width)
        source, target = _shorten(example.source, width), _shorten(example.target, width)
        if evaluation.kind == "values":
            lines.append(f"{source} -> {prediction}   right: {target}   error {verdict}")
        elif verdict == "right":
            lines.append(f"✓ {source} -> {prediction}")
        else:
            lines.append(
                f"✗ {source} -> {prediction}   right: {target}   ({verdict.replace('_', ' ')})"
            )
    return lines


def _shorten(text: str, width: int) -> str:
    text = printable(escape(text.replace("\t", "  ")))  # between a source and its tags
    return text if len(text) <= width else text[: width - 1] + "…"
