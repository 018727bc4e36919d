"""The figure: a trace of one source, as on the page.

It needs matplotlib (`pip install 'keras-seq2seq[analysis]'`) and no display.
"""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from seq2seq.analysis.canvas import INK, QUIET, Paper, spell, width_of
from seq2seq.analysis.style import (
    BRIDGES,
    NAMES,
    START,
    Label,
    find_limits,
    find_scales,
    label,
    label_output,
    label_source,
    pool,
    title_of,
    visible,
)
from seq2seq.inference.trace import Layer, Trace

MAX_ROWS = 128  # of a heat map: more units share rows
MAX_STEPS = 60  # of a source or an answer: longer ones are cut off
MAX_LETTERS = 12  # of a symbol
SPECIAL = {"style": "italic", "colour": QUIET, "size": 7}  # of an end, which is no symbol
MARGIN, GUTTER, WIDTH = 0.2, 1.25, 8.0  # inches, the last of the heat maps together
COMFORT = 0.24  # inches of a column, if there is room


def draw(trace: Trace, number: int = 0, spelled: bool = True) -> Figure:
    """The figure of one source of a trace; `paper.to_bytes` makes a file of it.

    A long source is cut off at its beginning, since its end is handed over, a long answer at its
    end; a note counts the steps.

    Args:
        trace: of one or several sources, which have one scale of colours.
        number: of the source.
        spelled: whether a character that no installed font has is written as its code point, as a
            picture of dots needs it; an SVG keeps it, and names fonts.
    """
    drawing = _Drawing(trace.select(number), find_limits(trace), spelled)
    drawing.draw_head()
    drawing.draw_encoder()
    drawing.draw_handover()
    drawing.draw_decoder()
    return drawing.paper.finish()


