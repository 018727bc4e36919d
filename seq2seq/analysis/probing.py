"""Probing: what a linear reader finds in the state that an encoder hands over.

A probe is a linear classifier that sees the decoder's first state, and nothing else, and must say
which symbol stood at a place of the source, or how long the source was (Alain and Bengio 2017). It
learns from training sources and is judged on held-out ones. What it reads is there, in a form that
a single layer can use; what it does not read may still be there in another form.

It needs scikit-learn (`pip install 'seq2seq[analysis]'`).
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from keras import ops

from seq2seq.evaluation.proportions import Share, join
from seq2seq.inference.inputs import measure
from seq2seq.inference.predictor import Predictor
from seq2seq.inference.states import derange
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.compare import format_table
from seq2seq.runtime.progress import progress
from seq2seq.runtime.real_values import Numbers

LEAST_TRAINING, LEAST_TEST = 200, 20  # sources of a length, to say anything about it
MOST_LENGTHS, MOST_POSITIONS = 12, 24
SHRINKAGE = 1e-3  # of the covariance: enough that units which always agree do no harm


class Reading(NamedTuple):
    """What one probe reads.

    Attributes:
        part: of the state: `"hidden"`, `"cell"` or `"both"`, of all layers.
        length: of the sources, in symbols; 0: of all lengths, and the length itself is read.
        position: of the symbol, counted from 1, or in the second half of a long source from its
            end, -1 the last; 0: the length is read.
        share: of held-out sources whose symbol or length was read.
        control: the same by a probe that learned from shuffled states.
    """

    part: str
    length: int
    position: int
    share: Share
    control: Share


class Probing(NamedTuple):
    """What all probes read.

    Attributes:
        readings: the length's first, then length by length and place by place.
        commonest: of held-out sources, the share that has the commonest length; by length, of all
            places together, the share of the commonest symbol of each.
        notes: sentences on what was left out.
    """

    readings: list[Reading]
    commonest: dict[int, Share]
    notes: list[str]

    @property
    def parts(self) -> list[str]:
        """Of the state that were read."""
        return list(dict.fromkeys(one.part for one in self.readings))

    def shares(self, part: str, kind: str = "share") -> dict[tuple[int, int], float]:
        """What was read from a part, or by its `"control"`, by source length and place."""
        return {
            (one.length, one.position): getattr(one, kind).value
            for one in self.readings
            if one.part == part and one.position
        }


def probe(run: Predictor, training: Sequence[str], test: Sequence[str], seed: int = 0) -> Probing:
    """Probe the states of a run.

    Each length of source has probes of its own, one for each place, so that no probe has to know
    how long the source is.

    Args:
        run: a trained model whose sources are symbols.
        training: sources that the probes learn from.
        test: held-out sources that they are judged on.
        seed: of the control's shuffling.

    Raises:
        ValueError: the sources are real values, the model is an ensemble, or no length has sources
            enough.
    """
    if not isinstance(run.model, Seq2Seq):
        raise ValueError("an ensemble hands over several states: probe its runs one by one")
    if isinstance(run.source, Numbers):
        raise ValueError("the sources of this run are real values; probes read symbols")
    sources = [[*map(run.source.tokens, side)] for side in (training, test)]
    _choose_lengths(*map(_lengths, sources))  # too few are refused before anything is read
    states = [read_states(run, side) for side in (training, test)]
    return probe_states(states, sources, seed)


def read_states(run: Predictor, sources: Sequence[str]) -> dict[str, np.ndarray]:
    """The decoder's first state: (sources, units of all layers) for each part of it."""
    policy = "token" if run.decoding.unknown == "error" else run.decoding.unknown
    steps, found = measure(sources, run.source, policy, run.copying), {}
    with progress("encoding", len(sources), "sources") as advance:
        for rows in run.group(steps):
            state, _ = run.encode([sources[row] for row in rows], policy)
            for field in state.layers[0]._fields:
                vectors = [ops.convert_to_numpy(getattr(layer, field)) for layer in state.layers]
                vectors = np.concatenate(vectors, axis=-1).astype("float64")
                found.setdefault(field, np.zeros((len(sources), vectors.shape[-1])))[rows] = vectors
            advance(len(rows))
    if len(found) > 1:
        found["both"] = np.concatenate([*found.values()], axis=-1)
    return found


def probe_states(
    states: Sequence[dict[str, np.ndarray]], sources: Sequence[list[list[str]]], seed: int = 0
) -> Probing:
    """Probe any states of which the sources are known.

    Args:
        states: (sources, units) for each part, of training and of test.
        sources: their symbols, of training and of test.
        seed: of the control's shuffling.

    Raises:
        ValueError: no length has sources enough.
    """
    lengths = [_lengths(side) for side in sources]
    chosen, notes = _choose_lengths(*lengths)
    places = sum(len(_choose_positions(length)[0]) for length in chosen)
    with progress("probing", len(states[0]) * (1 + places), "probes") as advance:
        return _probe_all(states, sources, lengths, chosen, notes, seed, advance)


