"""What studies found, as charts; they need matplotlib (`pip install 'seq2seq[analysis]'`)."""

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


def draw_ablations(found: Sequence[Ablation], name: str, of: str) -> Figure:
    """A bar for each change of the state.

    Args:
        found: at least one.
        name: of the run.
        of: what the shares are of, in words.
    """
    bars = [Bar(one.name, one.exact.value, *one.exact.interval) for one in found]
    note = f"exact match {of}; bars with 95 % intervals"
    return draw_bars(f"{name}: the handed-over state, changed", bars, note)


def draw_readings(found: Probing, name: str, told: str) -> Figure:
    """A grid of source length by place for each part, and for the control of the last.

    Args:
        found: what probes read.
        name: of the run.
        told: what they learned from and were judged on, in words.
    """
    parts = found.parts
    lengths = {one.part: one for one in found.readings if not one.position}
    grids = [
        Grid(f"from {part} (length: {lengths[part].share.value:.1%})", found.shares(part))
        for part in parts
    ]
    title = f"from shuffled states (length: {lengths[parts[-1]].control.value:.1%})"
    grids.append(Grid(title, found.shares(parts[-1], "control")))
    title = f"{name}: the symbol at each place of the source, read from the handed-over state"
    said = f"% of symbols, and of lengths, read by linear probes; learned from {told}"
    note = "\n".join([said, *found.notes])
    return draw_grids(title, grids, "symbols in the source", "place of the symbol", note)


def draw_capacity(series: Sequence[Series], runs: int) -> Figure:
    """Exact match by source length, and where there are several sizes, by units.

    Args:
        series: at least one.
        runs: how many there are in all.
    """
    by_length = [Curve(one.name, one.lengths, [one.at(n) for n in one.lengths]) for one in series]
    panels = [Panel("symbols in the source", by_length)]
    groups: dict[str, list[Series]] = {}
    for one in series:
        groups.setdefault(one.rest, []).append(one)
    if max(map(len, groups.values())) > 1:
        by_units = [
            Curve(rest or "all lengths", [one.units for one in some], [one.at() for one in some])
            for rest, some in groups.items()
        ]
        panels.append(Panel("units, over all lengths", by_units, doubling=True))
    several = any(len(one.runs) > 1 for one in series)
    note = "bands: 95 % intervals" + ("; of several seeds, least to greatest" if several else "")
    title = f"exact match on held-out examples, {runs} run{'s' if runs > 1 else ''}"
    return draw_curves(title, panels, note)
