"""Charts that compare runs; they need matplotlib (`pip install 'keras-seq2seq[analysis]'`)."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from seq2seq.analysis.charts import COLOURS, MAX_MARKS, Curve, Panel, draw_curves
from seq2seq.evaluation.statistics import SeedStatistics
from seq2seq.runs.compare import Group, flatten
from seq2seq.runs.curves import by_length, by_step
from seq2seq.runs.tables import describe_metric, name_range

MAX_DRAWN = len(COLOURS)  # configurations of a chart


def draw_by_length(groups: Sequence[Group], ranges: Sequence[tuple[int, int]]) -> Figure:
    """Exact match by the length of the target: a line for each configuration.

    A line is the mean over seeds, its band extends from the lowest to the highest. Failed runs are
    left out. Of many configurations the first are drawn (`choose_drawn`), and the note under
    the chart counts the others.

    Args:
        groups: at least one with results at some of the lengths.
        ranges: of lengths.

    Raises:
        ValueError: there is nothing to draw.
    """
    sizes = {high - low + 1 for low, high in ranges}
    if len(sizes) == 1:
        positions = {bounds: sum(bounds) / 2 for bounds in ranges}
    else:  # the middles may be too close to each other
        positions = {bounds: float(number) for number, bounds in enumerate(ranges)}
    marks = {x: name_range(*bounds) for bounds, x in positions.items()}
    note = ""
    if len(sizes) == 1 and (sizes == {1} or len(ranges) > MAX_MARKS):
        marks = None  # plain numbers are enough
        note = "" if sizes == {1} else f" ({sizes.pop()} lengths a point)"

    def measure(group: Group) -> dict[float, SeedStatistics]:
        return {positions[bounds]: each for bounds, each in by_length(group, ranges).items()}

    curves, remarks = _make_curves(groups, measure)
    panel = Panel(f"length of the target, in tokens{note}", curves, marks=marks)
    title = f"{_title_prefix(groups)}exact match on held-out examples"
    return draw_curves(title, [panel], remarks)


def draw_learning(groups: Sequence[Group], metric: str) -> Figure:
    """Learning curves: a metric by the number of updates, a line for each configuration.

    As `draw_by_length`; a line has the updates at which all of its runs were evaluated.

    Args:
        groups: at least one whose runs have the metric.
        metric: of validation, as in `exact_match`; or a column of `history.csv`, as in `loss`.

    Raises:
        ValueError: there is nothing to draw.
    """
    shown = describe_metric(metric)
    curves, note = _make_curves(groups, lambda group: by_step(group, metric))
    panel = Panel("updates", curves, percent=shown.is_share)
    where = "in training" if metric == "loss" else "on validation examples"
    return draw_curves(f"{_title_prefix(groups)}{shown.name} {where}", [panel], note)


def choose_drawn(groups: Sequence[Group]) -> tuple[list[Group], list[Group]]:
    """Configurations with results: the `MAX_DRAWN` that are drawn, and the others."""
    complete = [group for group in groups if group.runs]
    return complete[:MAX_DRAWN], complete[MAX_DRAWN:]


def _make_curves(
    groups: Sequence[Group], measure: Callable[[Group], dict[float, SeedStatistics]]
) -> tuple[list[Curve], str]:
    """Make a curve for each group that is drawn, and a note."""
    drawn, left_out = choose_drawn(groups)
    curves, without = [], []
    for group in drawn:
        statistics = sorted(measure(group).items())
        if not statistics:
            without.append(group.name)
            continue
        values = [(each.mean, each.min, each.max) for _, each in statistics]
        curves.append(Curve(group.name, [x for x, _ in statistics], values))
    if not curves:
        raise ValueError("there is nothing to draw: no run has results of this kind")
    note = _describe_runs(drawn)
    if left_out:
        note += (
            f"\n{len(left_out)} more configurations not drawn (more configurations than colours)"
        )
    if without:
        note += f"\nnot drawn, since they have no results of this kind: {'; '.join(without)}"
    return curves, note


def _describe_runs(groups: Sequence[Group]) -> str:
    """Describe the number of runs of each line, and of failed ones."""
    counts = sorted({len(group.runs) for group in groups})
    if counts == [1]:
        note = "one run each" if len(groups) > 1 else "one run"
    else:
        several = " to ".join(str(count) for count in (counts[0], counts[-1])[: len(counts)])
        note = f"lines: means over the seeds, {several} runs each; bands: lowest to highest"
    failed = sum(len(group.failed) for group in groups)
    return note + (f"; failed, and left out: {failed}" if failed else "")


def _title_prefix(groups: Sequence[Group]) -> str:
    """Start of a title: the configuration if there is one, or the task that all have."""
    if len(groups) == 1:
        return f"{groups[0].name}: "
    runs = [run for group in groups for run in (*group.runs, *group.failed)]
    tasks = {str(dict(flatten(run.config)).get("names.task")) for run in runs}
    return f"{tasks.pop()}: " if len(tasks) == 1 else ""
