"""Probing: information about the source that a linear classifier finds in the encoder's state.

A probe is a linear classifier of the decoder's initial state, which predicts the symbol at a
position of the source, or the length of the source (Alain and Bengio 2017). It is trained on
training sources and evaluated on held-out ones. Information that it finds is linearly decodable;
other information may be there in another form.

It needs scikit-learn (`pip install 'keras-seq2seq[analysis]'`).
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from keras import ops

from seq2seq.evaluation.statistics import Proportion, pool
from seq2seq.inference.predictor import Predictor
from seq2seq.inference.states import derange
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.runs.compare import format_table
from seq2seq.runtime.progress import progress
from seq2seq.runtime.real_values import Numbers

MIN_TRAINING, MIN_TEST = 200, 20  # sources of a length that is probed
MAX_LENGTHS, MAX_POSITIONS = 12, 24
SHRINKAGE = 1e-3  # of the covariance, for units that are always equal


class Reading(NamedTuple):
    """Accuracy of a probe.

    Attributes:
        part: of the state: `"hidden"`, `"cell"` or `"both"`, of all layers.
        length: of the sources, in symbols; 0: all lengths, and the length itself is predicted.
        position: of the symbol, counted from 1, or in the second half of a long source from its
            end, -1 the last; 0: the length is predicted.
        accuracy: on held-out sources.
        control: accuracy of a control trained on shuffled states.
    """

    part: str
    length: int
    position: int
    accuracy: Proportion
    control: Proportion


class Probing(NamedTuple):
    """Accuracies of all probes.

    Attributes:
        readings: those of the length first, then by length and position.
        baselines: majority-class accuracy of the length (key 0), and by length, of the symbols of
            all positions.
        notes: sentences on what was left out.
    """

    readings: list[Reading]
    baselines: dict[int, Proportion]
    notes: list[str]

    @property
    def parts(self) -> list[str]:
        """Parts of the state that were probed."""
        return list(dict.fromkeys(reading.part for reading in self.readings))

    def accuracies(self, part: str, kind: str = "accuracy") -> dict[tuple[int, int], float]:
        """Accuracies for a part, or of its `"control"`, by source length and position."""
        return {
            (reading.length, reading.position): getattr(reading, kind).value
            for reading in self.readings
            if reading.part == part and reading.position
        }


def probe(run: Predictor, training: Sequence[str], test: Sequence[str], seed: int = 0) -> Probing:
    """Probe the states of a run.

    Each length of source has its own probes, one for each position, so that no probe needs the
    length of the source.

    Args:
        run: a trained model whose sources are symbols.
        training: sources to train the probes.
        test: held-out sources to evaluate them.
        seed: of the control's shuffling.

    Raises:
        ValueError: the sources are real values, the model is an ensemble, or no length has enough
            sources.
    """
    if not isinstance(run.model, Seq2Seq):
        raise ValueError("an ensemble has several states: probe its runs one by one")
    if isinstance(run.source, Numbers):
        raise ValueError("the sources of this run are real values; probes read symbols")
    sources = [[*map(run.source.tokens, side)] for side in (training, test)]
    _choose_lengths(*map(_lengths, sources))  # raises if there are too few
    states = [read_states(run, side) for side in (training, test)]
    return probe_states(states, sources, seed)


def read_states(run: Predictor, sources: Sequence[str]) -> dict[str, np.ndarray]:
    """Initial states of the decoder: (sources, units of all layers) for each part."""
    policy = "token" if run.decoding.unknown == "error" else run.decoding.unknown
    encoded, parts = run.encode_texts(sources, policy), {}
    with progress("encoding", len(sources), "sources") as advance:
        for rows in run.batches(encoded):
            state, _ = run.encode([sources[row] for row in rows], policy)
            for field in state.layers[0]._fields:
                vectors = [ops.convert_to_numpy(getattr(layer, field)) for layer in state.layers]
                vectors = np.concatenate(vectors, axis=-1).astype("float64")
                parts.setdefault(field, np.zeros((len(sources), vectors.shape[-1])))[rows] = vectors
            advance(len(rows))
    if len(parts) > 1:
        parts["both"] = np.concatenate([*parts.values()], axis=-1)
    return parts


def probe_states(
    states: Sequence[dict[str, np.ndarray]], sources: Sequence[list[list[str]]], seed: int = 0
) -> Probing:
    """Probe any states with known sources.

    Args:
        states: (sources, units) for each part, of training and of test.
        sources: their symbols, of training and of test.
        seed: of the control's shuffling.

    Raises:
        ValueError: no length has enough sources.
    """
    lengths = [_lengths(side) for side in sources]
    chosen, notes = _choose_lengths(*lengths)
    positions = sum(len(_choose_positions(length)[0]) for length in chosen)
    with progress("probing", len(states[0]) * (1 + positions), "probes") as advance:
        return _probe_all(states, sources, lengths, chosen, notes, seed, advance)


def _probe_all(states, sources, lengths, chosen, notes, seed, advance) -> Probing:
    """Probe the `chosen` lengths, and call `advance()` for each probe; see `probe_states`."""
    readings, baselines = [], {0: _majority_accuracy(lengths[1])}
    for part in states[0]:
        vectors = [side[part] for side in states]
        readings.append(Reading(part, 0, 0, *_evaluate(vectors, lengths, seed)))
        advance()
    for length in chosen:
        rows = [np.flatnonzero(side == length) for side in lengths]
        symbols = [np.array([sources[n][row] for row in rows[n]], dtype=object) for n in range(2)]
        positions, note = _choose_positions(length)
        notes += note
        columns = [position - (position > 0) for position in positions]
        baselines[length] = pool([_majority_accuracy(symbols[1][:, c]) for c in columns])
        for part in states[0]:
            vectors = [states[n][part][rows[n]] for n in range(2)]
            for position, column in zip(positions, columns, strict=True):
                labels = [side[:, column] for side in symbols]
                accuracies = _evaluate(vectors, labels, seed)
                readings.append(Reading(part, length, position, *accuracies))
                advance()
    return Probing(readings, baselines, notes)


def _lengths(sources: Sequence[list[str]]) -> np.ndarray:
    return np.array([len(source) for source in sources], "int64")


def _choose_lengths(training: np.ndarray, test: np.ndarray) -> tuple[list[int], list[str]]:
    """Choose lengths with enough sources, at most `MAX_LENGTHS`, evenly spaced."""
    every = sorted({*training.tolist(), *test.tolist()} - {0})  # an empty one has no symbols
    enough = [
        length
        for length in every
        if (training == length).sum() >= MIN_TRAINING and (test == length).sum() >= MIN_TEST
    ]
    if not enough:
        raise ValueError(
            f"no length has {MIN_TRAINING} training and {MIN_TEST} held-out sources, of "
            f"{len(training):,} and {len(test):,}: probes need more training data (--examples)"
        )
    indices = np.linspace(0, len(enough) - 1, min(MAX_LENGTHS, len(enough))).round().astype(int)
    chosen = [enough[index] for index in indices]
    notes = []
    few = [str(length) for length in every if length not in enough]
    if few:
        notes.append(
            f"left out, with fewer than {MIN_TRAINING} training and {MIN_TEST} held-out sources: "
            f"length {', '.join(few)}"
        )
    if more := [str(length) for length in enough if length not in chosen]:
        notes.append(f"{MAX_LENGTHS} lengths are probed; left out: {', '.join(more)}")
    return chosen, notes


def _choose_positions(length: int) -> tuple[list[int], list[str]]:
    """Choose positions, counted from 1; of a long source the first, and the last from its end."""
    half = MAX_POSITIONS // 2
    if length <= MAX_POSITIONS:
        return [*range(1, length + 1)], []
    note = f"of length {length} the first {half} and the last {half} positions are probed"
    return [*range(1, half + 1), *range(-half, 0)], [note]


def _majority_accuracy(labels: np.ndarray) -> Proportion:
    """Majority-class accuracy."""
    counts = np.unique(labels.astype(str), return_counts=True)[1]
    return Proportion(int(counts.max()), len(labels))


def _evaluate(states: Sequence[np.ndarray], labels: Sequence[np.ndarray], seed: int) -> tuple:
    """Accuracy of a probe and of a control trained on shuffled states."""
    shuffled = states[0][derange(len(states[0]), seed)]
    return _fit(states[0], states[1], labels), _fit(shuffled, states[1], labels)


def _fit(training: np.ndarray, test: np.ndarray, labels: Sequence[np.ndarray]) -> Proportion:
    """Train a probe on states and labels; its accuracy on others."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes, numbers = np.unique(labels[0].astype(str), return_inverse=True)
    if len(classes) >= len(training):
        raise ValueError(
            f"{len(training)} sources have {len(classes)} different symbols at one position: "
            "too many to train a probe"
        )
    predicted = np.full(len(test), classes[0])
    if len(classes) > 1:
        probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE)
        with warnings.catch_warnings():
            # A class with one sample has no covariance: the shared one is used.
            warnings.filterwarnings("ignore", "Only one sample available")
            probe = make_pipeline(StandardScaler(), probe).fit(training, numbers)
        predicted = classes[probe.predict(test)]
    return Proportion(int((predicted == labels[1].astype(str)).sum()), len(test))


