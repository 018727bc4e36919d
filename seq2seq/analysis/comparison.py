"""Runs side by side as charts; they need matplotlib (`pip install 'seq2seq[analysis]'`)."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from seq2seq.analysis.charts import COLOURS, MOST_MARKS, Curve, Panel, draw_curves
from seq2seq.evaluation.seed_statistics import Spread
from seq2seq.runs.compare import Group, flatten
from seq2seq.runs.curves import by_length, by_step
from seq2seq.runs.tables import describe_metric, name_range

MOST = len(COLOURS)  # configurations that one chart tells apart


def draw_by_length(groups: Sequence[Group], ranges: Sequence[tuple[int, int]]) -> Figure:
    """Exact match by the length of the target: a line for each configuration.

    A line is the mean over seeds, its band goes from the least to the greatest. Runs that failed
    are not in it. Of many configurations the first are drawn (`choose_drawn`), and the note under
    the chart counts the others.

    Args:
        groups: at least one with results at some of the lengths.
        ranges: of lengths.

    Raises:
        ValueError: there is nothing to draw.
    """
    sizes = {high - low + 1 for low, high in ranges}
    if len(sizes) == 1:
        places = {bounds: sum(bounds) / 2 for bounds in ranges}
    else:  # the middles would stand too close here and there: one beside the other
        places = {bounds: float(number) for number, bounds in enumerate(ranges)}
    marks = {place: name_range(*bounds) for bounds, place in places.items()}
    each = ""
    if len(sizes) == 1 and (sizes == {1} or len(ranges) > MOST_MARKS):
        marks = None  # numbers say the same
        each = "" if sizes == {1} else f" ({sizes.pop()} lengths a point)"

    def measure(group: Group) -> dict[float, Spread]:
        return {places[bounds]: one for bounds, one in by_length(group, ranges).items()}

    curves, note = _make_curves(groups, measure)
    panel = Panel(f"length of the target, in tokens{each}", curves, marks=marks)
    return draw_curves(f"{_whose(groups)}exact match on held-out examples", [panel], note)


def draw_learning(groups: Sequence[Group], metric: str) -> Figure:
    """Learning curves: a metric by the number of updates, a line for each configuration.

    As `draw_by_length`; a line has the places at which all of its runs were evaluated.

    Args:
        groups: at least one whose runs have the metric.
        metric: of validation, as in `exact_match`; or a column of `history.csv`, as in `loss`.

    Raises:
        ValueError: there is nothing to draw.
    """
    shown = describe_metric(metric)
    curves, note = _make_curves(groups, lambda group: by_step(group, metric))
    panel = Panel("updates", curves, shares=shown.is_share)
    where = "in training" if metric == "loss" else "on validation examples"
    return draw_curves(f"{_whose(groups)}{shown.name} {where}", [panel], note)


def choose_drawn(groups: Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """Of the configurations that have results, the `MOST` that are drawn, and the others."""
    some = [group for group in groups if group.runs]
    return some[:MOST], some[MOST:]


def _make_curves(
    groups: Sequence[Group], measure: Callable[[Group], dict[float, Spread]]
) -> tuple[list[Curve], str]:
    """A curve for each group that is drawn, and what to say of them."""
    drawn, left_out = choose_drawn(groups)
    curves, without = [], []
    for group in drawn:
        spreads = sorted(measure(group).items())
        if not spreads:
            without.append(group.name)
            continue
        values = [(one.mean, one.least, one.greatest) for _, one in spreads]
        curves.append(Curve(group.name, [place for place, _ in spreads], values))
    if not curves:
        raise ValueError("there is nothing to draw: no run has results of this kind")
    note = _describe_runs(drawn)
    if left_out:
        note += f"\n{len(left_out)} more configurations are not drawn, for want of colours"
    if without:
        note += f"\nnot drawn, since they have no results of this kind: {'; '.join(without)}"
    return curves, note


def _describe_runs(groups: Sequence[Group]) -> str:
    """How many runs are behind each line, and how many are not."""
    counts = sorted({len(group.runs) for group in groups})
    if counts == [1]:
        note = "one run each" if len(groups) > 1 else "one run"
    else:
        several = " to ".join(str(count) for count in (counts[0], counts[-1])[: len(counts)])
        note = f"lines: means over the seeds, {several} runs each; bands: least to greatest"
    failed = sum(len(group.failed) for group in groups)
    return note + (f"; failed, and left out: {failed}" if failed else "")


def _whose(groups: Sequence[Group]) -> str:
    """The start of a title: the configuration if there is one, or the task that all have."""
    if len(groups) == 1:
        return f"{groups[0].name}: "
    runs = [run for group in groups for run in (*group.runs, *group.failed)]
    tasks = {str(dict(flatten(run.config)).get("names.task")) for run in runs}
    return f"{tasks.pop()}: " if len(tasks) == 1 else ""