def _probe_all(states, sources, lengths, chosen, notes, seed, advance) -> Probing:
    """See `probe_states`; `chosen` lengths are probed, and `advance()` is told of each probe."""
    readings, commonest = [], {0: _commonest(lengths[1])}
    for part in states[0]:
        given = [side[part] for side in states]
        readings.append(Reading(part, 0, 0, *_read(given, lengths, seed)))
        advance()
    for length in chosen:
        rows = [np.flatnonzero(side == length) for side in lengths]
        symbols = [np.array([sources[n][row] for row in rows[n]], dtype=object) for n in range(2)]
        positions, note = _choose_positions(length)
        notes += note
        columns = [place - (place > 0) for place in positions]
        best = [_commonest(symbols[1][:, column]) for column in columns]
        commonest[length] = Share(sum(one.right for one in best), sum(one.count for one in best))
        for part in states[0]:
            given = [states[n][part][rows[n]] for n in range(2)]
            for place, column in zip(positions, columns, strict=True):
                wanted = [side[:, column] for side in symbols]
                readings.append(Reading(part, length, place, *_read(given, wanted, seed)))
                advance()
    return Probing(readings, commonest, notes)


def _lengths(sources: Sequence[list[str]]) -> np.ndarray:
    return np.array([len(source) for source in sources], "int64")


def _choose_lengths(training: np.ndarray, test: np.ndarray) -> tuple[list[int], list[str]]:
    """Lengths that have sources enough, at most `MOST_LENGTHS`, evenly spread."""
    every = sorted({*training.tolist(), *test.tolist()} - {0})  # an empty one has no symbols
    enough = [
        length
        for length in every
        if (training == length).sum() >= LEAST_TRAINING and (test == length).sum() >= LEAST_TEST
    ]
    if not enough:
        raise ValueError(
            f"no length has {LEAST_TRAINING} training and {LEAST_TEST} held-out sources, of "
            f"{len(training):,} and {len(test):,}: probes need more to learn from (--examples)"
        )
    places = np.linspace(0, len(enough) - 1, min(MOST_LENGTHS, len(enough))).round().astype(int)
    chosen = [enough[place] for place in places]
    notes = []
    few = [str(length) for length in every if length not in enough]
    if few:
        notes.append(
            f"left out, for want of {LEAST_TRAINING} training and {LEAST_TEST} held-out sources: "
            f"length {', '.join(few)}"
        )
    if more := [str(length) for length in enough if length not in chosen]:
        notes.append(f"{MOST_LENGTHS} lengths are probed; left out: {', '.join(more)}")
    return chosen, notes


def _choose_positions(length: int) -> tuple[list[int], list[str]]:
    """Places counted from 1; of a long source the first, and the last counted from its end."""
    half = MOST_POSITIONS // 2
    if length <= MOST_POSITIONS:
        return [*range(1, length + 1)], []
    note = f"of length {length} the first {half} and the last {half} places are probed"
    return [*range(1, half + 1), *range(-half, 0)], [note]


def _commonest(wanted: np.ndarray) -> Share:
    """What always saying the commonest would get right."""
    return Share(int(np.unique(wanted.astype(str), return_counts=True)[1].max()), len(wanted))


def _read(given: Sequence[np.ndarray], wanted: Sequence[np.ndarray], seed: int) -> tuple:
    """What a probe reads of the test, and what one does whose training states were shuffled."""
    shuffled = given[0][derange(len(given[0]), seed)]
    return _judge(given[0], given[1], wanted), _judge(shuffled, given[1], wanted)


def _judge(training: np.ndarray, test: np.ndarray, wanted: Sequence[np.ndarray]) -> Share:
    """Train a probe on states and what is to be read of them; judge it on others."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kinds, numbers = np.unique(wanted[0].astype(str), return_inverse=True)
    if len(kinds) >= len(training):
        raise ValueError(
            f"{len(training)} sources have {len(kinds)} different symbols in one place: there is "
            "nothing to learn from"
        )
    said = np.full(len(test), kinds[0])
    if len(kinds) > 1:  # else there is nothing to choose from
        reader = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE)
        with warnings.catch_warnings():
            # A symbol that stands once in a place has no spread of its own: the others' serves.
            warnings.filterwarnings("ignore", "Only one sample available")
            reader = make_pipeline(StandardScaler(), reader).fit(training, numbers)
        said = kinds[reader.predict(test)]
    return Share(int((said == wanted[1].astype(str)).sum()), len(test))


def format_readings(found: Probing) -> str:
    """A table of all that was read, and of each part one of source length by place."""
    rows = []
    for part in found.parts:
        whole = next(one for one in found.readings if one.part == part and not one.position)
        placed = [one for one in found.readings if one.part == part and one.position]
        row = [part]
        for kind in ("share", "control"):
            shares = [getattr(whole, kind), join([getattr(one, kind) for one in placed])]
            row += ["{} ({})".format(*share.cells()) for share in shares]
        rows.append(row)
    always = [found.commonest[0], join([s for length, s in found.commonest.items() if length])]
    rows.append(["always the commonest", *(f"{share.value:.2%}" for share in always), "", ""])
    heads = ["from", "length", "symbols", "length, shuffled", "symbols, shuffled"]
    tables = [format_table(heads, rows)]
    for part in found.parts:
        cells = found.shares(part)
        lengths, places = (list(dict.fromkeys(one)) for one in zip(*cells, strict=True))
        rows = [
            [str(n), *(f"{100 * cells[n, p]:.0f}" if (n, p) in cells else "" for p in places)]
            for n in lengths
        ]
        tables.append(f"symbols read from {part}, %: source length by place")
        tables.append(format_table(["length", *map(str, places)], rows))
    return "\n\n".join(tables)
