"""Charts of studies; they need matplotlib (`pip install 'keras-seq2seq[analysis]'`)."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from seq2seq.analysis.ablation import Ablation
from seq2seq.analysis.capacity import Series
from seq2seq.analysis.charts import (
    Bar,
    Curve,
    Grid,
    Panel,
    draw_bars,
    draw_curves,
    draw_grids,
)
from seq2seq.analysis.probing import Probing


def draw_ablations(ablations: Sequence[Ablation], name: str, examples: str) -> Figure:
    """Draw a bar for each change of the state.

    Args:
        ablations: at least one.
        name: of the run.
        examples: description of the examples.
    """
    bars = [Bar(each.name, each.exact.value, *each.exact.interval) for each in ablations]
    note = f"exact match {examples}; bars with 95 % intervals"
    return draw_bars(f"{name}: the handed-over state, changed", bars, note)


def draw_readings(probing: Probing, name: str, data: str) -> Figure:
    """Draw a grid of source length by position for each part, and for the control of the last.

    Args:
        probing: results of the probes.
        name: of the run.
        data: description of the training and test data.
    """
    parts = probing.parts
    lengths = {each.part: each for each in probing.readings if not each.position}
    grids = [
        Grid(f"from {part} (length: {lengths[part].accuracy.value:.1%})", probing.accuracies(part))
        for part in parts
    ]
    title = f"from shuffled states (length: {lengths[parts[-1]].control.value:.1%})"
    grids.append(Grid(title, probing.accuracies(parts[-1], "control")))
    title = f"{name}: the symbol at each position of the source, read from the handed-over state"
    legend = f"% of symbols, and of lengths, read by linear probes; trained on {data}"
    note = "\n".join([legend, *probing.notes])
    return draw_grids(title, grids, "symbols in the source", "position of the symbol", note)


def draw_capacity(series: Sequence[Series], runs: int) -> Figure:
    """Draw exact match by source length, and where there are several sizes, by units.

    Args:
        series: at least one.
        runs: number of runs.
    """
    by_length = [
        Curve(each.name, each.lengths, [each.at(n) for n in each.lengths]) for each in series
    ]
    panels = [Panel("symbols in the source", by_length)]
    groups: dict[str, list[Series]] = {}
    for each in series:
        groups.setdefault(each.label, []).append(each)
    if max(map(len, groups.values())) > 1:
        by_units = [
            Curve(
                label or "all lengths",
                [each.units for each in group],
                [each.at() for each in group],
            )
            for label, group in groups.items()
        ]
        panels.append(Panel("units, over all lengths", by_units, doubling=True))
    several = any(len(each.runs) > 1 for each in series)
    note = "bands: 95 % intervals" + ("; of several seeds, lowest to highest" if several else "")
    title = f"exact match on held-out examples, {runs} run{'s' if runs > 1 else ''}"
    return draw_curves(title, panels, note)