class _Drawing:
    """The parts of a figure, from top to bottom."""

    def __init__(self, trace: Trace, limits: dict[str, dict[str, float]], spelled: bool):
        self.trace, self.limits = trace, limits
        self.spell = spell if spelled else lambda text: text
        self.source = [(self.spell(text), special) for text, special in label_source(trace, 0)]
        self.output = [(self.spell(text), special) for text, special in label_output(trace, 0)]
        self.read = [*range(len(self.source))][-MAX_STEPS:]
        self.steps = [*range(len(self.output))][:MAX_STEPS]
        labels = [_shorten(text) for text, _ in (*self.source, *self.output)]
        width = min(0.9, max(0.34, 0.1 + max(map(width_of, labels), default=0)))
        steps = (len(self.read), len(self.steps) + 1)
        # The decoder starts in the column in which the encoder ends, if there is room.
        stairs = sum(steps) - 1 <= WIDTH / COMFORT
        columns = sum(steps) - 1 if stairs else max(steps)
        self.column = min(width, max(0.16, WIDTH / columns))
        self.start = GUTTER + self.column * (len(self.read) - 1 if stairs else 0)
        self.paper = Paper(max(7.5, GUTTER + self.column * columns + 0.3))
        maps = sum(len(layer.arrays) for layer in (*trace.encoder, *trace.decoder))
        self.height = 1.25 if maps <= 4 else 0.85  # of a heat map

    def draw_head(self) -> None:
        """Draw the source and the prediction, the name of the run, and the colour scales."""
        paper = self.paper
        paper.y = 0.3
        run = visible(f"{self.trace.task}-{self.trace.model}".strip("-"))
        sides = [*map(self.spell, title_of(self.trace, 0))]
        room = (paper.width - 2 * MARGIN - width_of(run) - 1) / 2
        title = " → ".join(_fit(side, room, 14) for side in sides)  # bold is wider than 13 points
        paper.text(MARGIN, title, size=13, weight="bold")
        paper.text(paper.width - MARGIN, run, side="right", colour=QUIET)
        scales = [(name, limit, -1) for name, limit in find_scales(self.limits)]
        scales += [] if self.trace.top_probabilities is None else [("probability", 1, 0)]
        paper.y, left = 0.65, MARGIN
        for name, limit, low in scales:
            words = f"{name}  {f'−{limit:g}' if low else '0'}"
            paper.text(left, words, size=8)
            left += width_of(words, 8) + 0.06
            paper.image(np.linspace(low, 1, 101)[None], left, paper.y - 0.055, 0.6, 0.11)
            paper.text(left + 0.66, f"{limit:g}", size=8)
            left += 0.66 + width_of(f"{limit:g}", 8) + 0.2
        paper.y = 0.95
        if sides != [*title_of(self.trace, 0)]:
            paper.note(
                "No installed font has the characters that stand as code points (U+...); the page "
                "and the SVG have them."
            )

    def draw_encoder(self) -> None:
        """The source, and the states while it is read."""
        backwards = any(layer.backwards for layer in self.trace.encoder)
        remark = "; layers marked ← read from the end" if backwards else ""
        words = f"Encoder: its state after each symbol of the source{remark}"
        self.paper.text(MARGIN, words, weight="bold")
        self._draw_symbols(GUTTER, [self.source[time] for time in self.read], GUTTER, "reads")
        for layer in self.trace.encoder:
            last = 0 if layer.backwards else len(self.source) - 1
            self._draw_layer(layer, GUTTER, self.read, last, None)
        if cut := len(self.source) - len(self.read):
            words = f"The first {cut} of {len(self.source)} source steps are cut off"
            also = ", and with them where reading backwards ends" if backwards else ""
            self.paper.note(f"{words}{also}.")

    def draw_handover(self) -> None:
        """From the encoder's last column over the bridge into the decoder's first."""
        paper, deep = self.paper, 0.74
        top, to = paper.y, self.start + self.column / 2
        first = GUTTER + self.column / 2
        last = first + self.column * (len(self.read) - 1)
        directions = {layer.backwards for layer in self.trace.encoder}
        for x in [
            *([last] if False in directions else []),
            *([first] if True in directions else []),
        ]:
            turn = top + 0.12
            paper.line(*([x, x, to, to], [top, turn, turn, top + deep / 2]))
        paper.arrow(to, top + deep / 2, top + deep)
        paper.box(to, top + deep / 2, 0.18)
        description = BRIDGES.get(self.trace.bridge, "")
        words = f"bridge {self.spell(visible(self.trace.bridge))}" + (
            f": {description}" if description else ""
        )
        right = to - MARGIN < paper.width - MARGIN - to
        room = max(to - MARGIN, paper.width - MARGIN - to) - 0.2
        lines = textwrap.wrap(words, int(room / width_of(words, 8) * len(words)))
        position = {"x": to + 0.2, "side": "left"} if right else {"x": to - 0.2, "side": "right"}
        for number, line in enumerate(lines):
            y = top + deep / 2 + 0.15 * (number - (len(lines) - 1) / 2) + 0.03
            paper.text(text=line, size=8, colour=QUIET, y=y, **position)
        paper.y = top + deep + 0.17

    def draw_decoder(self) -> None:
        """The initial state, those of each step, likely symbols, and attention."""
        trace, left = self.trace, self.start + self.column
        words = "Decoder: its initial state, and its state after each symbol"
        self.paper.text(MARGIN, words, weight="bold")
        read = [(START, True), *self.output]
        self._draw_symbols(left, [read[time] for time in self.steps], self.start, "reads")
        shown = [0, *(time + 1 for time in self.steps)]
        for layer, received in zip(trace.decoder, trace.received, strict=True):
            self._draw_layer(layer, self.start, shown, 0, received)
        outputs = [self.output[time] for time in self.steps]
        self._draw_symbols(left, outputs, self.start, "outputs", below=True)
        if trace.top_symbols is not None and trace.top_probabilities is not None:
            self._draw_likely(trace.top_symbols[0], trace.top_probabilities[0])
        if trace.attention is not None:
            self._draw_attention(trace.attention[0])
        if cut := len(self.output) - len(self.steps):
            words = f"The last {cut} of {len(self.output)} steps of the answer are cut off."
            self.paper.note(words)
        if trace.top_symbols is not None and not any(special for _, special in self.output):
            self.paper.note("The answer did not come to an end: decoding was cut off.")

    def _draw_layer(
        self, layer: Layer, left: float, times: list[int], handed: int, received: Layer | None
    ) -> None:
        """The heat maps of a layer at some times; the one that is handed over has a frame."""
        paper, wide = self.paper, self.column * len(times)
        label = layer.name.replace("encoder", "layer").replace("decoder", "layer")
        for name, array in layer.arrays.items():
            side = "encoder" if received is None else "decoder"
            limit, values = self.limits[side][name], array[0]
            if received is not None:
                nothing = np.full(layer.units, np.nan)  # of a gate: no step led to the first state
                values = np.stack([received.arrays.get(name, [nothing])[0], *values])
            rows, size = pool(values[times], MAX_ROWS)
            paper.image(rows.T / limit, left, paper.y, wide, self.height)
            if name in ("hidden", "cell") and handed in times:
                x = left + self.column * times.index(handed)
                paper.frame(x, paper.y, self.column, self.height, INK, 1.5)
            middle = paper.y + self.height / 2
            paper.text(left - 0.1, NAMES.get(name, name), "right", y=middle - 0.07)
            under = label.replace(" backwards", " ←")
            paper.text(left - 0.1, under, "right", size=7, colour=QUIET, y=middle + 0.08)
            paper.y += self.height + 0.07
            if size > 1:
                paper.note(
                    f"{layer.units} units share {rows.shape[1]} rows: each row shows the one of "
                    f"{size} neighbours that is farthest from 0."
                )
            if not np.isfinite(values).all():
                paper.note("Grey: there is no value.")
            if np.abs(np.where(np.isfinite(values), values, 0)).max(initial=0) > limit * 1.001:
                paper.note(f"Beyond ±{limit:g}, the {side}'s {name} is as dark as there.")

    def _draw_symbols(
        self, left: float, labels: list[Label], beside: float, name: str, below: bool = False
    ) -> None:
        """A row of symbols; one that is too long for its column stands upright."""
        shown = [(_shorten(text), special) for text, special in labels]
        widths = [width_of(text, 7 if special else 9) for text, special in shown]
        upright = [wide > self.column for wide in widths]
        deep = max([0.2, *(w + 0.08 for w, up in zip(widths, upright, strict=True) if up)])
        self.paper.y += deep / 2 + (0 if below else 0.1)
        self.paper.text(beside - 0.1, name, "right")
        for step, ((text, special), up) in enumerate(zip(shown, upright, strict=True)):
            style: dict[str, Any] = {"rotation": 90} if up else {}
            style |= SPECIAL if special else {}
            self.paper.text(left + self.column * (step + 0.5), text, "center", **style)
        self.paper.y += deep / 2 + 0.04

    def _draw_likely(self, symbols: list[list[str]], probabilities: np.ndarray) -> None:
        """The likeliest symbols of each step under each other, on their probabilities' colour."""
        paper, left = self.paper, self.start + self.column
        deep, many, top = 0.17, probabilities.shape[1], self.paper.y
        paper.image(
            probabilities[self.steps].T, left, top, self.column * len(self.steps), deep * many
        )
        paper.text(self.start - 0.1, "likely", "right", y=top + deep * many / 2)
        for step in self.steps:
            for rank, symbol in enumerate(symbols[step]):
                text, special = label(symbol)
                text = text if special else _fit(self.spell(text), self.column, 8)
                position = {"x": left + self.column * (step + 0.5), "y": top + deep * (rank + 0.5)}
                style = {**(SPECIAL if special else {}), "size": 6 if special else 8}
                style["colour"] = "white" if probabilities[step, rank] > 0.6 else INK
                paper.text(text=text, side="center", **position, **style)
        paper.y = top + deep * many + 0.1

    def _draw_attention(self, weights: np.ndarray) -> None:
        """The source from top to bottom, steps from left to right."""
        paper, left, top = self.paper, self.start + self.column, self.paper.y
        deep = max(0.14, min(0.2, 3.0 / len(self.read)))
        high = deep * len(self.read)
        shown = weights[np.ix_(self.steps, self.read)]
        paper.image(shown.T, left, top, self.column * len(self.steps), high)
        names = [(_shorten(text), special) for text, special in self.source]
        for row, time in enumerate(self.read):
            text, special = names[time]
            style: dict[str, Any] = SPECIAL if special else {"size": 8}
            paper.text(left - 0.06, text, "right", y=top + deep * (row + 0.5), **style)
        beside = left - 0.2 - max(width_of(text, 8) for text, _ in names)
        paper.text(beside, "attends to", "right", y=top + high / 2)
        paper.y = top + high + 0.1


def _fit(text: str, room: float, size: float) -> str:
    """`text` cut off, visibly, so that it fits into `room` inches."""
    count = len(text)
    while count > 1 and width_of(_shorten(text, count), size) > room:
        count -= 1
    return _shorten(text, count)


def _shorten(text: str, maximum: int = MAX_LETTERS) -> str:
    """`text` with at most `maximum` letters; … replaces those that are cut off."""
    return text if len(text) <= maximum else f"{text[: max(0, maximum - 1)]}…"