def format_readings(probing: Probing) -> str:
    """Format a table of all probes, and of each part one of source length by position."""
    rows = []
    for part in probing.parts:
        readings = [reading for reading in probing.readings if reading.part == part]
        of_length = next(reading for reading in readings if not reading.position)
        of_symbols = [reading for reading in readings if reading.position]
        row = [part]
        for kind in ("accuracy", "control"):
            pooled = pool([getattr(reading, kind) for reading in of_symbols])
            row += ["{} ({})".format(*p.cells()) for p in (getattr(of_length, kind), pooled)]
        rows.append(row)
    pooled = pool([p for length, p in probing.baselines.items() if length])
    baselines = (f"{p.value:.2%}" for p in (probing.baselines[0], pooled))
    rows.append(["majority class", *baselines, "", ""])
    heads = ["from", "length", "symbols", "length, shuffled", "symbols, shuffled"]
    tables = [format_table(heads, rows)]
    for part in probing.parts:
        cells = probing.accuracies(part)
        lengths, positions = (list(dict.fromkeys(axis)) for axis in zip(*cells, strict=True))
        rows = [
            [str(n), *(f"{100 * cells[n, p]:.0f}" if (n, p) in cells else "" for p in positions)]
            for n in lengths
        ]
        tables.append(f"symbols read from {part}, %: source length by position")
        tables.append(format_table(["length", *map(str, positions)], rows))
    return "\n\n".join(tables)
