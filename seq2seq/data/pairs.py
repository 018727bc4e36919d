"""Tasks read from files of pairs of any text."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from seq2seq.data.files import PairReader, list_paths
from seq2seq.data.filters import bound_lengths, note_features
from seq2seq.data.memory import Columns, check_tags, choose_train, describe_pairs, is_in_memory
from seq2seq.data.task import SPLITS, Example, Task, position
from seq2seq.runtime.codec import Codec
from seq2seq.runtime.real_values import Numbers
from seq2seq.runtime.tagged import Tagged, check_separator
from seq2seq.runtime.tokenization import NORMAL_FORMS, TOKENIZERS, normalize
from seq2seq.runtime.validation import check_choice, check_count, check_flag
from seq2seq.runtime.vocabulary import SPECIALS, Vocabulary

HELD_OUT = {"test": (0.10, 10_000), "validation": (0.05, 2_000)}  # share of sources, and at most


def group_by_source(
    rows: Iterable[tuple[str, str]], canonical: Callable[[str], str] = str
) -> list[Example]:
    """One example a source, with all its different targets as right answers.

    Args:
        rows: (source, target) each.
        canonical: canonical text of a source, as of a codec; the first of equal sources is kept.

    >>> group_by_source([("a", "1"), ("b", "2"), ("a", "3")])[0]
    Example(source='a', target='1', others=('3',))
    """
    answers: dict[str, dict[str, None]] = {}
    spelling: dict[str, str] = {}
    for source, target in rows:
        answers.setdefault(spelling.setdefault(canonical(source), source), {})[target] = None
    return [
        Example(source, *list(targets)[:1], tuple(targets)[1:])
        for source, targets in answers.items()
    ]


def hold_out(
    rows: list[tuple[str, str]],
    splits: Iterable[str],
    seed: int,
    held_out: dict[str, tuple[float, int]] = HELD_OUT,
) -> dict[str, list[tuple[str, str]]]:
    """Divide `rows` into training and held-out splits, by seed and grouped by source.

    Args:
        rows: (source, target) each.
        splits: the held-out splits.
        seed: divides them.
        held_out: for each split, fraction of the sources and maximum number.

    Raises:
        ValueError: too few different sources to divide.
    """
    sources = sorted({source for source, _ in rows}, key=lambda source: position(source, seed))
    splits = list(splits)
    if splits and len(sources) <= len(splits):
        raise ValueError(
            f"{len(sources)} different source(s) are too few to hold out {' and '.join(splits)}; "
            "give more rows, or files of their own (task.validation=, task.test=)"
        )
    part, start = {}, 0
    for split in splits:
        fraction, maximum = held_out[split]
        stop = start + max(1, min(maximum, round(fraction * len(sources))))
        part.update(dict.fromkeys(sources[start:stop], split))
        start = stop
    divided: dict[str, list[tuple[str, str]]] = {split: [] for split in ("train", *splits)}
    for row in rows:
        divided[part.get(row[0], "train")].append(row)
    return divided


class FileTask(Task):
    """Base of tasks read from files: rows divided into splits, without overlap.

    Training has every row; in the held-out splits all targets of a source are references. Rows
    whose source is in the test are left out of validation, and rows whose source is in either are
    left out of training, with a note.

    Args:
        rows: (source, target) rows by split; missing ones of validation and test are held out of
            training.
        source, target: codec of each side; a tokenizer's name builds a vocabulary from the training
            rows, `"numbers"` reads values.
        seed: divides the rows.
        separator: between two tags of a source; None: sources have no tags.
        shared: whether both sides have one vocabulary.
        held_out: see `hold_out`.
        normalization: the normal form of Unicode that both sides are brought to, now and when the
            model answers; `"none"`: texts stay as they are.
    """

    def __init__(
        self,
        rows: dict[str, list[tuple[str, str]]],
        source: str,
        target: str,
        seed: int,
        separator: str | None = None,
        shared: bool = False,
        held_out: dict[str, tuple[float, int]] = HELD_OUT,
        normalization: str = "nfc",
    ):
        check_count("seed", seed, 0)
        self.normalization = check_choice("task.normalization", normalization, NORMAL_FORMS)
        rows = self._normalize(rows, (source, target))
        if separator is not None:  # equal bags of tags need equal texts, to be in one split
            empty, spelling = Tagged(Vocabulary(""), (), separator), {}
            rows = {
                split: [(spelling.setdefault(empty.canonical(text), text), _) for text, _ in part]
                for split, part in rows.items()
            }
        self._leave_out(rows, "validation", "test")
        self._leave_out(rows, "train", "test")
        self._leave_out(rows, "train", "validation")
        missing = [split for split in ("test", "validation") if split not in rows]
        rows |= hold_out(rows["train"], missing, seed, held_out)
        train = rows["train"]
        self._examples = {
            "train": [Example(*row) for row in train],
            "validation": group_by_source(rows["validation"]),
            "test": group_by_source(rows["test"]),
        }
        sources, targets = ([row[side] for row in train] for side in (0, 1))
        self.source = self._side(source, sources, separator)
        self.target = self._side(target, targets)
        if shared:
            self._share_vocabulary()

    def _normalize(self, rows: dict[str, list], sides: tuple[str, str]) -> dict[str, list]:
        """Rows in the normal form, with a note on the number of changed ones."""
        forms = ["none" if side == "numbers" else self.normalization for side in sides]
        normal = {
            split: [tuple(map(normalize, row, forms)) for row in part]
            for split, part in rows.items()
        }
        changed = sum(
            row != original
            for split in rows
            for row, original in zip(normal[split], rows[split], strict=True)
        )
        if changed:
            form = self.normalization.upper()
            self.notes += (
                f"{changed:,} rows were brought to Unicode's normal form {form}, as the sources of "
                "the trained model will be (task.normalization)",
            )
        return normal

    def _leave_out(self, rows: dict[str, list], split: str, held_out: str) -> None:
        """Remove the rows from `split` whose source is in `held_out`, with a note."""
        if split not in rows or held_out not in rows:
            return
        sources = {source for source, _ in rows[held_out]}
        remaining = [row for row in rows[split] if row[0] not in sources]
        if dropped := len(rows[split]) - len(remaining):
            self.notes += (f"{dropped} {split} rows were left out: their source is in {held_out}",)
        if not remaining:
            raise ValueError(f"no {split} rows are left: all their sources are in {held_out}")
        rows[split] = remaining

    def _side(self, name: str, texts: list[str], separator: str | None = None) -> Codec:
        if name == "numbers":
            return Numbers.build(texts)
        if separator is not None:
            side = Tagged.build(texts, name, separator, self.normalization)
            if not side.tags:
                raise ValueError("the column of tags is empty in all rows; give two task.columns")
            return side
        return Vocabulary.build(texts, name, self.normalization)

    def _share_vocabulary(self) -> None:
        """Give both sides one vocabulary of the symbols of both."""
        vocabulary = self.source.symbols if isinstance(self.source, Tagged) else self.source
        if isinstance(vocabulary, Numbers) or isinstance(self.target, Numbers):
            raise ValueError("task.shared_vocabulary=true: real values have no vocabulary to share")
        if vocabulary.tokenizer != self.target.tokenizer:
            raise ValueError(
                "task.shared_vocabulary=true needs both sides split alike, got "
                f"{vocabulary.tokenizer} and {self.target.tokenizer}"
            )
        symbols = sorted(
            {*vocabulary.symbols[len(SPECIALS) :], *self.target.symbols[len(SPECIALS) :]}
        )
        self.target = shared = Vocabulary(symbols, vocabulary.tokenizer, self.normalization)
        tagged = self.source
        self.source = shared
        if isinstance(tagged, Tagged):
            self.source = Tagged(shared, tagged.tags, tagged.separator)

    def examples(self, split: str) -> list[Example]:
        """Training rows, or the held-out examples with all their right answers."""
        check_choice("split", split, SPLITS)
        return self._examples[split]


Rows = str | Path | Sequence[Any]  # of `Pairs`: a file, two parallel ones, or columns in memory


class Pairs(FileTask):
    """Pairs of your own: of files, or in memory.

    Rows in memory are texts; on a side of `"numbers"` also arrays (time,) or (time, features). They
    are any iterables: lists, arrays, columns of a data frame, generators.

    Args:
        train: a tab-separated file (source, target), comma-separated values (`.csv`), a list of
            two parallel files, or JSON Lines (`.jsonl`, keys `source` and `target`); `.gz` and
            plain are both read. Of a tab-separated file nothing is trimmed, unquoted or dropped but
            blank lines. Or `(sources, targets)`, or `(sources, targets, tags)`, in memory.
        validation, test: the same; None: held out of `train` by `seed`, grouped by source (5 % and
            10 % of the sources, at most 2,000 and 10,000).
        source_tokens, target_tokens: `"characters"` (code points), `"graphemes"` (letters with
            their marks, as a reader counts), `"words"`, `"symbols"` (whatever white space
            separates), or `"numbers"` (real values, a step each, separated by spaces). Words are
            put together again with a space between any two, also before punctuation.
        columns: which columns hold source, target and, if there are three, tags; by number, counted
            from 1, or by the name in the first line (`[lemma, form, tags]`); None: exactly two
            columns, which the first line of a CSV may name `source,target`. Of files alone.
        tag_separator: separates the tags of a source, outside of brackets.
        normalization: the normal form of Unicode that both sides are brought to, in training and
            when the model answers: `"nfc"` (as most text is written), `"nfd"`, `"nfkc"`; `"none"`:
            texts stay as they are.
        max_source_length, max_target_length: symbols (or values) of a side; longer rows are left
            out and counted; None: all are taken.
        shared_vocabulary: whether both sides have the symbols of both, as tied embeddings need.
        on_bad_row: `"error"`, or `"skip"` to skip bad rows and count them.
        comment: lines that begin with it are skipped and counted, as blank ones are; None: there
            are no comments.
        keep_data: whether a run keeps copies of its files.
        seed: divides the rows.
        sources, targets, tags: training rows in memory, in place of `train`.

    Raises:
        ValueError: a file that is missing, empty or not UTF-8, or a bad row: with its number.

    Example:
        >>> import itertools
        >>> words = ["".join(word) for word in itertools.product("abc", repeat=3)]
        >>> len(Pairs(sources=words, targets=[word[::-1] for word in words]).examples("train"))
        23
    """

    def __init__(
        self,
        train: Rows | None = None,
        validation: Rows | None = None,
        test: Rows | None = None,
        source_tokens: str = "characters",
        target_tokens: str = "characters",
        columns: Sequence[int | str] | None = None,
        tag_separator: str = ";",
        shared_vocabulary: bool = False,
        on_bad_row: str = "error",
        comment: str | None = None,
        normalization: str = "nfc",
        max_source_length: int | None = None,
        max_target_length: int | None = None,
        keep_data: bool = False,
        seed: int = 0,
        sources: Iterable | None = None,
        targets: Iterable | None = None,
        tags: Iterable[str] | None = None,
    ):
        arguments = {**locals()}  # the constructor's arguments are the configuration
        for side, name in (("source_tokens", source_tokens), ("target_tokens", target_tokens)):
            check_choice(f"task.{side}", name, (*TOKENIZERS, "numbers"))
        train = choose_train(train, sources, targets, tags)
        numbers = [side for side, n in enumerate((source_tokens, target_tokens)) if n == "numbers"]
        advice = "; mend the row, or leave such rows out with task.on_bad_row=skip"
        reader = PairReader(columns, on_bad_row, advice, comment)
        splits = {"train": train, "validation": validation, "test": test}
        files = {key: rows for key, rows in splits.items() if not is_in_memory(rows)}
        in_memory = {key: rows for key, rows in splits.items() if key not in files}
        self._config = describe_pairs(arguments, files)
        tagged = check_tags(columns, comment, files, in_memory)
        if tagged and source_tokens == "numbers":
            raise ValueError("sources of real values can't have tags: give two task.columns")
        features: dict[int, int] = {}  # values a step, the same in every row of every file
        rows = {
            split: self._read(
                reader,
                Columns(split, tuple(path), tuple(numbers)) if split in in_memory else path,
                numbers,
                features,
            )
            for split, path in splits.items()
            if path is not None
        }
        if check_flag("task.keep_data", keep_data) and in_memory:
            raise ValueError(
                f"task.keep_data=true copies files, and the {', '.join(in_memory)} rows are in "
                "memory: write them to a file and give its path"
            )
        self.keep_data = keep_data
        self.files = {key: list_paths(path) for key, path in files.items() if path is not None}
        self.columns = (1, 2, 3) if tagged and columns is None else columns and tuple(columns)
        self.comment = comment
        self.notes = reader.notes
        for side, count in features.items():
            self.notes += note_features(side, count, rows["train"])
        if repeats := len(rows["train"]) - len(set(rows["train"])):
            self.notes += (
                f"{repeats:,} of {len(rows['train']):,} train rows repeat an earlier one, and are "
                "trained on as often as they occur",
            )
        shared = check_flag("task.shared_vocabulary", shared_vocabulary)
        separator = check_separator(tag_separator) if tagged else None
        for side, (name, limit) in enumerate(
            ((source_tokens, max_source_length), (target_tokens, max_target_length))
        ):
            rows, notes = bound_lengths(rows, side, name, limit)
            self.notes += notes
        super().__init__(
            rows, source_tokens, target_tokens, seed, separator, shared, normalization=normalization
        )
        if target_tokens == "numbers":
            self.metrics, self.monitor = "values", ("mae", "min")
            self.target_length = self._target_length()
            self._check_target_lengths()

    @staticmethod
    def _read(
        reader: PairReader,
        path: str | list[str] | Columns,
        numbers: list[int],
        features: dict[int, int],
    ) -> list:
        rows = []
        for number, *row in reader.read(path):
            rows_of_split = {}
            try:
                for side in numbers:
                    if not (first := row[side].split()[:1]):
                        raise ValueError("a side that must hold numbers is empty")
                    rows_of_split[side] = features.get(side, first[0].count(",") + 1)
                    Numbers(rows_of_split[side]).tokens(row[side])
            except ValueError as error:
                reader.bad_row(path, number, str(error))
            else:
                features |= rows_of_split  # a bad row must not set the number of features
                rows.append(tuple(row))
        if not rows:
            raise ValueError(f"{path} holds no usable row")
        return rows

    def to_config(self) -> dict:
        """See `Task.to_config`; rows of files can be read again, those in memory can't."""
        return self._config if type(self) is Pairs else super().to_config()

    def _check_target_lengths(self) -> None:
        for split in ("validation", "test"):
            for example in self._examples[split]:
                expected = self.target_length or len(self.source.tokens(example.source))
                for target in example.references:
                    if len(target.split()) != expected:
                        raise ValueError(
                            f"{split}: the target of {example.source!r} has {len(target.split())} "
                            f"values, in training it would have {expected}"
                        )

    def _target_length(self) -> int | None:
        train = self._examples["train"]
        lengths = {len(example.target.split()) for example in train}
        if len(lengths) == 1:
            return lengths.pop()
        if all(len(self.source.tokens(e.source)) == len(e.target.split()) for e in train):
            return None
        raise ValueError(
            "targets of real values know no end: they must all have one length, or each its "
            f"source's length; found lengths {sorted(lengths)[:5]}"
        )
