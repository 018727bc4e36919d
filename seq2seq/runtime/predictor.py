"""A trained model from text to text, with NumPy only."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq.runtime.attention import Memory
from seq2seq.runtime.codec import make_codec
from seq2seq.runtime.file_format import align, read_artifact
from seq2seq.runtime.model import Model, State
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.search import Beam, free_running, greedy
from seq2seq.runtime.tagged import Tagged
from seq2seq.runtime.validation import check_choice, check_count, check_number
from seq2seq.runtime.vocabulary import END, UNKNOWN_POLICIES

CHUNK = 1024  # sources that are read before they are answered
MAX_ROWS, MAX_STEPS = 256, 16_384  # decoded together: hypotheses, and steps of their sources
MAX_WIDTH, MAX_PENALTY = 10_000, 10
MAX_ANSWER_LENGTH = 100_000  # tokens: more would only fill the memory
# A length relative to the source's, as 1.5x+2.
RELATIVE_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)x([+-]\d{1,9})?")
# Decoding options that are not supported here; of those of a beam, their neutral values.
UNSUPPORTED = ("min_length", "banned", "allowed", "no_repeat_ngram_size", "lexicon")
NEUTRAL = {"coverage_penalty": 0.0, "num_groups": 1}


class Hypothesis(NamedTuple):
    """Answer to a source.

    Attributes:
        text: the answer.
        tokens: its symbols; of real values, a tuple of features per step.
        score: log-probability of its tokens and end; 0 for real values.
    """

    text: str
    tokens: list
    score: float


class BadSource(ValueError):
    """Error: a source can't be encoded; its `number`, counted from 1, and the `reason`."""

    def __init__(self, number: int, reason: str):
        super().__init__(f"source {number}: {reason}")
        self.number, self.reason = number, reason


class Source(NamedTuple):
    """Encoded source: its symbols, and the arguments of `Model.start`."""

    symbols: list
    encoded: list | np.ndarray
    tags: np.ndarray | None
    copies: list | None


class DecodePlan(NamedTuple):
    """Resolved decoding options."""

    search: Callable  # of a model, a state, a memory and limits
    width: int
    unknown: str
    max_length: int | str | None


