"""Generated tasks: examples drawn from a space that is divided into splits."""

import random
from dataclasses import dataclass

from seq2seq.data.task import SPLITS, Example, Stream, Task, part_of
from seq2seq.runtime.validation import check_choice, check_count, check_range

PATIENCE = 5_000  # draws in a row without a new example before a space counts as exhausted


@dataclass(kw_only=True, eq=False)
class GeneratedTask(Task):
    """A task whose examples are drawn: an endless training stream, or a part of it that comes again
    every epoch, and finite held-out splits.

    The space of sources is divided by a hash of (seed, source), so no test example can occur in
    training whatever the sizes, and nothing need be remembered. Validation has the sizes of
    training, so that nothing is chosen by looking at the test.

    Args:
        training_examples: number of training examples, some repeated; None: endless.
        validation_examples, test_examples: distinct examples of each; all, with a note, where there
            are fewer.
        seed: the examples are a pure function of it.

    Raises:
        ValueError: for impossible numbers, or (when examples are drawn) a space that holds none.
    """

    training_examples: int | None = None
    validation_examples: int = 500
    test_examples: int = 2000
    seed: int = 0

    def __post_init__(self):
        if self.training_examples is not None:
            check_count("training_examples", self.training_examples)
        check_count("validation_examples", self.validation_examples, 0)
        check_count("test_examples", self.test_examples)
        check_count("seed", self.seed, 0)
        self._drawn: dict[str, list[Example]] = {}  # when first requested
        self._notes: dict[str, str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Task`: the splits that have fewer examples than configured."""
        for split in SPLITS:
            self.examples(split)
        return tuple(self._notes.values())

    def sizes(self, split: str) -> tuple[int, int]:
        """Smallest and largest size of an example of `split`, as the task defines size."""
        raise NotImplementedError

    def count(self, split: str) -> int:
        """Number of examples of a finite split."""
        return self.test_examples if split == "test" else self.validation_examples

    def draw(self, rng: random.Random, low: int, high: int) -> tuple[str, str]:
        """One (source, target) whose size is drawn evenly from `low` to `high`."""
        raise NotImplementedError

    def key(self, source: str, target: str) -> str:
        """Key of an example; examples of equal keys are in the same split."""
        return source

    def examples(self, split: str) -> list[Example] | Stream:
        """The stream of `train` or its part, or the distinct examples of a held-out split."""
        check_choice("split", split, SPLITS)
        stream = Stream(self._draw_training, f"{self.seed}/train")
        if split == "train" and self.training_examples is None:
            return stream
        if split not in self._drawn:
            self._drawn[split] = (
                [stream[number] for number in range(self.training_examples)]
                if split == "train"
                else self._draw_distinct(split)
            )
        return self._drawn[split]

    def _draw_part(self, rng: random.Random, split: str) -> Example | None:
        source, target = self.draw(rng, *self.sizes(split))
        return (
            Example(source, target)
            if part_of(self.key(source, target), self.seed) == split
            else None
        )

    def _draw_training(self, rng: random.Random) -> Example:
        for _ in range(PATIENCE):
            if example := self._draw_part(rng, "train"):
                return example
        raise ValueError(f"{self._space('train')}: none is left for training")

    def _draw_distinct(self, split: str) -> list[Example]:
        rng = random.Random(f"{self.seed}/{split}")
        count = self.count(split)
        examples: dict[str, Example] = {}
        misses = 0
        while len(examples) < count:
            example = self._draw_part(rng, split)
            if example and example.source not in examples:
                examples[example.source] = example
                misses = 0
            elif (misses := misses + 1) > PATIENCE:
                name = "training" if split == "train" else split
                where = "there" if split == "train" else "held out of training"
                if not examples:
                    raise ValueError(
                        f"{self._space(split)}: no {name} example is {where}; widen the sizes"
                    )
                self._notes[split] = (
                    f"{self._space(split)} for task.{name}_examples={count}: all {len(examples)} "
                    f"distinct ones that are {where} were taken"
                )
                break
        return list(examples.values())

    def _space(self, split: str) -> str:
        low, high = self.sizes(split)
        name = type(self).__name__.lower()
        return f"task {name} has too few examples of sizes {low} to {high}"


@dataclass(kw_only=True, eq=False)
class LengthTask(GeneratedTask):
    """A generated task with lengths of sources, set separately for training and test.

    Args:
        min_length, max_length: steps of the source in training and validation.
        validation_max_length: the most in validation; None: as in training.
        test_min_length, test_max_length: the same in the test; None: as in training.
        training_examples, validation_examples, test_examples, seed: see `GeneratedTask`.
    """

    min_length: int = 1
    max_length: int = 10
    validation_max_length: int | None = None
    test_min_length: int | None = None
    test_max_length: int | None = None
    shortest = 0  # minimum of a length

    def __post_init__(self):
        super().__post_init__()
        low, high = self.sizes("validation")
        check_range("min_length", self.min_length, "max_length", self.max_length, self.shortest)
        check_range("min_length", low, "validation_max_length", high, self.shortest)
        low, high = self.sizes("test")
        check_range("test_min_length", low, "test_max_length", high, self.shortest)

    def sizes(self, split: str) -> tuple[int, int]:
        """Shortest and longest source of `split`."""
        if split == "validation" and self.validation_max_length is not None:
            return self.min_length, self.validation_max_length
        return either(
            split, (self.min_length, self.max_length), (self.test_min_length, self.test_max_length)
        )


def either(
    split: str, train: tuple[int, int], test: tuple[int | None, int | None]
) -> tuple[int, int]:
    """Range of `split`: that of training, for the test overridden by `test`.

    >>> either("test", (1, 10), (None, 20)), either("validation", (1, 10), (None, 20))
    ((1, 20), (1, 10))
    """
    if split != "test":
        return train
    return tuple(
        first if second is None else second for first, second in zip(train, test, strict=True)
    )
