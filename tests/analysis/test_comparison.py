"""Charts of runs: every line with its name, spreads as bands, and nothing dropped in silence."""

import pytest

pytest.importorskip("matplotlib", reason="charts need keras-seq2seq[analysis]")

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from seq2seq.analysis.canvas import to_bytes
from seq2seq.analysis.comparison import MAX_DRAWN, choose_drawn, draw_by_length, draw_learning
from seq2seq.runs.compare import Run, group_runs
from tests.runs.fake_runs import config, history, lengths, summary, write_run


def groups_of(sizes, seeds=2, matches=(1.0, 0.5, 0.25), failed=0):
    """Groups of models of some sizes, each with seeds that do the same and some that failed."""
    run_summary = summary(0.5, lengths(*matches))
    runs = [Run(config(seed, units=n), run_summary) for n in sizes for seed in range(seeds)]
    runs += [Run(config(seed, units=n), None) for n in sizes for seed in range(failed)]
    return group_runs(runs)


def texts(figure):
    FigureCanvasAgg(figure).draw()
    return [
        text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()
    ]


def test_lines_are_means_and_bands_go_from_least_to_greatest():
    runs = [
        Run(config(seed, units=units), summary(0, lengths(*matches)))
        for units, seed, matches in [
            *((8, 0, (1.0, 0.5)), (8, 1, (0.5, 0.25)), (8, 2, (0.75, 0.0))),
            (16, 0, (0.25, 0.25)),
        ]
    ]
    (axes,) = draw_by_length(group_runs(runs), [(1, 1), (2, 2)]).axes
    first, second = axes.lines
    assert list(first.get_xdata()) == [1, 2] and list(first.get_ydata()) == [0.75, 0.25]
    (corners, *_), (flat, *_) = (band.get_paths()[0].vertices.T[1:] for band in axes.collections)
    assert (corners.min(), corners.max()) == (0.0, 1.0)
    assert set(flat) == {0.25}  # of one run there is no spread
    styles = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(styles) == 2 and len({style[2] for style in styles}) == 2


def test_the_picture_has_all_its_labels():
    figure = draw_by_length(groups_of([8, 16], seeds=3, failed=2), [(1, 1), (2, 2), (3, 3)])
    figure_texts = texts(figure)
    assert {"units 8", "units 16", "copy: exact match on held-out examples"} <= set(figure_texts)
    assert {"1", "2", "3", "100%", "length of the target, in tokens"} <= set(figure_texts)
    assert "means over the seeds, 3 runs each" in " ".join(figure_texts)
    assert "failed, and left out: 4" in " ".join(" ".join(figure_texts).split())
    svg = to_bytes(figure, "svg").decode()
    for words in ("units 8", "units 16", "copy: exact match on held-out examples"):
        assert words in svg


def test_ranges_are_named():
    groups = groups_of([8], matches=[0.5] * 40)
    for ranges, names in [
        ([(1, 19), (20, 20), (21, 40)], {"1-19", "20", "21-40"}),
        ([(1, 20), (21, 40)], {"1-20", "21-40"}),
    ]:
        figure_texts = texts(draw_by_length(groups, ranges))
        assert names <= set(figure_texts) and "length of the target, in tokens" in " ".join(
            figure_texts
        )
    narrow = [(n, n + 1) for n in range(1, 40, 2)]
    assert "(2 lengths a point)" in " ".join(texts(draw_by_length(groups, narrow)))


def test_configurations_that_are_not_drawn_are_counted():
    groups = groups_of(range(MAX_DRAWN + 3), failed=1)
    drawn, left_out = choose_drawn(groups)
    assert len(drawn) == MAX_DRAWN and [group.name for group in left_out] == [
        "units 8",
        "units 9",
        "units 10",
    ]
    figure_texts = texts(draw_by_length(groups, [(1, 1)]))
    assert len([text for text in figure_texts if text.startswith("units")]) == MAX_DRAWN
    assert "3 more configurations not drawn" in " ".join(figure_texts)


def test_what_has_no_results_is_named():
    runs = [Run(config(0, units=n), summary(0.5, lengths(*[1.0] * n))) for n in (1, 2)]
    figure_text = " ".join(texts(draw_by_length(group_runs(runs), [(2, 2)])))
    assert "no results of this kind: units 1" in figure_text
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_by_length(group_runs(runs), [(3, 3)])


def test_learning_curves_are_of_the_shared_updates(tmp_path):
    rows = [history(0.1, 0.2, 0.4), history(0.3, 0.6)]
    runs = [write_run(tmp_path / str(n), config(n), summary(0), rows[n]) for n in range(2)]
    groups = group_runs(runs)
    figure = draw_learning(groups, "exact_match")
    (line,) = figure.axes[0].lines
    assert list(line.get_xdata()) == [10, 20]
    assert list(line.get_ydata()) == pytest.approx([0.2, 0.4])
    assert "copy-lstm: exact match on validation examples" in texts(figure)
    loss = draw_learning(groups, "loss")
    assert "copy-lstm: loss in training" in texts(loss) and "100%" not in texts(loss)
    assert loss.axes[0].get_ylim()[0] == 0 and loss.axes[0].get_ylim()[1] > 3


@pytest.mark.parametrize("long", ["x" * 30, "many words " * 12])
def test_long_names_are_not_clipped(long):
    runs = [
        Run({**config(0), "key": f"{long}{n}", "names": {"task": "t"}}, summary(0, lengths(1, 0)))
        for n in range(4)
    ]
    figure = draw_by_length(group_runs(runs), [(1, 1), (2, 2)])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    for text in figure.findobj(Text):
        box = text.get_window_extent(canvas.get_renderer())
        if text.get_text() and text.get_visible() and figure.bbox.overlaps(box):
            assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, text.get_text()
            assert box.y0 >= -1 and box.y1 <= figure.bbox.y1 + 1, text.get_text()