class NumpyPredictor:
    """Trained model, from text to text; `load` makes it.

    Args:
        header, arrays: from `read_artifact`.

    Raises:
        ValueError: the model has a part that is not supported here.
    """

    def __init__(self, header: dict, arrays: dict[str, np.ndarray]):
        try:
            settings = header["settings"]
            self.source, self.target = make_codec(header["source"]), make_codec(header["target"])
            self.model = Model(arrays, header["model"])
            self.decoding = settings["decoding"]
            strategy = self.decoding.get("strategy")
            check_lengths(settings)
        except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"the header can't be read ({error!r})") from error
        if not isinstance(strategy, (dict, type(None))):
            raise ValueError(f"the strategy must be described, got {strategy!r}")
        self.longest_target = settings["longest_target"]
        self.target_length = settings["target_length"]
        tags = len(self.source.tags) if isinstance(self.source, Tagged) else None
        sizes = [len(self.source), len(self.target), tags]
        expected = [self.model.source_size, self.model.target_size, self.model.tags]
        if sizes != expected:
            raise ValueError(
                f"its codecs have {sizes} symbols, values and tags, its model {expected}"
            )

    def predict(
        self,
        sources: Iterable[str],
        *,
        width: int | None = None,
        length_penalty: float | str | None = None,
        n_best: int | None = None,
        unknown: str | None = None,
        max_length: int | str | None = None,
    ) -> list:
        """Predict the answers to `sources`, in their order; options that are None are the run's.

        Args:
            sources: texts; with tags `source<TAB>tags`.
            width: beam search of this width.
            length_penalty: see `Beam`.
            n_best: None: a text per source; a number: a list of at most this many `Hypothesis`.
            unknown: a symbol never seen in training is an `"error"`, or read as the unknown
                `"token"`; a pointer copies it.
            max_length: tokens after which an answer is cut off, or `"1.5x+2"` of the source's.

        Raises:
            BadSource: a source can't be encoded (a ValueError with its number and the reason).
        """
        plan = self.plan(width, length_penalty, n_best, unknown, max_length)
        hypotheses = self.hypotheses(sources, plan)
        return [best[0].text if n_best is None else best for best in hypotheses]

    def stream(
        self,
        lines: Iterable[str],
        *,
        width: int | None = None,
        length_penalty: float | str | None = None,
        n_best: int | None = None,
        unknown: str | None = None,
        max_length: int | str | None = None,
    ) -> Iterator:
        """Predict a stream of any number of lines; see `predict`.

        A bad line ends it, after all lines before were answered.
        """
        plan = self.plan(width, length_penalty, n_best, unknown, max_length)
        hypotheses = self.hypotheses(lines, plan)
        return (best[0].text if n_best is None else best for best in hypotheses)

    def start(self, source: str, unknown: str | None = None) -> tuple[State, Memory]:
        """State before the first step of an answer to `source`, for `step`."""
        plan = self.plan(None, None, None, unknown, None)
        return self._start([self._encode(source, plan.unknown)])

    def step(self, token: int, state: tuple[State, Memory]) -> tuple[np.ndarray, tuple]:
        """Log-probabilities (symbols,) after `token` (at first 1), and the next state."""
        log_probs, next_state = self.model.step(np.array([token]), *state)
        return log_probs[0], (next_state, state[1])

    def plan(self, width, length_penalty, n_best, unknown, max_length) -> DecodePlan:
        """Resolve and check decoding options; see `predict`."""
        stored = self.decoding
        unknown = stored.get("unknown", "error") if unknown is None else unknown
        check_choice("unknown", unknown, UNKNOWN_POLICIES)
        length = stored.get("max_length") if max_length is None else max_length
        if not (length is None or type(length) is str and RELATIVE_LENGTH.fullmatch(length)):
            check_count("max_length", length, maximum=MAX_ANSWER_LENGTH)
        if missing := [f"{name}={stored[name]}" for name in UNSUPPORTED if stored.get(name)]:
            raise ValueError(f"this runtime lacks the run's {missing[0]}; `seq2seq predict` has it")
        beam = self._choose_beam(width, length_penalty, n_best)
        if beam is not None and self.model.features is not None:
            raise ValueError(
                f"this model has real values as targets, and no beam search: leave out {beam}"
            )
        if beam is not None:
            return DecodePlan(beam.search, beam.width, unknown, length)
        search = greedy if self.model.features is None else free_running
        return DecodePlan(search, 1, unknown, length)

    def _choose_beam(self, width, length_penalty, n_best) -> Beam | None:
        """Beam of the arguments, or of the file; None: no beam."""
        stored = self.decoding.get("strategy") or {"name": "greedy"}
        name = stored.get("name", stored.get("_target_"))
        if width is None:
            if name not in ("greedy", "beam"):
                raise ValueError(f"this runtime lacks the strategy {name!r}: pass width=5, a beam")
            for key, value in NEUTRAL.items():
                if stored.get(key, value) != value:
                    raise ValueError(f"this runtime lacks {key}={stored[key]}: pass width=5")
            if name == "greedy":
                if length_penalty is not None or n_best not in (None, 1):
                    raise ValueError(
                        f"length_penalty={length_penalty} and n_best={n_best} are a beam's: pass "
                        "its width, too, for example width=5"
                    )
                return None
        beam = stored if name == "beam" else {}
        width = beam.get("width") if width is None else width
        check_count("width", width, maximum=MAX_WIDTH)
        alpha = beam.get("length_penalty", 0.0) if length_penalty is None else length_penalty
        count = min(check_count("n_best", beam.get("n_best", 1)), width)
        count = count if n_best is None else n_best
        if alpha != "average":
            check_number("length_penalty", alpha, maximum=MAX_PENALTY)
        if check_count("n_best", count) > width:
            raise ValueError(f"n_best={count} is more than the width {width}: pass width={count}")
        return Beam(width, alpha, count, bool(beam.get("early_stopping")))

    def hypotheses(self, texts: Iterable[str], plan: DecodePlan) -> Iterator[list[Hypothesis]]:
        """Predict the hypotheses of each source, the best first, in the order of the sources."""
        if isinstance(texts, (str, bytes)) or not isinstance(texts, Iterable):
            kind = "text " if isinstance(texts, str) else ""
            raise ValueError(f"sources must be a list of texts, got the {kind}{texts!r:.80}")
        texts, count, error = iter(texts), 0, None
        while error is None:
            sources: list[Source] = []
            try:
                for text in itertools.islice(texts, CHUNK):
                    sources.append(self._encode(text, plan.unknown))
            except BadSource as caught:  # from `texts`
                error = caught
            except ValueError as caught:
                error = BadSource(count + len(sources) + 1, str(caught))
            if not sources:
                break
            yield from self._answer(sources, plan)
            count += len(sources)
        if error is not None:
            raise error

    def _encode(self, text: str, unknown: str) -> Source:
        if not isinstance(text, str):
            raise ValueError(f"expected a text, got {text!r:.80}")
        tags = copies = None
        if isinstance(self.source, Tagged):
            tags = self.source.encode_tags(text, unknown)
        symbols, copies_symbols = self.source.tokens(text), self.model.decoder.pointer
        # A pointer can copy symbols that were never seen.
        encoded = self.source.encode(text, "token" if copies_symbols else unknown)
        if not isinstance(self.source, Numbers):
            encoded = [*encoded, END]
        if copies_symbols:
            copies = [*self.target.encode_copies(symbols, symbols), END]
        return Source(symbols, encoded, tags, copies)

    def _answer(self, sources: list[Source], plan: DecodePlan) -> list[list[Hypothesis]]:
        """Decode sources of similar length together."""
        answers = [[Hypothesis("", [], 0.0)] for _ in sources]  # of sources without a step
        order = sorted(range(len(sources)), key=lambda number: -len(sources[number].encoded))
        order = [number for number in order if len(sources[number].encoded)]
        while order:
            rows = min(MAX_ROWS, MAX_STEPS // len(sources[order[0]].encoded))
            size = max(1, rows // plan.width)
            group = [sources[number] for number in order[:size]]
            limits = [self._limit(len(source.encoded), plan.max_length) for source in group]
            results = plan.search(self.model, *self._start(group), np.array(limits))
            for number, source, best in align(order[:size], group, results):
                answers[number] = [self._read(tokens, source, score) for tokens, score in best]
            order = order[size:]
        return answers

    def _read(self, ids: list, source: Source, score: float) -> Hypothesis:
        tokens = self.target.decode_tokens(ids, source.symbols)
        return Hypothesis(self.target.join(tokens), tokens, score)

    def _limit(self, length: int, maximum: int | str | None) -> int:
        """Steps after which the answer to a source of `length` steps is cut off."""
        tokens = length if isinstance(self.source, Numbers) else length - 1  # without the end
        if isinstance(self.target, Numbers):
            return self.target_length or tokens
        if maximum is None:
            return min(2 * (self.longest_target + length), MAX_ANSWER_LENGTH)
        return max(1, resolve_length(maximum, tokens))

    def _start(self, sources: list[Source]) -> tuple[State, Memory]:
        """State and memory before the first step; the longest source comes first."""
        lengths = np.array([len(source.encoded) for source in sources])
        mask = np.arange(lengths[0]) < lengths[:, None]  # (batch, time)

        def pad(rows: list) -> np.ndarray:
            flat = np.concatenate(rows)
            padded = np.zeros((*mask.shape, *flat.shape[1:]), flat.dtype)
            padded[mask] = flat
            return padded

        source = np.ascontiguousarray(pad([each.encoded for each in sources]).swapaxes(0, 1))
        tags = None if sources[0].tags is None else np.stack([each.tags for each in sources])
        copies = None if sources[0].copies is None else pad([each.copies for each in sources])
        return self.model.start(source, lengths, tags, copies)


def check_lengths(settings: dict) -> None:
    """Raise a ValueError unless the stored lengths of the training data are lengths."""
    lengths = {"longest_source": 10**9, "longest_target": 10**9}
    if settings["target_length"] is not None:
        lengths["target_length"] = MAX_ANSWER_LENGTH
    for name, maximum in lengths.items():
        check_count(name, settings[name], minimum=0, maximum=maximum)


def resolve_length(length: int | str, tokens: int) -> int:
    """Number of tokens of a length option, for a source of `tokens` tokens.

    >>> resolve_length(7, 20), resolve_length("1.5x+2", 20)
    (7, 32)
    """
    if isinstance(length, int):
        return length
    factor, offset = RELATIVE_LENGTH.fullmatch(length).groups()
    return min(max(0, int(float(factor) * tokens) + int(offset or 0)), MAX_ANSWER_LENGTH)


def load(path: str | Path) -> NumpyPredictor:
    """Load a trained model from a run directory, or from its `model.npz`.

    Raises:
        ValueError: the file is missing or damaged, or has a part that is not supported here.
    """
    path = Path(path).expanduser()
    path = path / "model.npz" if path.is_dir() else path
    header, arrays = read_artifact(path)
    try:
        return NumpyPredictor(header, arrays)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
