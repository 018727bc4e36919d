"""Charts of studies hold the numbers of their results."""

import pytest

pytest.importorskip("matplotlib", reason="charts need keras-seq2seq[analysis]")

from matplotlib.text import Text

from seq2seq.analysis.ablation import Ablation
from seq2seq.analysis.capacity import Series
from seq2seq.analysis.study_charts import draw_ablations, draw_capacity
from seq2seq.evaluation.statistics import Proportion


def words(figure):
    return {text.get_text() for text in figure.findobj(Text)}


def test_an_ablation_has_a_bar_for_each_change():
    changes = [
        Ablation("as trained", Proportion(4, 5), None),
        Ablation("zeroed", Proportion(1, 5), None),
    ]
    drawn = words(draw_ablations(changes, "copy-lstm", "of 5 held-out examples"))
    assert {"as trained", "80.00%", "zeroed", "20.00%"} <= drawn


@pytest.mark.parametrize("sizes, panels", [([8], 1), ([8, 16], 2)])
def test_capacity_by_units_needs_several_sizes(sizes, panels):
    series = [Series(units, "", [{1: Proportion(1, 2), 2: Proportion(0, 2)}]) for units in sizes]
    figure = draw_capacity(series, len(sizes))
    assert ("units, over all lengths" in words(figure)) == (panels == 2)
    curves = [line for axes in figure.axes for line in axes.lines if len(line.get_xdata()) == 2]
    heights = {tuple(line.get_ydata()) for line in curves}
    assert (0.5, 0.0) in heights
